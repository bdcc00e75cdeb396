/**
 * A scenario that is a schedule: say whom the seed strikes with what, and when, and the rest is the same for all. Every
 * scenario is judged by the promises that always hold, and by those checkers that it names besides.
 */
import { availability } from '../checkers/availability.ts';
import { budgets } from '../checkers/budgets.ts';
import type { Checker } from '../checkers/checker.ts';
import { convergence } from '../checkers/convergence.ts';
import { honestRoot } from '../checkers/honest-root.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import { monotonicReads } from '../checkers/monotonic-reads.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { playSchedule } from '../schedule/play.ts';
import type { Schedule, Step, Workloads } from '../schedule/schedule.ts';
import { seeded, shuffled } from '../schedule/seeded.ts';
import type { Scenario, ScheduleOptions } from './scenario.ts';

export interface Scheduled {
  readonly name: string;
  readonly says: string;
  /** besides facts and registers, which are always there */
  readonly clients?: Partial<Workloads>;
  /** besides those that always judge */
  readonly checkers?: readonly Checker[];
  /** from the last heal to P2P everywhere and equal roots; DESIGN section 8 has it for a lifted block */
  readonly recoveryBudgetMs?: number;
  /** how often every node is asked for its status: the error of every measured change of mode; default 40 ms */
  readonly statusEveryMs?: number;
  /** in any order */
  readonly steps: (cast: Cast) => readonly Strike[];
}

/** Who plays: the nodes in the order in which the seed has put them. */
interface Cast extends ScheduleOptions {
  /** as the cluster names them, shuffled by the seed */
  readonly nodes: readonly string[];
  /** the first of them */
  readonly victim: string;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
}

/** Times are ms since the steady state. */
type Strike = { readonly at: number; readonly holdMs: number } & (
  | { readonly spec: FaultSpec }
  | { readonly force: 'P2P' | 'HTTP'; readonly node: string }
);

/** 20 facts and 5 register writes a second on five nodes: a third of what two slow cores carry beside the lab. */
const CLIENTS: Workloads = {
  facts: { writeEveryMs: 250, readEveryMs: 40 },
  registers: { writeEveryMs: 1_000, readEveryMs: 250 },
};
const STATUS_EVERY_MS = 40;

/** What holds whatever happens. */
const ALWAYS: readonly Checker[] = [lostWrites, convergence, honestRoot, monotonicReads, availability];

export function scheduled(plan: Scheduled): Scenario {
  const { recoveryBudgetMs = null, statusEveryMs = STATUS_EVERY_MS } = plan;
  const materialise = (options: ScheduleOptions): Schedule => ({
    version: 1,
    seed: options.seed,
    nodes: options.nodes,
    workloads: { ...CLIENTS, ...plan.clients },
    statusEveryMs,
    recoveryBudgetMs,
    steps: stepsOf(plan.steps(castOf(options))),
  });
  return {
    name: plan.name,
    says: plan.says,
    checkers: [...ALWAYS, ...(recoveryBudgetMs === null ? [] : [budgets]), ...(plan.checkers ?? [])],
    schedule: materialise,
    play: (stage) => playSchedule(stage, stage.schedule ?? materialise(optionsOf(stage))),
  };
}

function optionsOf(stage: Parameters<Scenario['play']>[0]): ScheduleOptions {
  return {
    nodes: stage.members.map(({ node }) => node.name),
    seed: stage.seed,
    durationMs: stage.durationMs,
    supports: (spec) => stage.cluster.supports(spec),
  };
}

function castOf(options: ScheduleOptions): Cast {
  const random = seeded(options.seed);
  const nodes = shuffled(options.nodes, random);
  const [victim] = nodes;
  if (victim === undefined) throw new RangeError('nobody plays');
  return { ...options, nodes, victim, random };
}

function stepsOf(strikes: readonly Strike[]): readonly Step[] {
  return strikes
    .toSorted((a, b) => a.at - b.at)
    .map((strike, id) => {
      const { at, holdMs } = strike;
      return 'spec' in strike
        ? { id, at, holdMs, do: 'fault', spec: strike.spec }
        : { id, at, holdMs, do: 'force', node: strike.node, mode: strike.force };
    });
}
