/** Waiting: for something to become true, timed; or for the next turn of a loop, which an abort cuts short. */
import { setTimeout as sleep } from 'node:timers/promises';
import { poll } from '../cluster/poll.ts';
import type { PollOptions } from '../cluster/poll.ts';

/** @returns ms until `holds` was true, null when the budget ended first. Throws the signal's reason when aborted. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  options: PollOptions,
): Promise<number | null> {
  const startedAt = performance.now();
  return poll(async () => ((await holds()) ? performance.now() - startedAt : null), options);
}

/** Ends early, without an error, when aborted: loops look at the signal themselves. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
