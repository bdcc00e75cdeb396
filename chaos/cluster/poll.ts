/** Waiting for something to become true, with a budget: nothing in the lab sleeps a fixed time and hopes. */
import { MACHINE_TIME } from './time.ts';
import type { Time } from './time.ts';

export interface PollOptions {
  readonly everyMs: number;
  readonly budgetMs: number;
  readonly signal?: AbortSignal;
  /** default: the machine's */
  readonly time?: Time;
}

/**
 * Asks until an answer comes that is not null.
 *
 * @returns null when the budget is spent. Throws the signal's reason when it is aborted.
 */
export async function poll<T>(ask: () => Promise<T | null>, options: PollOptions): Promise<T | null> {
  const { time = MACHINE_TIME } = options;
  const deadline = time.now() + options.budgetMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== null) return answer;
    if (time.now() >= deadline) return null;
    await time.wait(options.everyMs);
  }
}
