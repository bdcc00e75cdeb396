/**
 * Whether a member may hold its answers. A proxy between may end whatever waits for longer than it likes; the member
 * then seems to fail though it answers every question that can be answered at once.
 *
 *   a held poll is cut off ──asked plainly, at once──▶ answered: it was the waiting    silent: the member's own trouble
 *   3 times in a row ──▶ plain polls for a minute, then one held poll: carried ──▶ held again    cut off ──▶ another minute
 *
 * Plain polls come at growing distances while nothing changes, and never further apart than held ones would.
 */
export interface HoldingOptions {
  /** held polls cut off in a row after which polls are plain; default 3 (a guess; connections break for other reasons too) */
  readonly cutsMax: number;
  /** ms of plain polls until a held one is tried again; default 60000, ±25 % (a try costs one poll that is cut off) */
  readonly againMs: number;
  /** first distance of plain polls, doubling, ms, ±25 %; default 100 (a guess: a few round trips) */
  readonly pauseMs: number;
}

export const HOLDING_DEFAULTS: HoldingOptions = { cutsMax: 3, againMs: 60_000, pauseMs: 100 };

export class Holding {
  readonly #options: HoldingOptions;
  readonly #rng: () => number;
  #cuts = 0;
  #plainUntil = -Infinity;
  #isPlain = false;
  #pauseMs: number;

  /** @param rng in [0, 1) */
  constructor(options: HoldingOptions, rng: () => number) {
    this.#options = options;
    this.#rng = rng;
    this.#pauseMs = options.pauseMs;
  }

  isAllowed(now: number): boolean {
    return now >= this.#plainUntil;
  }

  /**
   * A held poll was answered.
   * @returns whether that ends a time of plain polls
   */
  carried(): boolean {
    const ended = this.#isPlain;
    this.#cuts = 0;
    this.#isPlain = false;
    return ended;
  }

  /**
   * A held poll was cut off, and the member answered a plain one right after.
   * @returns whether that begins a time of plain polls
   */
  cut(now: number): boolean {
    this.#cuts += 1;
    if (!this.#isPlain && this.#cuts < this.#options.cutsMax) return false;
    const begun = !this.#isPlain;
    this.#isPlain = true;
    this.#plainUntil = now + this.#jittered(this.#options.againMs);
    this.#pauseMs = this.#options.pauseMs;
    return begun;
  }

  /** @param waitMs what a held poll would wait at most */
  pauseMs(waitMs: number): number {
    return Math.min(this.#jittered(this.#pauseMs), waitMs);
  }

  /** A plain poll was answered. */
  answeredPlainly(isUnlike: boolean, waitMs: number): void {
    this.#pauseMs = isUnlike ? this.#options.pauseMs : Math.min(this.#pauseMs * 2, waitMs);
  }

  #jittered(ms: number): number {
    return ms * (0.75 + this.#rng() / 2);
  }
}
