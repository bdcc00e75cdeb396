/**
 * Draws the strikes of a random run: one after the other with a time to breathe between them, now and then a second one on
 * top of a partition. Links are struck by one fault at a time, so that each can prove itself.
 */
import { bridge, deafen, halves, isolate, majoritiesRing, minorityThird } from '../faults/partition.ts';
import type { FaultSpec, Grudges } from '../faults/spec.ts';
import { shuffled } from './seeded.ts';
import { oneOf } from '../workloads/workload.ts';

export interface DrawCast {
  readonly nodes: readonly string[];
  readonly random: () => number;
  readonly supports: (spec: FaultSpec) => string | null;
}

interface Drawn {
  readonly at: number;
  readonly holdMs: number;
  readonly spec: FaultSpec;
}

const FIRST_AT_MS = 1_000;
const HOLD_MS = [2_000, 12_000] as const;
const BREATH_MS = [3_000, 8_000] as const;
/** of the partitions, those during which a process is struck as well */
const DOUBLE_SHARE = 0.25;
/** On top of a partition, a strike begins and ends so long before and after it. */
const INSIDE_MS = 500;
const DRAWS_MAX = 50;

type Make = (nodes: readonly string[], random: () => number) => FaultSpec;

const partition: Make = (nodes, random) => ({
  kind: 'partition',
  grudges: grudges(nodes, random),
  scope: oneOf(['p2p', 'p2p', 'http', 'both', 'both'] as const, random),
  how: oneOf(['drop', 'drop', 'reset'] as const, random),
});

function grudges(nodes: readonly string[], random: () => number): Grudges {
  const order = shuffled(nodes, random);
  const victim = oneOf(nodes, random);
  const kinds: readonly (() => Grudges)[] = [
    () => isolate(nodes, victim),
    () => deafen(nodes, victim),
    () => halves(order),
    () => minorityThird(order),
    ...(nodes.length < 4 ? [] : [() => majoritiesRing(order), () => bridge(order, victim)]),
  ];
  return oneOf(kinds, random)();
}

/** Strikes at processes, which may come on top of a partition. */
const STRUCK: readonly Make[] = [
  (nodes, random) => ({ kind: 'kill', nodes: someOf(nodes, random) }),
  (nodes, random) => ({
    kind: 'freeze',
    nodes: someOf(nodes, random),
    how: oneOf(['sigstop', 'cgroup'] as const, random),
  }),
  (nodes, random) => ({
    kind: 'restart',
    nodes: [oneOf(nodes, random)],
    how: oneOf(['sigterm', 'sigkill'] as const, random),
  }),
];

const MACHINES: readonly Make[] = [
  (nodes, random) => ({
    kind: 'loss',
    nodes: someOf(nodes, random),
    percent: 5 + Math.floor(random() * 25),
    scope: 'both',
  }),
  (nodes, random) => ({
    kind: 'latency',
    nodes: [oneOf(nodes, random)],
    ms: 20 + Math.floor(random() * 180),
    jitterMs: Math.floor(random() * 20),
    scope: 'both',
  }),
  (nodes, random) => ({ kind: 'disk-full', nodes: [oneOf(nodes, random)] }),
  (nodes, random) => ({ kind: 'dns', nodes: [oneOf(nodes, random)] }),
  (nodes, random) => ({ kind: 'restart-elsewhere', nodes: [oneOf(nodes, random)] }),
];

const ANY: readonly Make[] = [partition, partition, partition, partition, ...STRUCK, ...STRUCK, ...MACHINES];

/** @returns strikes by time, the last of them over before the time is */
export function drawStrikes(cast: DrawCast, durationMs: number): readonly Drawn[] {
  const strikes: Drawn[] = [];
  let at = FIRST_AT_MS;
  for (;;) {
    const holdMs = between(HOLD_MS, cast.random);
    if (at + holdMs > durationMs) return strikes;
    const spec = drawOne(ANY, cast);
    strikes.push({ at, holdMs, spec });
    const isDoubled = spec.kind === 'partition' && holdMs > 4 * INSIDE_MS && cast.random() < DOUBLE_SHARE;
    if (isDoubled)
      strikes.push({ at: at + INSIDE_MS, holdMs: holdMs - 2 * INSIDE_MS, spec: drawOne(STRUCK, cast) });
    at += holdMs + between(BREATH_MS, cast.random);
  }
}

/** What this world cannot do is drawn again. */
function drawOne(makes: readonly Make[], { nodes, random, supports }: DrawCast): FaultSpec {
  for (let draws = 0; draws < DRAWS_MAX; draws += 1) {
    const spec = oneOf(makes, random)(nodes, random);
    if (supports(spec) === null) return spec;
  }
  throw new RangeError('this world can do none of the faults');
}

/** One or two, never all. */
function someOf(nodes: readonly string[], random: () => number): readonly string[] {
  const one = oneOf(nodes, random);
  const others = nodes.filter((node) => node !== one);
  return others.length > 1 && random() < 0.3 ? [one, oneOf(others, random)] : [one];
}

function between([least, most]: readonly [number, number], random: () => number): number {
  return Math.round(least + random() * (most - least));
}
