/**
 * The in-memory twin of the durable store, for tests and simulated nodes: same contract, same errors, and a "disk" that
 * outlives the store, so that a restart can be played.
 */
import type { Storage, StoreBatch, StoreMeta } from '../ports.ts';
import { StorageCorruptError, StorageFailedError } from './errors.ts';
import { seal, unseal } from './seal.ts';

/** What is left when the process is gone. */
export interface MemoryDisk {
  meta: StoreMeta | null;
  /** sealed values by slot */
  readonly records: Map<number, Uint8Array>;
}

export function newMemoryDisk(): MemoryDisk {
  return { meta: null, records: new Map() };
}

export class MemoryStorage implements Storage {
  readonly #disk: MemoryDisk;
  #isClosed = false;

  constructor(disk: MemoryDisk = newMemoryDisk()) {
    this.#disk = disk;
  }

  load(): ReturnType<Storage['load']> {
    if (this.#isClosed) throw closed();
    return { meta: this.#disk.meta, records: this.#records() };
  }

  async commit(batch: StoreBatch): Promise<void> {
    if (this.#isClosed) throw closed();
    for (const { slot, bytes } of batch.put) this.#disk.records.set(slot, seal(slot, bytes));
    for (const slot of batch.remove) this.#disk.records.delete(slot);
    this.#disk.meta = { ...batch.meta };
    // durable things take a while: no caller may rely on being resumed in the same turn
    await Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.resolve();
  }

  *#records(): Iterable<{ readonly slot: number; readonly bytes: Uint8Array }> {
    const snapshot = [...this.#disk.records].toSorted(([a], [b]) => a - b);
    for (const [slot, sealed] of snapshot) {
      const bytes = unseal(slot, sealed);
      if (bytes === null) throw new StorageCorruptError({ slot, detail: 'checksum mismatch' });
      yield { slot, bytes };
    }
  }
}

function closed(): StorageFailedError {
  return new StorageFailedError({ code: 'CLOSED', detail: 'it has been closed' });
}
