/** Waiting for something to become true, with a budget: nothing in the lab sleeps a fixed time and hopes. */
import { setTimeout as delay } from 'node:timers/promises';

export interface PollOptions {
  readonly everyMs: number;
  readonly budgetMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks until an answer comes that is not null.
 *
 * @returns null when the budget is spent. Throws the signal's reason when it is aborted.
 */
export async function poll<T>(ask: () => Promise<T | null>, options: PollOptions): Promise<T | null> {
  const deadline = performance.now() + options.budgetMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() >= deadline) return null;
    await delay(options.everyMs);
  }
}
