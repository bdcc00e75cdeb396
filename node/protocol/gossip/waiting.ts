/**
 * Records that wait to be sent, oldest first: so many at most, and so many bytes, since one record may be two hundred times as large as
 * another. What is beyond goes, the oldest first, and is left to anti-entropy.
 */
import type { SignedRecord } from '../state/record.ts';
import { countThatFits } from './batch.ts';

export interface WaitingLimits {
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
}

export class WaitingRecords {
  readonly #limits: WaitingLimits;
  #records: SignedRecord[] = [];
  #bytes = 0;

  constructor(limits: WaitingLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#records.length;
  }

  push(records: readonly SignedRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += record.bytes.length;
    }
    const { waitingMax, waitingBytesMax } = this.#limits;
    let excess = Math.max(0, this.#records.length - waitingMax);
    let left = this.#bytes;
    for (let at = 0; at < this.#records.length && (at < excess || left > waitingBytesMax); at += 1) {
      left -= this.#records[at]?.bytes.length ?? 0;
      excess = Math.max(excess, at + 1);
    }
    this.#bytes = left;
    if (excess > 0) this.#records.splice(0, excess);
  }

  /** The oldest that fit into a message, one at least where any waits. */
  take(bytesMax: number): readonly SignedRecord[] {
    const taken = this.#records.splice(0, countThatFits(this.#records, bytesMax));
    for (const { bytes } of taken) this.#bytes -= bytes.length;
    return taken;
  }

  clear(): void {
    this.#records = [];
    this.#bytes = 0;
  }
}
