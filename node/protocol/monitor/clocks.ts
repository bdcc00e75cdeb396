/**
 * Is our own clock sane? Judged against the peers that told theirs lately: the median of all clocks, ours included, is taken for the
 * time (the lower one of two, so that of two nodes the one ahead is at fault: a clock ahead can own a key, one behind cannot).
 *
 * @see Lamport, Melliar-Smith 1985: with fewer than half of the clocks bad the median is between good ones
 */
export interface ClockVerdict {
  readonly isSane: boolean;
  /** ours minus the median, ms */
  readonly offsetMs: number;
}

/**
 * @param peerOffsetsMs each peer's clock minus ours
 * @param limitMs further than this from the median is bad, either way
 */
export function judgeClock(peerOffsetsMs: readonly number[], limitMs: number): ClockVerdict {
  const clocks = [0, ...peerOffsetsMs].toSorted((a, b) => a - b);
  const median = clocks[Math.floor((clocks.length - 1) / 2)] ?? 0;
  return { isSane: Math.abs(median) <= limitMs, offsetMs: median === 0 ? 0 : -median };
}
