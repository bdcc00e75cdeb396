/**
 * The time that a run goes by: the machine's own in the real worlds, virtual in the simulated one. Whatever waits or
 * stamps in a run asks this, so that the same code plays in all three.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Time {
  /** monotonic, in ms */
  now(): number;
  /** ms since the epoch */
  epochMs(): number;
  wait(ms: number): Promise<void>;
}

export const MACHINE_TIME: Time = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  wait: (ms) => delay(ms),
};
