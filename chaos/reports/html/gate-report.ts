/** The gate's own page: one verdict, and a row per scenario that leads to its report. */
import type { GateResults } from '../results.ts';
import { environmentFacts } from './environment.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { LANGUAGES, renderPage } from './page.ts';
import { both, said, VERDICT_SENTENCES, VERDICT_WORDS, WORLD_WORDS } from './words.ts';

const TONES = {
  pass: 't-good',
  fail: 't-bad',
  inconclusive: 't-unsure',
  unsupported: 't-unsure',
  error: 't-unsure',
  interrupted: 't-unsure',
} as const;

export function renderGateReport(gate: GateResults): string {
  const { verdict, world, nodes, seed, startedAt, gateId, runs, tookMs } = gate;
  const passed = runs.filter((run) => run.verdict === 'pass').length;
  const unsupported = runs.filter((run) => run.verdict === 'unsupported').length;
  return renderPage(
    `gate: ${verdict}`,
    html`<header class="top">
        <div>
          <div class="brand">Aethel Lattice · ${both('resilience gate', 'prova de resiliência')}</div>
          <h1>${both('May this lattice be trusted?', 'Esta malha merece confiança?')}</h1>
          <p class="soft">
            ${nodes} ${WORLD_WORDS[world]} · ${both('seed', 'semente')} <code>${seed}</code> ·
            ${startedAt.slice(0, 19).replace('T', ' ')} UTC · <code>${gateId}</code>
          </p>
        </div>
        ${LANGUAGES}
      </header>
      <div class="verdict v-${verdict}">
        <strong>${VERDICT_WORDS[verdict]}</strong>
        <div>
          ${VERDICT_SENTENCES[verdict]}
          ${both(
            `${passed} of ${runs.length} scenarios passed${unsupported > 0 ? `, ${unsupported} cannot be played here` : ''}, in ${Math.round(tookMs / 1000)} s.`,
            `${passed} de ${runs.length} cenários aprovados${unsupported > 0 ? `, ${unsupported} sem suporte aqui` : ''}, em ${Math.round(tookMs / 1000)} s.`,
          )}
        </div>
      </div>
      <section class="long">
        <h2>${both('Scenarios', 'Cenários')}</h2>
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th>${both('scenario', 'cenário')}</th>
                <th>${both('verdict', 'veredito')}</th>
                <th class="number">${both('writes acknowledged', 'escritas confirmadas')}</th>
                <th class="number">${both('took', 'levou')}</th>
                <th>${both('why not', 'por que não')}</th>
              </tr>
            </thead>
            <tbody>
              ${runs.map(row)}
            </tbody>
          </table>
        </div>
      </section>
      <section>
        <h2>${both('Environment', 'Ambiente')}</h2>
        <dl class="facts">${environmentFacts(gate.environment)}</dl>
      </section>`,
  );
}

function row(run: GateResults['runs'][number]): Markup {
  return html`<tr>
    <td><a href="${encodeURIComponent(run.directory)}/report.html">${run.scenario}</a></td>
    <td><span class="tag ${TONES[run.verdict]}">${VERDICT_WORDS[run.verdict]}</span></td>
    <td class="number">${run.acknowledged}</td>
    <td class="number">${(run.tookMs / 1000).toFixed(1)} s</td>
    <td>${run.reasons.slice(0, 2).map((reason) => html`<div>${said(reason)}</div>`)}</td>
  </tr>`;
}
