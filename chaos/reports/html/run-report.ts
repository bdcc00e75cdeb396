/** report.html: one run, its verdict first, then the picture, then every claim, number and proof. */
import { locate } from '../locate.ts';
import type { Proof, Results } from '../results.ts';
import { quantile } from '../timeline.ts';
import type { Timeline } from '../timeline.ts';
import { renderLatencies } from './latencies.ts';
import { LANES_MAX, renderLanes } from './lanes.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { LANGUAGES, renderPage } from './page.ts';
import { both, CHECK_WORDS, said, VERDICT_SENTENCES, VERDICT_WORDS, WORLD_WORDS } from './words.ts';

export interface ReportOf {
  readonly results: Results;
  readonly proofs: readonly Proof[];
  readonly timeline: Timeline;
}

/** A whole round is struck once; a table of a thousand rounds is for results.json. */
const ROWS_MAX = 400;

export function renderReport(report: ReportOf): string {
  const { results, proofs, timeline } = report;
  return renderPage(
    `${results.scenario}: ${results.verdict}`,
    html`${head(results)}${verdict(results)}${figures(report)}${picture(timeline)}${latencies(timeline)}
    ${measurements(results)}${checks(results, timeline)}${evidence(proofs)}${environment(results)}${guide()}`,
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

function verdict({ verdict: word, reasons }: Results): Markup {
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
  const held = proofs.flatMap(({ evidence: { checks: all } }) => all);
  const figure = (label: Markup, value: string): Markup =>
    html`<div>
      <dt>${label}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<dl class="figures">
    ${figure(both('writes acknowledged', 'escritas confirmadas'), String(results.writes.ok))}
    ${figure(both('readable everywhere, median', 'legível em todos, mediana'), milliseconds(quantile(times, 0.5)))}
    ${figure(both('readable everywhere, p99', 'legível em todos, p99'), milliseconds(quantile(times, 0.99)))}
    ${figure(both('claims that held', 'afirmações sustentadas'), `${results.checks.filter(({ verdict: one }) => one === 'pass').length} / ${results.checks.length}`)}
    ${figure(both('proofs of the faults', 'provas das falhas'), `${held.filter(({ holds }) => holds).length} / ${held.length}`)}
    ${figure(both('run time', 'duração'), `${(results.tookMs / 1000).toFixed(1)} s`)}
  </dl>`;
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

function measurements({ measurements: all, rounds }: Results): Markup | null {
  if (all.length === 0) return null;
  const shown = all.slice(0, ROWS_MAX);
  return html`<section class="long">
    <h2>${both('Measured, and the budgets', 'Medido, e as metas')}</h2>
    <p class="note">
      ${both(
        'Budgets are 99th percentiles: a single run above one is reported here and fails nothing by itself.',
        'As metas são percentis 99: uma única execução acima de uma delas é relatada aqui e, por si só, não reprova.',
      )}
    </p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            ${rounds > 1 ? html`<th>${both('round', 'rodada')}</th>` : null}
            <th>${both('measured', 'medido')}</th>
            <th class="number">${both('took', 'levou')}</th>
            <th class="number">${both('budget', 'meta')}</th>
            <th></th>
            <th></th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            ({ what, ms, budgetMs, round }) =>
              html`<tr>
                ${rounds > 1 ? html`<td>${round}</td>` : null}
                <td>${said(what)}</td>
                <td class="number">${milliseconds(ms)}</td>
                <td class="number">${budgetMs === null ? null : `≤ ${milliseconds(budgetMs)}`}</td>
                <td class="bar">${meter(ms, budgetMs)}</td>
                <td>${kept(ms, budgetMs)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${all.length > shown.length ? html`<p class="note">${all.length - shown.length} ${both('more are in results.json.', 'a mais estão em results.json.')}</p>` : null}
  </section>`;
}

function meter(ms: number | null, budgetMs: number | null): Markup | null {
  if (budgetMs === null) return null;
  const share = Math.min(100, Math.round(((ms ?? Infinity) / budgetMs) * 100));
  return html`<div class="meter ${isKept(ms, budgetMs) ? '' : 'over'}"><i style="width:${share}%"></i></div>`;
}

function kept(ms: number | null, budgetMs: number | null): Markup | null {
  if (budgetMs === null) return null;
  return isKept(ms, budgetMs)
    ? html`<span class="tag t-good">${both('met', 'cumprida')}</span>`
    : html`<span class="tag t-bad">${both('over', 'excedida')}</span>`;
}

function isKept(ms: number | null, budgetMs: number): boolean {
  return ms !== null && ms <= budgetMs;
}

const TONES = { pass: 't-good', fail: 't-bad', unknown: 't-unsure' } as const;

function checks({ checks: all }: Results, timeline: Timeline): Markup {
  return html`<section class="long">
    <h2>${both('Claims', 'Afirmações')}</h2>
    <p class="note">
      ${both(
        'Each is judged by a checker that sees the history of the run and nothing else. Click what speaks against a claim to see its moment on the timeline.',
        'Cada uma é julgada por um verificador que vê apenas o histórico da execução. Clique no que contradiz uma afirmação para ver o momento na linha do tempo.',
      )}
    </p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>${both('claim', 'afirmação')}</th>
            <th>${both('judgement', 'julgamento')}</th>
            <th>${both('seen', 'visto')}</th>
          </tr>
        </thead>
        <tbody>
          ${all.map(
            ({ claim, verdict: word, detail, violations }) =>
              html`<tr>
                <td>${said(claim)}</td>
                <td><span class="tag ${TONES[word]}">${CHECK_WORDS[word]}</span></td>
                <td>
                  ${said(detail)}${
                    violations.length === 0
                      ? null
                      : html`<ul class="violations">
                          ${violations.map((text) => violation(text, timeline))}
                        </ul>`
                  }
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function violation(text: string, timeline: Timeline): Markup {
  const at = locate(text, timeline);
  if (at === null) return html`<li>${said(text)}</li>`;
  return html`<li><button type="button" class="jump" data-at="${Math.round(at)}">${said(text)}</button></li>`;
}

function evidence(proofs: readonly Proof[]): Markup | null {
  if (proofs.length === 0) return null;
  const rows = proofs
    .slice(0, ROWS_MAX)
    .flatMap(({ what, at, evidence: { checks: all, dropped, droppedBytes } }) => [
      html`<tr>
        <td rowspan="${all.length + 1}">
          <button type="button" class="jump plain" data-at="${Math.round(at)}">${said(what)}</button>
        </td>
        <td>
          ${both(
            `${dropped} packets or chunks, ${droppedBytes} bytes dropped`,
            `${dropped} pacotes ou blocos, ${droppedBytes} bytes descartados`,
          )}
        </td>
        <td></td>
      </tr>`,
      ...all.map(
        ({ claim, holds }) =>
          html`<tr>
            <td>${said(claim)}</td>
            <td>
              <span class="tag ${holds ? 't-good' : 't-unsure'}"
                >${holds ? both('so', 'sim') : both('not so', 'não')}</span
              >
            </td>
          </tr>`,
      ),
    ]);
  return html`<section class="long">
    <h2>${both('Evidence that the faults were real', 'Provas de que as falhas foram reais')}</h2>
    <p class="note">
      ${both(
        'A fault that is not proven to have bitten proves nothing about the nodes: the verdict is then inconclusive.',
        'Uma falha sem prova de que ocorreu nada prova sobre os nós: o veredito é então inconclusivo.',
      )}
    </p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>${both('proof', 'prova')}</th>
            <th>${both('checked', 'verificado')}</th>
            <th></th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}

function environment({ environment: where, cleanUp, writes }: Results): Markup {
  const fact = (name: Markup, value: string | Markup): Markup =>
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  return html`<section>
    <h2>${both('Environment', 'Ambiente')}</h2>
    <dl class="facts">
      ${fact(
        both('source', 'código-fonte'),
        where.commit === null
          ? both('no git checkout', 'sem repositório git')
          : html`<code>${where.commit}</code
              >${where.dirty ? html` (${both('with uncommitted changes', 'com alterações não confirmadas')})` : null}`,
      )}
      ${fact(both('machine', 'máquina'), `${where.cpu}, ${where.cores} cores, ${(where.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${where.platform}`)}
      ${fact(both('kernel', 'kernel'), where.kernel)} ${fact(html`Node.js`, where.node)}
      ${where.engine === null ? null : fact(both('engine', 'motor'), where.engine)}
      ${where.images.map(({ name, id }) => fact(html`${name}`, html`<code>${id}</code>`))}
      ${fact(both('writes', 'escritas'), both(`${writes.ok} acknowledged, ${writes.fail} refused, ${writes.info} with unknown outcome`, `${writes.ok} confirmadas, ${writes.fail} recusadas, ${writes.info} de resultado desconhecido`))}
      ${fact(
        both('clean-up', 'limpeza'),
        cleanUp.leftovers.length === 0
          ? both(
              `${cleanUp.removed} removed, nothing left behind`,
              `${cleanUp.removed} removidos, nada restou`,
            )
          : html`${cleanUp.leftovers.map((what) => html`${what} `)}`,
      )}
    </dl>
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

function milliseconds(ms: number | null): string {
  return ms === null ? '–' : `${Math.round(ms)} ms`;
}
