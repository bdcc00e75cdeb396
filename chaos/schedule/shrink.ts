/**
 * The smallest schedule that still fails: steps are left out in ever smaller pieces, and what is left is made shorter.
 *
 * @see Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, IEEE TSE 2002
 */
import type { Schedule, Step } from './schedule.ts';

export interface ShrinkOptions {
  /** A run takes half a minute on containers, and a millisecond in a test. */
  readonly runsMax: number;
  readonly onProgress?: (smallest: Schedule, runs: number) => void;
}

export interface Shrunk {
  readonly schedule: Schedule;
  readonly runs: number;
}

/** Faults below this are not made shorter: nobody notices them. */
const SHORT_MS = 500;

/**
 * @param fails whether the schedule fails as the first one did; asked for each candidate, never for the first one
 * @returns the schedule itself where nothing can be left out
 */
export async function shrinkSchedule(
  schedule: Schedule,
  fails: (candidate: Schedule) => Promise<boolean>,
  { runsMax, onProgress = () => {} }: ShrinkOptions,
): Promise<Shrunk> {
  let best = schedule;
  let runs = 0;
  const accept = async (steps: readonly Step[]): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs += 1;
    const candidate: Schedule = { ...best, steps };
    if (!(await fails(candidate))) return false;
    best = candidate;
    onProgress(best, runs);
    return true;
  };
  for (let before = ''; before !== JSON.stringify(best) && runs < runsMax;) {
    before = JSON.stringify(best);
    await dropSteps(() => best.steps, accept);
    await shorten(() => best.steps, accept);
  }
  return { schedule: best, runs };
}

type Accept = (steps: readonly Step[]) => Promise<boolean>;

/** ddmin: halves, then quarters, down to single steps. */
async function dropSteps(steps: () => readonly Step[], accept: Accept): Promise<void> {
  for (let size = Math.ceil(steps().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps().length;) {
      const rest = steps().filter((_, i) => i < at || i >= at + size);
      if (!(await accept(rest))) at += size;
    }
  }
}

async function shorten(steps: () => readonly Step[], accept: Accept): Promise<void> {
  for (let at = 0; at < steps().length; at += 1) {
    for (let step = steps()[at]; step !== undefined && step.holdMs >= 2 * SHORT_MS; step = steps()[at]) {
      const shorter = { ...step, holdMs: Math.round(step.holdMs / 2) };
      if (!(await accept(steps().with(at, shorter)))) break;
    }
  }
}
