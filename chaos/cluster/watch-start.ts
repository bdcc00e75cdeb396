/** A node that comes up, seen from outside: first it lives, and some moments later it serves. */
import { LatticeClient } from './client.ts';
import { poll } from './poll.ts';
import type { StartReport } from './port.ts';

const ANSWER_LIMIT_MS = 1_000;

export interface StartWatch {
  readonly url: () => string;
  /** looked at between two questions; a string ends the watch */
  readonly over: () => Promise<string | null>;
  /** the error of a measured start */
  readonly everyMs: number;
  readonly budgetMs: number;
}

/** @returns when it was first seen to live and to serve; what `over` said; null when the budget is spent */
export async function watchStart(
  watch: StartWatch,
): Promise<Omit<StartReport, 'launchedAt'> | string | null> {
  const client = new LatticeClient(watch.url, null, { timeoutMs: ANSWER_LIMIT_MS });
  let answersAt: number | null = null;
  try {
    return await poll(async () => {
      if (answersAt === null && (await client.isHealthy())) answersAt = Date.now();
      if (answersAt !== null && (await client.isServing())) return { answersAt, servesAt: Date.now() };
      return watch.over();
    }, watch);
  } finally {
    client.close();
  }
}
