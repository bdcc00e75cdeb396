/** Where a run ran, and what it left behind. */
import type { Environment, Results } from '../results.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { both } from './words.ts';

export function renderEnvironment({ environment, cleanUp, writes }: Results): Markup {
  return html`<section>
    <h2>${both('Environment', 'Ambiente')}</h2>
    <dl class="facts">
      ${environmentFacts(environment)}
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

/** Items of a `<dl class="facts">`. */
export function environmentFacts(where: Environment): Markup {
  const source =
    where.commit === null
      ? both('no git checkout', 'sem repositório git')
      : html`<code>${where.commit}</code>
          ${where.dirty ? html`(${both('with uncommitted changes', 'com alterações não confirmadas')})` : null}`;
  return html`${fact(both('source', 'código-fonte'), source)}
  ${fact(both('machine', 'máquina'), `${where.cpu}, ${where.cores} cores, ${(where.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${where.platform}`)}
  ${fact(html`kernel`, where.kernel)} ${fact(html`Node.js`, where.node)}
  ${where.engine === null ? null : fact(both('engine', 'motor'), where.engine)}
  ${where.images.map(({ name, id }) => fact(html`${name}`, html`<code>${id}</code>`))}`;
}

function fact(name: Markup, value: string | Markup): Markup {
  return html`<dt>${name}</dt>
    <dd>${value}</dd>`;
}
