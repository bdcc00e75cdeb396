/** report.html: one run, its verdict first, then the picture, then every claim, number and proof. */
import type { Proof, Results } from '../results.ts';
import { quantile } from '../../checkers/quantile.ts';
import type { Timeline } from '../timeline.ts';
import { renderEnvironment } from './environment.ts';
import { renderLatencies } from './latencies.ts';
import { LANES_MAX, renderLanes } from './lanes.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { LANGUAGES, renderPage } from './page.ts';
import { renderChecks, renderEvidence, renderMeasurements } from './tables.ts';
import { both, milliseconds, said, VERDICT_SENTENCES, VERDICT_WORDS, WORLD_WORDS } from './words.ts';

export interface ReportOf {
  readonly results: Results;
  readonly proofs: readonly Proof[];
  readonly timeline: Timeline;
}

export function renderReport(report: ReportOf): string {
  const { results, proofs, timeline } = report;
  return renderPage(
    `${results.scenario}: ${results.verdict}`,
    html`${head(results)}${verdict(results)}${figures(report)}${picture(timeline)}${latencies(timeline)}
    ${renderMeasurements(results)}${renderChecks(results, timeline)}${renderEvidence(proofs)}${renderEnvironment(results)}${guide()}`,
  );
}

function head(results: Results): Markup {
  const { scenario, says, world, nodes, seed, rounds, startedAt, runId } = results;
  return html`<header class="top">
    <div>
      <div class="brand">Aethel Lattice · ${both('resilience report', 'relatório de resiliência')}</div>
      <h1>${scenario}</h1>
      <p class="soft">${said(says)}</p>
      <p class="soft">
        ${nodes.length} ${WORLD_WORDS[world]} · ${both('seed', 'semente')}
        <code>${seed}</code>${rounds > 1 ? html` · ${rounds} ${both('rounds', 'rodadas')}` : null} ·
        ${startedAt.slice(0, 19).replace('T', ' ')} UTC · ${both('run', 'execução')} <code>${runId}</code>
      </p>
    </div>
    ${LANGUAGES}
  </header>`;
}

/** What speaks against a claim stands with the claim; here only which claims, and what else is wrong. */
function verdict({ verdict: word, reasons: all, checks }: Results): Markup {
  const told = new Set(checks.flatMap(({ violations }) => violations.map(({ text }) => text)));
  const reasons = all.filter((reason) => !told.has(reason));
  return html`<div class="verdict v-${word}">
    <strong>${VERDICT_WORDS[word]}</strong>
    <div>
      ${VERDICT_SENTENCES[word]}${
        reasons.length === 0
          ? null
          : html`<ul>
              ${reasons.slice(0, 12).map((reason) => html`<li>${said(reason)}</li>`)}
            </ul>`
      }
    </div>
  </div>`;
}

function figures({ results, proofs, timeline }: ReportOf): Markup {
  const times = timeline.writes.flatMap(({ tookMs }) => (tookMs === null ? [] : [tookMs]));
  const timeOf = (share: number): string => milliseconds(times.length === 0 ? null : quantile(times, share));
  const held = proofs.flatMap(({ evidence: { checks: all } }) => all);
  const figure = (label: Markup, value: string): Markup =>
    html`<div>
      <dt>${label}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<dl class="figures">
    ${figure(both('writes acknowledged', 'escritas confirmadas'), String(results.writes.ok))}
    ${figure(both('of them lost', 'delas perdidas'), lostOf(results))}
    ${figure(both('readable everywhere, median', 'legível em todos, mediana'), timeOf(0.5))}
    ${figure(both('readable everywhere, p99', 'legível em todos, p99'), timeOf(0.99))}
    ${figure(both('claims that held', 'afirmações sustentadas'), `${results.checks.filter(({ verdict: one }) => one === 'pass').length} / ${results.checks.length}`)}
    ${figure(both('proofs of the faults', 'provas das falhas'), `${held.filter(({ holds }) => holds).length} / ${held.length}`)}
    ${figure(both('run time', 'duração'), `${(results.tookMs / 1000).toFixed(1)} s`)}
  </dl>`;
}

