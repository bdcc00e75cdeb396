/**
 * Which requests are fresh: their time is near our own and their nonce was not seen. Nonces are kept in buckets by the
 * time that their request claims, so that forgetting is dropping a bucket: what could still be fresh is always remembered.
 * Only requests with a right MAC come here, so strangers cannot fill it.
 */
export interface NonceOptions {
  /** how far a request's time may be from ours; 120000 ms (a guess: clocks without NTP drift by seconds a day) */
  readonly skewMsMax: number;
  /** remembered at most, about 100 bytes each; 100000 is 400 requests a second for the 240 s that count */
  readonly noncesMax: number;
}

const BUCKETS_PER_WINDOW = 4;

export class Nonces {
  readonly #options: NonceOptions;
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, Set<string>>();
  #count = 0;
  /** times before this are stale whatever the clock says: their nonces are forgotten */
  #freshFrom = Number.NEGATIVE_INFINITY;

  constructor(options: NonceOptions) {
    this.#options = options;
    this.#bucketMs = Math.ceil(options.skewMsMax / BUCKETS_PER_WINDOW);
  }

  /**
   * @param time ms, as the request claims
   * @param now ms, our own, never going back
   */
  admit(time: number, nonce: string, now: number): 'fresh' | 'stale' | 'replayed' {
    this.#forgetBefore(now - this.#options.skewMsMax);
    if (Math.abs(time - now) > this.#options.skewMsMax || time < this.#freshFrom) return 'stale';
    const index = Math.floor(time / this.#bucketMs);
    const bucket = this.#buckets.get(index) ?? new Set<string>();
    if (bucket.has(nonce)) return 'replayed';
    this.#buckets.set(index, bucket.add(nonce));
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
    this.#count -= this.#buckets.get(index)?.size ?? 0;
    this.#buckets.delete(index);
    this.#freshFrom = Math.max(this.#freshFrom, (index + 1) * this.#bucketMs);
  }
}
