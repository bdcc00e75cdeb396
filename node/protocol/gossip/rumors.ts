/**
 * Rumor mongering: fresh records leave in batches. The first goes at once, those that follow within the gap leave together
 * with the next batch, so that a quiet node is quick and a busy one sends few messages.
 */
import type { SignedRecord } from '../state/record.ts';
import { WaitingRecords } from './waiting.ts';

export interface RumorsOptions {
  /**
   * Least time between two batches, in ms; default 20. Measured: one gossip message costs every node 1.5–2.8 ms of CPU, so
   * five writers on two cores saturate at 200–400 messages/s; 20 ms makes it 50 per writer. Raising it adds latency under load.
   */
  readonly gapMs: number;
  /** Bytes of records in one batch; default 256 KiB. */
  readonly batchBytesMax: number;
  /** Records that wait at most; beyond, the oldest are left to anti-entropy. Default 20000. */
  readonly waitingMax: number;
  /** Their bytes at most; default 8 MiB, as gossip's own buffer for a member. Writes of 60 KB outrun a busy machine's gossip. */
  readonly waitingBytesMax: number;
}

export const RUMORS_DEFAULTS: RumorsOptions = {
  gapMs: 20,
  batchBytesMax: 262_144,
  waitingMax: 20_000,
  waitingBytesMax: 8_388_608,
};

export class Rumors {
  readonly #options: RumorsOptions;
  readonly #waiting: WaitingRecords;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(options: RumorsOptions) {
    this.#options = options;
    this.#waiting = new WaitingRecords(options);
  }

  offer(records: readonly SignedRecord[]): void {
    this.#waiting.push(records);
  }

  /**
   * @param now ms, monotonic
   * @returns the batch to publish now (null: none), and in how many ms to come back (null: nothing waits)
   */
  due(now: number): { readonly batch: readonly SignedRecord[] | null; readonly againMs: number | null } {
    if (this.#waiting.length === 0) return { batch: null, againMs: null };
    const waitMs = this.#lastAt + this.#options.gapMs - now;
    if (waitMs > 0) return { batch: null, againMs: waitMs };
    this.#lastAt = now;
    const batch = this.#waiting.take(this.#options.batchBytesMax);
    return { batch, againMs: this.#waiting.length > 0 ? this.#options.gapMs : null };
  }

  /** Nobody hears gossip now: what waits is left to anti-entropy. */
  clear(): void {
    this.#waiting.clear();
  }
}