/** Nobody knows where the checker of it has not judged. */
function lostOf({ checks }: Results): string {
  const check = checks.find(({ checker }) => checker === 'lost-writes');
  const lost = check?.numbers?.['lost'];
  return check === undefined || check.verdict === 'unknown' || lost === undefined ? '?' : String(lost);
}

function picture(timeline: Timeline): Markup {
  const more = timeline.lanes.length - LANES_MAX;
  return html`<section>
    <h2 id="lanes-title">
      ${both('What every node said, and what it held', 'O que cada nó disse e o que guardou')}
    </h2>
    <p class="note">
      ${both(
        'One lane per node. The wide strip is the sync_mode that the node itself reports; the thin strip below it is its Merkle root as a colour: the same colour at the same time is the same state. Each stroke above is an acknowledged write, the taller the longer until it was readable on all nodes.',
        'Uma faixa por nó. A barra larga é o sync_mode que o próprio nó informa; a barra fina abaixo é sua raiz de Merkle como cor: a mesma cor no mesmo instante é o mesmo estado. Cada traço acima é uma escrita confirmada, tanto mais alto quanto mais tempo até ser legível em todos os nós.',
      )}
    </p>
    <div class="wide">${renderLanes(timeline)}</div>
    ${more > 0 ? html`<p class="note">${both(`${more} more nodes are in history.jsonl.`, `Mais ${more} nós estão em history.jsonl.`)}</p>` : null}
    <p class="legend">
      <span><i style="background:var(--p2p)"></i>P2P</span
      ><span><i style="background:var(--http)"></i>HTTP</span
      ><span><i style="background:var(--none)"></i>NONE</span
      ><span><i style="background:var(--down)"></i>${both('does not answer', 'não responde')}</span
      ><span><i class="k-band"></i>${both('fault', 'falha')}</span
      ><span><i class="k-root"></i>${both('root', 'raiz')}</span
      ><span
        ><i class="k-write"></i
        >${both('write (1 ms to 10 s, logarithmic; red above 1 s)', 'escrita (1 ms a 10 s, logarítmico; vermelho acima de 1 s)')}</span
      ><span>${both('bottom row: one root, or how many', 'linha inferior: uma raiz, ou quantas')}</span>
    </p>
  </section>`;
}

function latencies(timeline: Timeline): Markup {
  const unseen = timeline.writes.filter(({ tookMs }) => tookMs === null).length;
  return html`<section>
    <h2 id="latencies-title">
      ${both('Acknowledged → readable on every node', 'Confirmada → legível em todos os nós')}
    </h2>
    <p class="note">
      ${both(
        `Each dot is a write, or several at the same place. The budget is for an undisturbed cluster; a fault may cost more.${unseen > 0 ? ` Not seen everywhere while the run went on: ${unseen}; the claims below say whether they are lost.` : ''}`,
        `Cada ponto é uma escrita, ou várias no mesmo lugar. A meta vale para um cluster sem perturbação; uma falha pode custar mais.${unseen > 0 ? ` Não vistas em todos os nós durante a execução: ${unseen}; as afirmações abaixo dizem se foram perdidas.` : ''}`,
      )}
    </p>
    <div class="wide">${renderLatencies(timeline)}</div>
  </section>`;
}

function guide(): Markup {
  return html`<footer>
    <p>
      ${both(
        'This run shows what happened once, on this machine, under these faults. It is a resilience test by fault injection, not a threat-led penetration test. Everything it was judged by lies beside this file: history.jsonl, evidence.json, schedule.json, results.json and the logs of the nodes.',
        'Esta execução mostra o que aconteceu uma vez, nesta máquina, sob estas falhas. É um teste de resiliência por injeção de falhas, não um teste de intrusão orientado por ameaças. Tudo o que serviu ao julgamento está ao lado deste arquivo: history.jsonl, evidence.json, schedule.json, results.json e os registros dos nós.',
      )}
    </p>
  </footer>`;
}
