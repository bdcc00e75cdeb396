/** How long each acknowledged write took to be readable on every node: a cloud on a logarithmic scale, with its quantiles. */
import type { Timeline } from '../timeline.ts';
import { WIDTH, timelineScale } from './lanes.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { clockOf, round, ticksOf } from './scale.ts';
import { svgBoth } from './words.ts';

const TOP = 10;
const HEIGHT = 150;
const BOTTOM = TOP + HEIGHT;
const DECADES = [1, 10, 100, 1_000, 10_000];
/** the gossip budget, p99 (DESIGN section 8) */
const GOSSIP_BUDGET_MS = 100;
/** a cell of this many pixels holds one dot, however many writes are in it */
const CELL = 3;

export function renderLatencies(timeline: Timeline): Markup {
  const scale = timelineScale(timeline);
  const y = (ms: number): number =>
    round(BOTTOM - (Math.log10(Math.min(Math.max(ms, 1), 10_000)) / 4) * HEIGHT);
  const cells = new Map<string, { readonly x: number; readonly y: number; count: number }>();
  for (const { ackedAt, tookMs } of timeline.writes) {
    if (tookMs === null) continue;
    const x = Math.round(scale.x(ackedAt) / CELL) * CELL;
    const height = Math.round(y(tookMs) / CELL) * CELL;
    const cell = cells.get(`${x} ${height}`);
    if (cell === undefined) cells.set(`${x} ${height}`, { x, y: height, count: 1 });
    else cell.count += 1;
  }
  return html`<svg
    class="latencies"
    viewBox="0 0 ${WIDTH} ${BOTTOM + 26}"
    role="img"
    aria-labelledby="latencies-title"
  >
    <g class="axis">
      ${ticksOf(scale).map((at) => html`<text x="${scale.x(at)}" y="${BOTTOM + 18}">${clockOf(at)}</text>`)}
      ${DECADES.map((ms) => html`<line x1="${scale.left}" x2="${scale.right}" y1="${y(ms)}" y2="${y(ms)}" /><text class="name" x="${scale.left - 10}" y="${y(ms) + 4}">${ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`}</text>`)}
    </g>
    ${timeline.bands.map(
      (band) =>
        html`<g class="band"
          ><rect
            x="${scale.x(band.from)}"
            y="${TOP}"
            width="${round(Math.max(1.5, scale.x(band.to ?? scale.to) - scale.x(band.from)))}"
            height="${HEIGHT}"
        /></g>`,
    )}
    <line
      class="budget"
      x1="${scale.left}"
      x2="${scale.right}"
      y1="${y(GOSSIP_BUDGET_MS)}"
      y2="${y(GOSSIP_BUDGET_MS)}"
    />
    <text class="budget" x="${scale.right - 4}" y="${y(GOSSIP_BUDGET_MS) - 4}">
      ${svgBoth('gossip budget p99, 100 ms', 'meta do gossip p99, 100 ms')}
    </text>
    ${[...cells.values()].map(
      (cell) =>
        html`<circle
          class="dot"
          cx="${cell.x}"
          cy="${cell.y}"
          r="${round(Math.min(4, 1.7 + Math.log10(cell.count)))}"
        />`,
    )}
  </svg>`;
}
