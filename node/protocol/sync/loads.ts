/**
 * How much one exchange with a member may carry over one lung, each way. A slow line, and a proxy between that takes bodies up
 * to some size, show in the same way: large messages do not arrive. Sizes shrink until they do, and grow again slowly.
 *
 *   refused for its size (413)        half of what was sent, held for a minute, twice as long each time
 *   cut off                           a quarter, both ways; held as well where something had passed since the last failure
 *   no answer in time                 a quarter, both ways, never below what any line carries within an exchange
 *   a message near its size passed    twice as much, once nothing is held
 *
 * A single record that does not pass is left out while it is held, so that the others go on.
 */
import { PULL_BYTES_MAX, PUSH_BYTES_MAX } from './messages.ts';

/** What was sent in one message: bytes of records, and how many. */
export interface Load {
  readonly bytes: number;
  readonly records: number;
}

/** What the lung knows: somebody between said that it is too large; it was cut off, perhaps for that; nothing. */
export type SizeDoubt = 'refused' | 'cut' | null;

/** Messages of so many bytes do not pass; `isRecord`: it was one record, which stays behind. */
export interface Limited {
  readonly bytes: number;
  readonly isRecord: boolean;
}

/** 64 KiB goes over any line within the time of an exchange. */
const LINE_MIN = 65_536;
/** A record of the usual size still fits. A guess: no proxy is known to take less. */
const LOAD_MIN = 4_096;
const HOLD_MIN_MS = 60_000;
const HOLD_MAX_MS = 600_000;
/** Cuts in a row, and the time between the first and the last, after which one record counts as too large: a lung that is cut is dead by then. */
const SINGLE_CUTS = 3;
const SINGLE_CUTS_MS = 2_000;

export class Loads {
  #pull = PULL_BYTES_MAX;
  #push = PUSH_BYTES_MAX;
  #recordMax = Infinity;
  #heldUntil = 0;
  #holdMs = HOLD_MIN_MS;
  /** something passed since the last failure */
  #hasPassed = false;
  #singles = { cuts: 0, since: 0 };
  /** told since everything passed */
  #told = { message: false, record: false };

  /** Bytes of records to ask for. */
  get pull(): number {
    return this.#pull;
  }

  /** Bytes of records to send in one message, one record at least. */
  get push(): number {
    return this.#push;
  }

  mayCarry(recordBytes: number): boolean {
    return recordBytes <= this.#recordMax;
  }

  /**
   * An exchange ended well.
   *
   * @param pulled bytes of records in the reply
   * @param now ms, monotonic
   */
  passed(sent: Load, pulled: number, now: number): void {
    this.#hasPassed = true;
    if (sent.records > 0) this.#singles.cuts = 0;
    if (now < this.#heldUntil) return;
    this.#recordMax = Infinity;
    if (2 * sent.bytes >= this.#push) this.#push = Math.min(2 * this.#push, PUSH_BYTES_MAX);
    if (2 * pulled >= this.#pull) this.#pull = Math.min(2 * this.#pull, PULL_BYTES_MAX);
    if (this.#push < PUSH_BYTES_MAX) return;
    this.#holdMs = HOLD_MIN_MS;
    this.#told = { message: false, record: false };
  }

  /** @returns what an operator should hear of, once; null: nothing new */
  failed(sent: Load, doubt: SizeDoubt, now: number): Limited | null {
    const isHeld = doubt === 'refused' || (doubt === 'cut' && this.#hasPassed);
    this.#hasPassed = false;
    const least = doubt === null ? LINE_MIN : LOAD_MIN;
    if (doubt !== 'refused') this.#pull = Math.min(this.#pull, Math.max(least, this.#pull / 4));
    const share = doubt === 'refused' ? 2 : 4;
    if (sent.bytes > least)
      this.#push = Math.min(this.#push, Math.max(least, Math.floor(sent.bytes / share)));
    if (isHeld) this.#hold(now);
    if (sent.records === 0 || doubt === null) return null;
    const isRecord = sent.records === 1 && (doubt === 'refused' || this.#isCutAgain(now));
    if (isRecord) {
      this.#hold(now);
      this.#recordMax = Math.min(this.#recordMax, sent.bytes - 1);
    }
    return isHeld || isRecord ? this.#tell({ bytes: sent.bytes, isRecord }) : null;
  }

  /** The lung was gone and is back: what failed meanwhile says nothing of sizes. */
  renew(): void {
    this.#singles.cuts = 0;
    this.#recordMax = Infinity;
    this.#heldUntil = 0;
  }

  #isCutAgain(now: number): boolean {
    if (this.#singles.cuts === 0) this.#singles.since = now;
    this.#singles.cuts += 1;
    return this.#singles.cuts >= SINGLE_CUTS && now - this.#singles.since >= SINGLE_CUTS_MS;
  }

  /** Several questions may have been under way: one hold is enough. */
  #hold(now: number): void {
    if (now < this.#heldUntil) return;
    this.#heldUntil = now + this.#holdMs;
    this.#holdMs = Math.min(2 * this.#holdMs, HOLD_MAX_MS);
  }

  #tell(limited: Limited): Limited | null {
    const what = limited.isRecord ? 'record' : 'message';
    if (this.#told[what]) return null;
    this.#told[what] = true;
    return limited;
  }
}
