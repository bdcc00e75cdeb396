/**
 * Records that were refused because their stamps are too far ahead of this clock, or because there is no room for them. They are
 * remembered until they may be taken, so that nobody is asked for them again before: a member whose clock is wrong, or that has more
 * room, would send the same megabytes in every session.
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
  /** wall clock, ms, from which it may be taken; Infinity: when there is room */
  readonly from: number;
}

export class Refusals {
  readonly #aheadMaxMs: number;
  readonly #refused = new Map<RecordId, Refused>();
  readonly #shorts = new Set<ShortId>();
  #dots = new VersionVector();
  /** of those for which there was no room, more than are remembered too */
  #crowdedOut = new VersionVector();
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

  /** Its stamp is too far ahead. @returns whether it is new */
  note(record: SignedRecord, short: ShortId): boolean {
    return this.#note(record, short, record.stamp.wallMs - this.#aheadMaxMs);
  }

  /** There is no room for it. @returns whether it is new */
  noteCrowdedOut(record: SignedRecord, short: ShortId): boolean {
    const isNew = !this.#crowdedOut.has(record.dot);
    this.#crowdedOut.add(record.dot);
    this.#dots.add(record.dot);
    this.#note(record, short, Infinity);
    return isNew;
  }

  /** Something is missing here for want of room. */
  get hasCrowdedOut(): boolean {
    return this.#crowdedOut.count > 0;
  }

  /** There is room again, or nothing is missing any more. */
  forgetCrowdedOut(): void {
    this.#crowdedOut = new VersionVector();
    for (const [id, { from }] of this.#refused) if (from === Infinity) this.#refused.delete(id);
    this.#recount();
  }

  #note({ id, dot }: SignedRecord, short: ShortId, from: number): boolean {
    if (this.#refused.has(id)) return false;
    if (this.#refused.size >= KEPT_MAX) return true;
    this.#refused.set(id, { record: { dot }, short, from });
    this.#shorts.add(short);
    this.#dots.add(dot);
    this.#nextFrom = Math.min(this.#nextFrom, from);
    return true;
  }

  /** @returns whether something may be taken now that could not before */
  expire(wallMs: number): boolean {
    if (wallMs < this.#nextFrom) return false;
    for (const [id, { from }] of this.#refused) if (wallMs >= from) this.#refused.delete(id);
    this.#recount();
    return true;
  }

  #recount(): void {
    this.#dots = this.#crowdedOut.clone();
    this.#shorts.clear();
    this.#nextFrom = Infinity;
    for (const { record, short, from } of this.#refused.values()) {
      this.#dots.add(record.dot);
      this.#shorts.add(short);
      this.#nextFrom = Math.min(this.#nextFrom, from);
    }
  }
}
