/** How a report looks: by day, by night, and on paper, where it is day. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#16202b;--soft:#5a6875;--faint:#8794a1;--line:#dde3e9;--ground:#f6f8fa;--card:#fff;
--p2p:#1f8a70;--http:#d9922b;--none:#c0392b;--down:#9aa5b1;--band:#7d4ac733;--bandline:#7d4ac7;--good:#1b7f5f;--bad:#b3261e;--unsure:#9a6700;--focus:#2f6fde}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#a3b0bd;--faint:#7b8794;--line:#2c3743;--ground:#11171d;--card:#182028;
--p2p:#2ea583;--http:#dd9a3c;--none:#e05a4e;--down:#5c6875;--band:#a37bee3d;--bandline:#b394f5;--good:#4cc79d;--bad:#ff8a80;--unsure:#e3b341;--focus:#6ea8fe}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1200px;margin:0 auto;padding:28px 24px 48px}
h1{font-size:26px;line-height:1.2;margin:2px 0 6px;letter-spacing:-.01em}
h2{font-size:17px;margin:0 0 4px}
p{margin:0 0 8px}
.soft,.note{color:var(--soft)}
.note{font-size:13px;margin:0 0 12px;text-wrap:pretty}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em;overflow-wrap:anywhere}
html[data-lang=en] [lang=pt-BR],html[data-lang=pt-BR] [lang=en]:not(html){display:none}
header.top{display:flex;justify-content:space-between;gap:24px;align-items:flex-start}
.brand{font-size:12px;letter-spacing:.09em;text-transform:uppercase;color:var(--soft)}
.languages{display:flex;border:1px solid var(--line);border-radius:8px;overflow:hidden;flex:none}
.languages button{border:0;background:none;color:var(--soft);font:inherit;font-size:13px;padding:5px 11px;cursor:pointer}
.languages button[aria-pressed=true]{background:var(--ink);color:var(--card)}
a{color:var(--focus);text-underline-offset:3px}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
.verdict{display:flex;gap:20px;align-items:center;margin:18px 0;padding:18px 22px;border-radius:12px;background:var(--card);border:1px solid var(--line);border-left:8px solid var(--tone)}
.verdict strong{font-size:30px;line-height:1.1;color:var(--tone);letter-spacing:-.01em}
.verdict ul{margin:6px 0 0;padding-left:18px}
.v-pass{--tone:var(--good)}.v-fail{--tone:var(--bad)}.v-inconclusive,.v-unsupported,.v-interrupted,.v-error{--tone:var(--unsure)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0 0 18px}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
.figures dt{font-size:12.5px;color:var(--soft);line-height:1.3}
.figures dd{margin:2px 0 0;font-size:22px;font-weight:600;letter-spacing:-.01em}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 22px;margin:0 0 18px}
.wide{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:12.5px;padding:4px 12px 6px 0;border-bottom:1px solid var(--line)}
td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.number,th.number{text-align:right;white-space:nowrap}
td.bar{width:22%;min-width:120px}
.tag{display:inline-block;white-space:nowrap;font-weight:600;font-size:13px}
.t-good{color:var(--good)}.t-bad{color:var(--bad)}.t-unsure{color:var(--unsure)}
.tag::before{display:inline-block;width:1.25em}
.t-good.tag::before{content:"✓"}.t-bad.tag::before{content:"✕"}.t-unsure.tag::before{content:"?"}
.numbers{color:var(--soft);font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.violations{margin:6px 0 0;padding:0;list-style:none}
.violations li{margin:0 0 2px}
button.jump{border:0;background:none;padding:0;color:var(--bad);font:inherit;font-size:13.5px;text-align:left;cursor:pointer;text-decoration:underline;text-decoration-style:dotted;text-underline-offset:3px;overflow-wrap:anywhere}
button.jump.plain{color:inherit}
svg{display:block;width:100%;height:auto;min-width:760px}
svg text{font:11.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;fill:var(--soft)}
svg .name{text-anchor:end;fill:var(--ink)}
.axis line{stroke:var(--line);stroke-width:1}
.axis text{text-anchor:middle}.axis text.name{text-anchor:end;fill:var(--soft)}
text.mode{fill:#fff;font-weight:600;font-size:11px}
.m-P2P{fill:var(--p2p)}.m-HTTP{fill:var(--http)}.m-NONE{fill:var(--none)}.m-down{fill:var(--down);opacity:.55}
.write{stroke:var(--soft);stroke-width:1.3}.slow{stroke:var(--bad)}.unseen{fill:var(--bad)}
.band rect{fill:var(--band);stroke:var(--bandline);stroke-width:.8;stroke-dasharray:3 2}
.band text{fill:var(--bandline);font-weight:600}
.mark line{stroke:var(--soft);stroke-dasharray:2 3}.mark text{text-anchor:middle}
.agree .one{fill:var(--p2p);opacity:.55}.agree .many{fill:var(--http)}
.cursor line{stroke:var(--focus);stroke-width:2}.cursor text{fill:var(--focus);font-weight:700;text-anchor:middle}
.dot{fill:var(--p2p);opacity:.7}
line.budget{stroke:var(--bad);stroke-dasharray:5 4}text.budget{text-anchor:end;fill:var(--bad)}
.meter{height:8px;border-radius:4px;background:var(--line);overflow:hidden;margin-top:7px}
.meter i{display:block;height:100%;background:var(--good)}.meter.over i{background:var(--bad)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft);margin:8px 0 0}
.legend i{display:inline-block;width:14px;height:10px;border-radius:2px;margin-right:6px;vertical-align:0}
.legend .k-root{background:linear-gradient(90deg,#c95,#59c,#5a7)}.legend .k-band{background:var(--band);border:1px dashed var(--bandline)}.legend .k-write{width:2px;height:12px;background:var(--soft)}
details summary{cursor:pointer;font-weight:600;padding:6px 0}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:14px;margin:0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{font-size:13px;color:var(--soft)}
@media (max-width:640px){main{padding:16px 12px}section{padding:14px}.verdict{flex-direction:column;align-items:flex-start;gap:8px}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--faint:#666;--line:#ccc;--ground:#fff;--card:#fff;--p2p:#1f8a70;--http:#d9922b;--none:#c0392b;--down:#9aa5b1;--band:#7d4ac733;--bandline:#7d4ac7;--good:#1b7f5f;--bad:#b3261e;--unsure:#9a6700}
@page{size:A4 landscape;margin:12mm}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{max-width:none;padding:0}.languages{display:none}section,.verdict,.figures div{break-inside:avoid}section{padding:10px 14px}section.long{break-inside:auto}tr{break-inside:avoid}
body{font-size:12px}button.jump{text-decoration:none}svg{min-width:0}.wide{overflow:visible}}
`;
