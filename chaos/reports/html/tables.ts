/** The tables of a report: what was measured, what was claimed, and what proves that the faults were real. */
import { locate } from '../locate.ts';
import type { Proof, Results } from '../results.ts';
import type { Timeline } from '../timeline.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { both, CHECK_WORDS, milliseconds, said } from './words.ts';

/** A whole round is struck once; a table of a thousand rounds is for results.json. */
const ROWS_MAX = 400;

export function renderMeasurements({ measurements: all, rounds }: Results): Markup | null {
  if (all.length === 0) return null;
  const shown = all.slice(0, ROWS_MAX);
  return html`<section class="long">
    <h2>${both('Measured, and the budgets', 'Medido, e as metas')}</h2>
    <p class="note">
      ${both(
        'Budgets are 99th percentiles on a quiet machine. A scenario that claims to meet them fails where it misses one, unless the machine was too busy to judge.',
        'As metas são percentis 99 em uma máquina tranquila. Um cenário que afirma cumpri-las é reprovado ao exceder uma, salvo se a máquina estava ocupada demais para julgar.',
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

export function renderChecks({ checks: all }: Results, timeline: Timeline): Markup {
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
            ({ claim, verdict: word, detail, violations, numbers = {} }) =>
              html`<tr>
                <td>${said(claim)}</td>
                <td><span class="tag ${TONES[word]}">${CHECK_WORDS[word]}</span></td>
                <td>
                  ${said(detail)}${counted(numbers)}${
                    violations.length === 0
                      ? null
                      : html`<ul class="violations">
                          ${violations.map((one) => violation(one, timeline))}
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

/** Their names say what they are, and in which unit; in both languages the same. */
function counted(numbers: Readonly<Record<string, number>>): Markup | null {
  const all = Object.entries(numbers);
  if (all.length === 0) return null;
  return html`<div class="numbers">
    ${all.map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`).join(' · ')}
  </div>`;
}

function violation(one: Results['checks'][number]['violations'][number], timeline: Timeline): Markup {
  const { text } = one;
  // What lacks in the end was written long before: the write is what the reader wants to see.
  const at = locate(text, timeline) ?? one.at;
  if (at === null) return html`<li>${said(text)}</li>`;
  return html`<li><button type="button" class="jump" data-at="${Math.round(at)}">${said(text)}</button></li>`;
}

export function renderEvidence(proofs: readonly Proof[]): Markup | null {
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
