/** A small schedule for tests: three nodes, unique facts, and these steps. */
import type { Schedule, Step } from '../schedule.ts';

export const NODES = ['node1', 'node2', 'node3'];

export function scheduleOf(steps: readonly Step[]): Schedule {
  return {
    version: 1,
    seed: 7,
    nodes: NODES,
    workloads: { facts: { writeEveryMs: 250, readEveryMs: 40 } },
    statusEveryMs: 40,
    recoveryBudgetMs: null,
    steps,
  };
}
