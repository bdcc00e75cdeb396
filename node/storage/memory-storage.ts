/**
 * The in-memory twin of the durable store, for tests and simulated nodes: same contract, same errors, and a "disk" that
 * outlives the store, so that a restart can be played.
 */
import type { Storage, StoreBatch, StoreFault, StoreMeta } from '../ports.ts';
import { StorageCorruptError, StorageFailedError } from './errors.ts';
import { contentOf, seal, sealOf, unseal } from './seal.ts';
import { difference, faultOfTally, TALLY_ZERO, withoutRecord, withRecord, type Tally } from './tally.ts';

/** What is left when the process is gone. */
export interface MemoryDisk {
  meta: StoreMeta | null;
  tally: Tally;
  /** sealed values by slot */
  readonly records: Map<number, Uint8Array>;
}

export function newMemoryDisk(): MemoryDisk {
  return { meta: null, tally: TALLY_ZERO, records: new Map() };
}

export class MemoryStorage implements Storage {
  readonly #disk: MemoryDisk;
  #isClosed = false;
  /** found by the last load, and still there */
  #damaged = new Set<number>();
  /** what the last load missed */
  #loss: Tally = TALLY_ZERO;

  constructor(disk: MemoryDisk = newMemoryDisk()) {
    this.#disk = disk;
  }

  load(damaged?: (fault: StoreFault) => void): ReturnType<Storage['load']> {
    if (this.#isClosed) throw closed();
    return { meta: this.#disk.meta, records: this.#records(damaged ?? raise) };
  }

  async commit(batch: StoreBatch): Promise<void> {
    if (this.#isClosed) throw closed();
    for (const { slot, bytes } of batch.put) this.#set(slot, seal(slot, bytes));
    for (const slot of batch.remove) this.#set(slot, null);
    this.#disk.meta = { ...batch.meta };
    // durable things take a while: no caller may rely on being resumed in the same turn
    await Promise.resolve();
  }

  async mend(): Promise<void> {
    if (this.#isClosed) throw closed();
    for (const slot of this.#damaged) this.#set(slot, null);
    this.#disk.tally = difference(this.#disk.tally, this.#loss);
    this.#loss = TALLY_ZERO;
    await Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.resolve();
  }

  #set(slot: number, sealed: Uint8Array | null): void {
    const disk = this.#disk;
    const before = disk.records.get(slot);
    // what is damaged stays in the tally until the loss is mended
    if (!this.#damaged.delete(slot) && before !== undefined)
      disk.tally = withoutRecord(disk.tally, sealOf(before));
    if (sealed === null) disk.records.delete(slot);
    else {
      disk.tally = withRecord(disk.tally, sealOf(sealed));
      disk.records.set(slot, sealed);
    }
  }

  *#records(
    damaged: (fault: StoreFault) => void,
  ): Iterable<{ readonly slot: number; readonly bytes: Uint8Array }> {
    const { tally } = this.#disk;
    const bad = new Set<number>();
    let found = TALLY_ZERO;
    const snapshot = [...this.#disk.records].toSorted(([a], [b]) => a - b);
    for (const [slot, sealed] of snapshot) {
      const bytes = unseal(slot, sealed);
      if (bytes === null) {
        bad.add(slot);
        damaged({ slot, records: 1, detail: 'checksum mismatch', bytes: contentOf(sealed) });
      } else {
        found = withRecord(found, sealOf(sealed));
        yield { slot, bytes };
      }
    }
    this.#damaged = bad;
    this.#loss = difference(tally, found);
    const fault = faultOfTally(tally, found, bad.size);
    if (fault !== null) damaged({ slot: null, records: null, detail: fault, bytes: null });
  }
}

function raise({ slot, detail }: StoreFault): never {
  throw new StorageCorruptError({ slot, detail });
}

function closed(): StorageFailedError {
  return new StorageFailedError({ code: 'CLOSED', detail: 'it has been closed' });
}
