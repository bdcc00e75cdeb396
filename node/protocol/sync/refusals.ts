/**
 * Records that were refused because their stamps are too far ahead of this clock. They are remembered until they may be taken, so
 * that nobody is asked for them again before: a member whose clock is wrong would send the same megabytes in every session.
 */
import type { RecordId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';
import type { ShortId } from '../state/sketch/short-id.ts';
import { VersionVector } from '../state/version-vector.ts';

/** Records remembered; some 20 MB. Beyond, they are refused each time they come. */
const KEPT_MAX = 100_000;

interface Refused {
  readonly record: Pick<SignedRecord, 'dot'>;
  readonly short: ShortId;
  /** wall clock, ms, from which it may be taken */
  readonly from: number;
}

export class Refusals {
  readonly #aheadMaxMs: number;
  readonly #refused = new Map<RecordId, Refused>();
  readonly #shorts = new Set<ShortId>();
  #dots = new VersionVector();
  /** the first of them may be taken then */
  #nextFrom = Infinity;

  /** @param aheadMaxMs how far a stamp may be ahead */
  constructor(aheadMaxMs: number) {
    this.#aheadMaxMs = aheadMaxMs;
  }

  /** Of all that is refused for now. */
  get dots(): VersionVector {
    return this.#dots;
  }

  has(id: RecordId): boolean {
    return this.#refused.has(id);
  }

  hasShort(short: ShortId): boolean {
    return this.#shorts.has(short);
  }

  /** @returns whether it is new */
  note({ id, dot, stamp }: SignedRecord, short: ShortId): boolean {
    if (this.#refused.has(id)) return false;
    if (this.#refused.size >= KEPT_MAX) return true;
    const from = stamp.wallMs - this.#aheadMaxMs;
    this.#refused.set(id, { record: { dot }, short, from });
    this.#shorts.add(short);
    this.#dots.add(dot);
    this.#nextFrom = Math.min(this.#nextFrom, from);
    return true;
  }

  /** @returns whether something may be taken now that could not before */
  expire(wallMs: number): boolean {
    if (wallMs < this.#nextFrom) return false;
    this.#dots = new VersionVector();
    this.#shorts.clear();
    this.#nextFrom = Infinity;
    for (const [id, { record, short, from }] of this.#refused) {
      if (wallMs >= from) {
        this.#refused.delete(id);
        continue;
      }
      this.#dots.add(record.dot);
      this.#shorts.add(short);
      this.#nextFrom = Math.min(this.#nextFrom, from);
    }
    return true;
  }
}
