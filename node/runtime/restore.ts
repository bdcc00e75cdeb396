/**
 * From the store to a core. Records were verified before they were stored, and the store's checksums vouch for the bytes.
 * Where some are lost, what the store knows beside them is not believed, for it would tell members that nothing is
 * missing; where there is no member to get them from, there is no core.
 *
 * Takes seconds where there are many records; meanwhile the event loop gets its turns.
 */
import { ACCEPT_LOSS_FILE, type Clock, type Storage, type StoreFault, type StoreMeta } from '../ports.ts';
import type { Core } from '../protocol/core.ts';
import type { Pieces } from '../protocol/pieces.ts';
import { canonicalOf } from '../protocol/state/kept-record.ts';
import { decodeKnowledge, membersOnly } from '../protocol/state/knowledge.ts';
import { dotHint, Loss } from '../protocol/state/loss.ts';
import type { Dot } from '../protocol/state/record.ts';
import { keyHint } from '../protocol/state/record-key.ts';

/** Named one by one in an error; beyond, only counted. */
const FAULTS_TOLD_MAX = 20;

/** The store lost records, and no member is configured that has them. */
class NodeDamagedError extends Error {
  override readonly name = 'NodeDamagedError';
  readonly code = 'damaged';

  constructor(stateDir: string, faults: readonly StoreFault[]) {
    const told = faults.slice(0, FAULTS_TOLD_MAX).map(describeLoss);
    const more = faults.length > told.length ? `; and ${faults.length - told.length} more` : '';
    super(
      `the store in ${stateDir} is damaged and there is no member to heal it from: ${told.join('; ')}${more}. ` +
        'Restore a backup of the directory; or configure members that have the records; ' +
        `or make an empty file ${ACCEPT_LOSS_FILE} in it to go on without them.`,
    );
  }
}

/**
 * Between two turns of the event loop, in ms: whoever asks now is not kept waiting, and nothing takes longer for it. A
 * collection of the engine's that is all but done waits for a turn too, and nothing else is collected meanwhile: with 20 ms
 * its heap grows by 18 MB until then, with 4 by 9, with 2 by 2, and it keeps what it once had (ADR 12).
 */
const TURN_EVERY_MS = 2;

export interface RestoreModules {
  /** nobody else writes to it */
  readonly storage: Storage;
  readonly newCore: () => Core;
  readonly clock: Clock;
  /** resolves when the event loop has had its turn */
  readonly turn: () => Promise<void>;
}

export interface Restored {
  readonly core: Core;
  readonly faults: readonly StoreFault[];
  /** null: nothing is lost */
  readonly loss: Loss | null;
  /** what the store knows beside its records, without what is not to be believed */
  readonly believed: StoreMeta | null;
}

/** Rejects with NodeDamagedError; with what `load` of the store throws. */
export async function restore(
  modules: RestoreModules,
  options: { readonly stateDir: string; readonly isAlone: boolean },
): Promise<Restored> {
  const { storage, newCore } = modules;
  const faults: StoreFault[] = [];
  const { meta, records } = storage.load((fault) => faults.push(fault));
  const core = newCore();
  await inTurns(core.loading(meta, records, modules.clock.wallMs()), modules);
  if (faults.length === 0) return { core, faults, loss: null, believed: meta };
  if (options.isAlone) throw new NodeDamagedError(options.stateDir, faults);
  const again = storage.load(() => undefined);
  const unknowing = newCore();
  const vital = again.meta && {
    ...again.meta,
    knowledge: again.meta.knowledge && membersOnly(again.meta.knowledge),
  };
  await inTurns(unknowing.loading(vital, again.records, modules.clock.wallMs()), modules);
  const seen = again.meta?.knowledge ? decodeKnowledge(again.meta.knowledge).vector : null;
  const loss = new Loss({ seen, sound: unknowing.replica.vector.clone(), ...extentOf(faults) });
  unknowing.setLoss(loss);
  return { core: unknowing, faults, loss, believed: vital };
}

function extentOf(faults: readonly StoreFault[]): { records: number | null; dots: readonly Dot[] } {
  const dots = faults.flatMap(({ bytes }) => (bytes === null ? [] : (dotHint(canonicalOf(bytes)) ?? [])));
  let records: number | null = 0;
  for (const fault of faults)
    records = records === null || fault.records === null ? null : records + fault.records;
  return { records, dots };
}

async function inTurns(pieces: Pieces<void>, { clock, turn }: RestoreModules): Promise<void> {
  let since = clock.monotonicMs();
  while (pieces.next().done !== true) {
    if (clock.monotonicMs() - since < TURN_EVERY_MS) continue;
    await turn();
    since = clock.monotonicMs();
  }
}

/** What can be told of a fault, as fields of the log. The key is read from damaged bytes. */
export function describeFault({ slot, detail, bytes }: StoreFault): {
  readonly slot: number | null;
  readonly record_key: string | null;
  readonly detail: string;
} {
  return { slot, record_key: bytes === null ? null : keyHint(canonicalOf(bytes)), detail };
}

/** The same as a sentence. */
export function describeLoss(fault: StoreFault): string {
  const { slot, record_key: key, detail } = describeFault(fault);
  const where = slot === null ? '' : `slot ${slot}${key === null ? '' : `, key ${JSON.stringify(key)}`}: `;
  return where + detail;
}
