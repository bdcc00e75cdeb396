/**
 * What will happen in a run, as plain data: which clients ask how often, and which faults strike when, and for how long. A
 * seed makes one; it is written beside the history, played again, and shrunk. A fault carries its own length, so that
 * leaving a step out takes its end away as well. Times are ms since the steady state.
 */
import { z } from 'zod';
import { FaultSpec } from '../faults/spec.ts';

/** A day; a hold is bounded by the faults' own time-to-live as well. */
const MS_MAX = 86_400_000;
const STEPS_MAX = 10_000;
const NODES_MAX = 20;

const ms = z.number().min(0).max(MS_MAX);
const everyMs = z.number().min(10).max(MS_MAX);
const node = z.string().min(1).max(63);

const when = { id: z.int().min(0).max(STEPS_MAX), at: ms, holdMs: ms };
export const Step = z.discriminatedUnion('do', [
  z.strictObject({ ...when, do: z.literal('fault'), spec: FaultSpec }).readonly(),
  /** the operator forces this lung on a node, and gives the choice back */
  z.strictObject({ ...when, do: z.literal('force'), node, mode: z.enum(['P2P', 'HTTP']) }).readonly(),
]);
export type Step = z.infer<typeof Step>;

/** What clients do, and how often, each at every node; what is absent is not done. */
const Workloads = z
  .strictObject({
    /** always there: how the end is reached is told by it */
    facts: z.strictObject({ writeEveryMs: everyMs, readEveryMs: everyMs }).readonly(),
    registers: z.strictObject({ writeEveryMs: everyMs, readEveryMs: everyMs }).readonly().optional(),
    bank: z.strictObject({ everyMs }).readonly().optional(),
    shared: z.strictObject({ everyMs }).readonly().optional(),
    bulk: z
      .strictObject({ everyMs, size: z.int().min(1).max(1_000) })
      .readonly()
      .optional(),
  })
  .readonly();
export type Workloads = z.infer<typeof Workloads>;

export const Schedule = z
  .strictObject({
    version: z.literal(1),
    seed: z.int().min(0).max(0xffff_ffff),
    nodes: z.array(node).min(2).max(NODES_MAX).readonly(),
    workloads: Workloads,
    /** how often every node is asked for its status */
    statusEveryMs: everyMs,
    /** from the last heal to P2P everywhere and equal roots; null: there is no budget for what happened */
    recoveryBudgetMs: ms.nullable(),
    /** by time */
    steps: z.array(Step).max(STEPS_MAX).readonly(),
  })
  .readonly();
export type Schedule = z.infer<typeof Schedule>;

/** When the last step ends. */
export function endOf({ steps }: Pick<Schedule, 'steps'>): number {
  return Math.max(0, ...steps.map(({ at, holdMs }) => at + holdMs));
}
