/**
 * Hybrid logical clock: a stamp that stays close to wall time, and that is greater than every stamp its maker had seen.
 *
 * Only writes carry stamps, so hearing of a stamp raises the clock without counting as an event of its own: learning
 * a hundred thousand records within one millisecond moves nobody's clock ahead.
 *
 * @see Kulkarni, Demirbas, Madappa, Avva, Leone: Logical Physical Clocks and Consistent Snapshots in Globally
 *   Distributed Databases, 2014, figure 5
 */
export interface Stamp {
  /** ms since the epoch, below 2^48 */
  readonly wallMs: number;
  /** orders stamps of one millisecond, 0 to 65535 */
  readonly counter: number;
}

export const COUNTER_MAX = 0xffff;
export const STAMP_ZERO: Stamp = { wallMs: 0, counter: 0 };

export function compareStamps(a: Stamp, b: Stamp): number {
  return a.wallMs - b.wallMs || a.counter - b.counter;
}

/** The stamp of an own write: greater than `last`, and not below the wall clock. */
export function tick(last: Stamp, wallMs: number): Stamp {
  if (wallMs > last.wallMs) return { wallMs, counter: 0 };
  if (last.counter < COUNTER_MAX) return { wallMs: last.wallMs, counter: last.counter + 1 };
  return { wallMs: last.wallMs + 1, counter: 0 };
}

/** The clock after a stamp was heard: the greatest of the own clock, the stamp and the wall clock. */
export function observe(last: Stamp, remote: Stamp, wallMs: number): Stamp {
  const greatest = compareStamps(remote, last) > 0 ? remote : last;
  return wallMs > greatest.wallMs ? { wallMs, counter: 0 } : greatest;
}

/**
 * A stamp that far in the future would own its key until the world has caught up.
 *
 * @param wallMs the receiver's wall clock
 */
export function isTooFarAhead(stamp: Stamp, wallMs: number, aheadMaxMs: number): boolean {
  return stamp.wallMs > wallMs + aheadMaxMs;
}
