/**
 * From the store to a core. Records were verified before they were stored, and the store's checksums vouch for the bytes.
 * Where some are lost, what the store knows beside them is not believed, for it would tell members that nothing is
 * missing; where there is no member to get them from, there is no core.
 */
import type { Storage, StoreFault } from '../ports.ts';
import type { Core } from '../protocol/core.ts';
import { canonicalOf, readKept } from '../protocol/state/kept-record.ts';
import { keyHint } from '../protocol/state/record-key.ts';

/** Named one by one in an error; beyond, only counted. */
const FAULTS_TOLD_MAX = 20;

/** The store lost records, and no member is configured that has them. */
class NodeDamagedError extends Error {
  override readonly name = 'NodeDamagedError';
  readonly code = 'damaged';

  constructor(stateDir: string, faults: readonly StoreFault[]) {
    const told = faults.slice(0, FAULTS_TOLD_MAX).map((fault) => {
      const { slot, key, detail } = describeFault(fault);
      const where =
        slot === null ? '' : `slot ${slot}${key === null ? '' : `, key ${JSON.stringify(key)}`}: `;
      return where + detail;
    });
    const more = faults.length > told.length ? `; and ${faults.length - told.length} more` : '';
    super(
      `the store in ${stateDir} is damaged and there is no member to heal it from: ${told.join('; ')}${more}. ` +
        'Restore a backup of the directory, or configure members that have the records.',
    );
  }
}

/** @throws NodeDamagedError; what `load` of the store throws */
export function restore(
  modules: { readonly storage: Storage; readonly newCore: () => Core },
  options: { readonly stateDir: string; readonly isAlone: boolean },
): { readonly core: Core; readonly faults: readonly StoreFault[] } {
  const { storage, newCore } = modules;
  const faults: StoreFault[] = [];
  const { meta, records } = storage.load((fault) => faults.push(fault));
  const core = newCore();
  core.load(meta, stored(records), Date.now());
  if (faults.length === 0) return { core, faults };
  if (options.isAlone) throw new NodeDamagedError(options.stateDir, faults);
  const again = storage.load(() => undefined);
  const unknowing = newCore();
  unknowing.load(
    again.meta === null ? null : { ...again.meta, knowledge: null },
    stored(again.records),
    Date.now(),
  );
  return { core: unknowing, faults };
}

/** What can be told of a fault. The key is read from damaged bytes. */
export function describeFault({ slot, detail, bytes }: StoreFault): {
  readonly slot: number | null;
  readonly key: string | null;
  readonly detail: string;
} {
  return { slot, key: bytes === null ? null : keyHint(canonicalOf(bytes)), detail };
}

function* stored(records: Iterable<{ readonly slot: number; readonly bytes: Uint8Array }>) {
  for (const { slot, bytes } of records) yield { slot, ...readKept(bytes) };
}
