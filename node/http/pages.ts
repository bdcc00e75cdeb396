/**
 * How much memory listings take at a time. A page of large values weighs a mebibyte from the moment it is built until its
 * reader has taken it, and readers come in hundreds and may be slow. So a page is built when its turn comes, and weighs
 * on the budget what it really has until its answer is out. While others wait, a reader that takes too long is cut off.
 */
import type { ServerResponse } from 'node:http';
import { HttpProblem } from './problems.ts';

export interface PagesOptions {
  /** of one page, by the JSON text of its entries; a single entry may be larger */
  readonly pageBytesMax: number;
  /** of all pages that are built and not taken yet */
  readonly allBytesMax: number;
  /** a page is not taken from its reader sooner, ms */
  readonly patienceMs: number;
  /** longest wait for a turn, ms; then 503 */
  readonly turnMaxMs: number;
}

/** Guesses: sixteen full pages at a time; a reader gets 1 MiB through in 5 s at 1.7 Mbit/s. */
export const PAGES_DEFAULTS: PagesOptions = {
  pageBytesMax: 1_048_576,
  allBytesMax: 16_777_216,
  patienceMs: 5_000,
  turnMaxMs: 15_000,
};

interface Held {
  readonly response: ServerResponse;
  readonly since: number;
  bytes: number;
}

export class Pages {
  readonly #options: PagesOptions;
  /** oldest first */
  readonly #held = new Set<Held>();
  #bytes = 0;
  /** first come, first served */
  readonly #turns: (() => void)[] = [];
  #isWatching = false;

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  get bytesMax(): number {
    return this.#options.pageBytesMax;
  }

  /**
   * Waits for the turn of a page that will leave as this answer.
   *
   * @returns says what the page really weighs, once it is built
   * @throws HttpProblem when its turn does not come in time
   */
  async turn(response: ServerResponse): Promise<(bytes: number) => void> {
    const isFree = this.#turns.length === 0 && this.#hasRoom();
    const held = isFree ? this.#take(response) : await this.#wait(response);
    const release = (): void => {
      this.#weigh(held, 0);
      this.#held.delete(held);
    };
    if (response.destroyed) release();
    else response.once('close', release);
    return (bytes) => {
      if (this.#held.has(held)) this.#weigh(held, bytes);
    };
  }

  #take(response: ServerResponse): Held {
    const held: Held = { response, since: performance.now(), bytes: this.#options.pageBytesMax };
    this.#held.add(held);
    this.#bytes += held.bytes;
    return held;
  }

  #weigh(held: Held, bytes: number): void {
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
    while (this.#hasRoom()) {
      const next = this.#turns.shift();
      if (next === undefined) return;
      next();
    }
  }

  /** A single page that is larger than all of the budget still has its turn. */
  #hasRoom(): boolean {
    return this.#bytes === 0 || this.#bytes + this.#options.pageBytesMax <= this.#options.allBytesMax;
  }

  #wait(response: ServerResponse): Promise<Held> {
    const { promise, resolve, reject } = Promise.withResolvers<Held>();
    const turn = (): void => {
      clearTimeout(lateness);
      resolve(this.#take(response));
    };
    const lateness = setTimeout(() => {
      this.#turns.splice(this.#turns.indexOf(turn), 1);
      reject(
        new HttpProblem('unavailable', 'Too many listings are being read at once; ask for this page again.', {
          headers: { 'Retry-After': '1' },
        }),
      );
    }, this.#options.turnMaxMs).unref();
    this.#turns.push(turn);
    this.#watch();
    return promise;
  }

  /** While somebody waits, whoever has had a page for long enough loses it. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    setTimeout(() => {
      this.#isWatching = false;
      if (this.#turns.length === 0) return;
      const [oldest] = this.#held;
      if (oldest !== undefined && performance.now() - oldest.since >= this.#options.patienceMs)
        oldest.response.destroy();
      this.#watch();
    }, this.#options.patienceMs / 10).unref();
  }
}
