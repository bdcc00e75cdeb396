/**
 * How late this process is, told by its own timers: each that fires says by how much. On a machine that has more to do than it can, all
 * wait for the processor, and whoever knows that waits for others longer and asks for less at once. No timer of its own, so that an idle node
 * is not woken for it.
 *
 * What counts is the worst of late, forgotten by half every second.
 */
import type { Clock } from '../ports.ts';

export interface WatchedClock extends Clock {
  lagMs(): number;
}

const HALF_LIFE_MS = 1_000;
/** Longer is a process that was stopped, and no busier than others once it goes on. */
const LAG_MS_MAX = 2_000;

export function watchedClock(clock: Clock): WatchedClock {
  let peakMs = 0;
  let peakAt = 0;
  const lagAt = (now: number): number => peakMs * 2 ** ((peakAt - now) / HALF_LIFE_MS);
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (ms, run) => {
      const dueAt = clock.monotonicMs() + ms;
      return clock.after(ms, () => {
        const now = clock.monotonicMs();
        const lateMs = Math.min(now - dueAt, LAG_MS_MAX);
        if (lateMs > lagAt(now)) {
          peakMs = lateMs;
          peakAt = now;
        }
        run();
      });
    },
    lagMs: () => lagAt(clock.monotonicMs()),
  };
}
