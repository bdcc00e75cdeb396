/** A failed run, made smaller: the fewest and shortest steps of its schedule with which a claim that it broke still breaks. */
import { shrinkSchedule } from '../schedule/shrink.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { Run } from './leave.ts';
import { run } from './run.ts';
import type { RunOptions } from './run.ts';

export interface ShrinkRunOptions extends RunOptions {
  readonly schedule: Schedule;
  /** the checkers, by name, of which one must fail again */
  readonly failed: readonly string[];
  readonly runsMax: number;
}

export interface Shrunk {
  readonly schedule: Schedule;
  readonly runs: number;
  /** the run of the smallest schedule that failed; null: nothing smaller did */
  readonly smallest: Run | null;
}

export async function shrinkRun(options: ShrinkRunOptions): Promise<Shrunk> {
  const { failed, runsMax, progress } = options;
  let smallest: Run | null = null;
  const fails = async (schedule: Schedule): Promise<boolean> => {
    options.signal.throwIfAborted();
    const ended = await run({ ...options, schedule });
    const { verdict, checks } = ended.results;
    const isSame = checks.some((check) => check.verdict === 'fail' && failed.includes(check.checker));
    progress(`${schedule.steps.length} steps: ${verdict}${isSame ? ', as before' : ''}`);
    if (isSame) smallest = ended;
    return isSame;
  };
  const { schedule, runs } = await shrinkSchedule(options.schedule, fails, { runsMax });
  return { schedule, runs, smallest };
}
