/**
 * Which requests are fresh: their time is near our own and their nonce was not seen. Nonces are kept in buckets by the
 * time that their request claims, so that forgetting is dropping a bucket: what could still be fresh is always remembered.
 * Only requests with a right MAC come here, so strangers cannot fill it; and no member can fill it for the others.
 */
import type { NodeId } from '../../protocol/ids.ts';

export interface NonceOptions {
  /** how far a request's time may be from ours; 120000 ms (a guess: clocks without NTP drift by seconds a day) */
  readonly skewMsMax: number;
  /** remembered at most, about 100 bytes each; 100000 is 400 requests a second for the 240 s that count */
  readonly noncesMax: number;
  /** of these, of one member; 40000 is 330 requests a second for the 120 s that a right clock's count */
  readonly noncesPerMemberMax: number;
}

/** what is known of a request that has the right MAC */
export interface Freshness {
  readonly member: NodeId;
  /** ms, as the request claims */
  readonly time: number;
  readonly nonce: string;
}

/** A bucket is a second at the default skew: so little is lost when all are too many. */
const BUCKETS_PER_WINDOW = 120;

export class Nonces {
  readonly #options: NonceOptions;
  readonly #bucketMs: number;
  /** of each bucket, whose nonces they are */
  readonly #buckets = new Map<number, Map<string, NodeId>>();
  readonly #countOf = new Map<NodeId, number>();
  #count = 0;
  /** times before this are stale whatever the clock says: their nonces are forgotten */
  #freshFrom = Number.NEGATIVE_INFINITY;

  constructor(options: NonceOptions) {
    this.#options = options;
    this.#bucketMs = Math.ceil(options.skewMsMax / BUCKETS_PER_WINDOW);
  }

  /**
   * @param now ms, our own, never going back
   * @returns 'crowded' when this member has too many remembered; it is not admitted, and nothing is forgotten for it
   */
  admit({ member, time, nonce }: Freshness, now: number): 'fresh' | 'stale' | 'replayed' | 'crowded' {
    this.#forgetBefore(now - this.#options.skewMsMax);
    if (Math.abs(time - now) > this.#options.skewMsMax || time < this.#freshFrom) return 'stale';
    const index = Math.floor(time / this.#bucketMs);
    const bucket = this.#buckets.get(index) ?? new Map<string, NodeId>();
    if (bucket.has(nonce)) return 'replayed';
    const ofMember = this.#countOf.get(member) ?? 0;
    if (ofMember >= this.#options.noncesPerMemberMax) return 'crowded';
    this.#buckets.set(index, bucket.set(nonce, member));
    this.#countOf.set(member, ofMember + 1);
    this.#count += 1;
    if (this.#count > this.#options.noncesMax) this.#forgetOldest();
    return 'fresh';
  }

  get size(): number {
    return this.#count;
  }

  #forgetBefore(time: number): void {
    for (const index of this.#buckets.keys()) {
      if ((index + 1) * this.#bucketMs <= time) this.#forget(index);
    }
  }

  /** Too many to remember: the window narrows, so that nothing forgotten can be replayed. */
  #forgetOldest(): void {
    this.#forget(Math.min(...this.#buckets.keys()));
  }

  #forget(index: number): void {
    for (const member of this.#buckets.get(index)?.values() ?? []) {
      this.#count -= 1;
      const left = (this.#countOf.get(member) ?? 1) - 1;
      if (left > 0) this.#countOf.set(member, left);
      else this.#countOf.delete(member);
    }
    this.#buckets.delete(index);
    this.#freshFrom = Math.max(this.#freshFrom, (index + 1) * this.#bucketMs);
  }
}
