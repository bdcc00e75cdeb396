/** What one does: choose a target, take something from it, give it back; and write. */
import { useState } from 'preact/hooks';
import { faultsInForce } from '../room/reduce.ts';
import type { CutLung, FaultView } from '../room/model.ts';
import { ConflictCard } from './conflict.tsx';
import { usePage } from './page-context.ts';
import { PartitionForm } from './partition-form.tsx';
import { WriteForm } from './write-form.tsx';

const LUNGS: readonly CutLung[] = ['p2p', 'http', 'both'];
/** Beyond that, chips don't fit and a list is quicker. */
const CHIPS_MAX = 10;

export function Controls({ draw }: { readonly draw: () => void }) {
  const { view, words, selected, act, isStale } = usePage();
  const [form, setForm] = useState<'partition' | 'write' | null>(null);
  const names = view.cluster.nodes.map(({ name }) => name);
  const targets = selected === null ? names : [selected];
  const inForce = faultsInForce(view);
  const [single] = targets;
  const isSingle = targets.length === 1 && single !== undefined;
  const close = (): void => setForm(null);

  return (
    <section class="panel controls" aria-label={words.target}>
      <fieldset disabled={isStale}>
        <TargetChoice names={names} />
        <div class="deeds">
          <span class="deeds-name" id="deeds-cut">
            {words.cut}
          </span>
          <div class="button-row" role="group" aria-labelledby="deeds-cut">
            {LUNGS.map((lung) => (
              <button
                key={lung}
                type="button"
                class={`button is-${lung}`}
                onClick={() => void act({ do: 'cut', nodes: [...targets], lung })}
              >
                {words.cutLung[lung]}
              </button>
            ))}
          </div>
          <span class="deeds-name" id="deeds-process">
            {words.process}
          </span>
          <div class="button-row" role="group" aria-labelledby="deeds-process">
            {(['kill', 'freeze', 'restart'] as const).map((deed) => (
              <button
                key={deed}
                type="button"
                class="button"
                disabled={!isSingle}
                onClick={() => isSingle && void act({ do: deed, node: single })}
              >
                {words[deed]}
              </button>
            ))}
          </div>
          <span class="deeds-name" id="deeds-network">
            {words.network}
          </span>
          <div class="button-row" role="group" aria-labelledby="deeds-network">
            <button
              type="button"
              class="button"
              aria-expanded={form === 'partition'}
              onClick={() => setForm(form === 'partition' ? null : 'partition')}
            >
              {words.partition}
            </button>
            <button
              type="button"
              class="button is-heal"
              disabled={inForce.length === 0}
              onClick={() => void act({ do: 'heal-all' })}
            >
              {words.healAll}
            </button>
          </div>
          <span class="deeds-name" id="deeds-data">
            {words.data}
          </span>
          <div class="button-row" role="group" aria-labelledby="deeds-data">
            <button
              type="button"
              class="button"
              aria-expanded={form === 'write'}
              onClick={() => setForm(form === 'write' ? null : 'write')}
            >
              {words.write}
            </button>
            <button type="button" class="button" onClick={() => void act({ do: 'conflict' })}>
              {words.conflict}
            </button>
          </div>
        </div>
        {form === 'partition' && <PartitionForm names={names} draw={draw} close={close} />}
        {form === 'write' && <WriteForm names={names} close={close} />}
      </fieldset>
      <ConflictCard />
      <h2 class="panel-title">{words.faults}</h2>
      {inForce.length === 0 ? (
        <p class="quiet">{words.noFaults}</p>
      ) : (
        <ul class="faults">
          {inForce.map((fault) => (
            <FaultLine key={fault.id} fault={fault} />
          ))}
        </ul>
      )}
    </section>
  );
}

function TargetChoice({ names }: { readonly names: readonly string[] }) {
  const { words, selected, select } = usePage();
  if (names.length > CHIPS_MAX) {
    return (
      <label class="target-list">
        {words.target}
        <select value={selected ?? ''} onChange={(event) => select(event.currentTarget.value || null)}>
          <option value="">{words.everyNode}</option>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <div class="chips" role="group" aria-label={words.target}>
      {[null, ...names].map((name) => (
        <button
          key={name ?? ''}
          type="button"
          class="chip"
          aria-pressed={selected === name}
          onClick={() => select(name)}
        >
          {name ?? words.everyNode}
        </button>
      ))}
    </div>
  );
}

function FaultLine({ fault }: { readonly fault: FaultView }) {
  const { room, words, figures, act } = usePage();
  const isSolved = fault.proven !== null;
  return (
    <li class="fault">
      <div>
        <strong title={fault.means}>{words.deed(fault.deed)}</strong>
        <span class="quiet">
          {figures.clock(room.now() - fault.from)}
          {fault.dropped > 0 && ` · ${words.keptBack(figures.count(fault.dropped))}`}
          {isSolved && (
            <span class={fault.proven === true ? 'is-good' : 'is-bad'}>
              {' · '}
              {fault.proven === true ? `✓ ${words.proven}` : words.unproven}
            </span>
          )}
        </span>
      </div>
      <button type="button" class="button is-heal" onClick={() => void act({ do: 'heal', fault: fault.id })}>
        {words.heal}
      </button>
    </li>
  );
}
