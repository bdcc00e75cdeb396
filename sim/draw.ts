/**
 * A seed becomes a schedule: everything about a run is drawn here, and nothing of it later. Most runs are harmless in most
 * respects and bad in one or two, since a run that is bad in all of them rarely gets anywhere.
 */
import type { LungName } from '../node/protocol/events.ts';
import type { Paths } from './faults.ts';
import { below, rngOf, type Rng } from './rng.ts';
import { FORGERIES, type Schedule, type ScheduleOptions, type Step } from './schedule.ts';
import { neighbourhood, topologyOf } from './topology.ts';
import { WORLD_DEFAULTS, type Quality } from './world.ts';

/** What whoever runs a seed wants to have said. Null: drawn. */
export interface Wishes {
  readonly nodes: number | null;
  readonly faultsMs: number | null;
  readonly writesPerSecond: number | null;
  readonly beatMs: number | null;
  readonly wire: boolean | null;
}

export const NO_WISHES: Wishes = {
  nodes: null,
  faultsMs: null,
  writesPerSecond: null,
  beatMs: null,
  wire: null,
};

/** Above this many nodes gossip is a partial mesh, and few hosts write. */
const FULL_MESH_MAX = 32;
const WRITERS_MAX = 16;
/** Above this many nodes heartbeats are nearly all that happens: they are four times, ticks two and a half times as rare. */
const HUGE = 500;
/** In a large cluster so many disks are put back at most. */
const RESTORED_MAX = 4;
/** Links per host of a partial mesh: gossipsub's mesh has 6 to 12. */
const DEGREE = 8;
/** Nodes start, link and find P2P before the first fault. */
const CALM_MS = 1_500;
const SHARED_KEYS = 5;
/** Few on the whole: merging takes more than half of a run's time, and what breaks is broken by when, not by how many. */
const WRITES_PER_SECOND = [0.5, 1, 1, 2, 4];
/** What happens before a stretch with one lung is over so long before it: links are up again. */
const SETTLE_MS = 4_000;
const ONE_LUNG_MS = 9_000;
/** A clock this far off is refused by the others. */
const FAR_MS = 60_000;

export function draw(seed: number, wishes: Wishes = NO_WISHES): Schedule {
  // The world of a run has the same seed: another stream of numbers, so that what is drawn and what jitters are strangers.
  const rng = rngOf(seed * 4 + 3);
  const nodes = wishes.nodes ?? 5 + below(rng, 5);
  const drawn = drawOptions(rng, seed, nodes, wishes);
  const steps = drawSteps(rng, drawn, wishes.writesPerSecond ?? pick(rng, WRITES_PER_SECOND));
  const isSlow = steps.some((step) => step.do === 'clock' || (step.do === 'kill' && step.backup !== null));
  const options = { ...drawn, budgetMs: isSlow ? SLOW_BUDGET_MS : drawn.budgetMs };
  return { version: 1, seed, options, steps };
}

const BUDGET_MS = 30_000;
/** A restored disk or a clock that was off takes the patience of a minute (sync/absences.ts), and of another one (aheadMaxMs). */
const SLOW_BUDGET_MS = 180_000;

function drawOptions(rng: Rng, seed: number, nodes: number, wishes: Wishes): ScheduleOptions {
  const isLarge = nodes > FULL_MESH_MAX;
  const isDrifting = chance(rng, 0.1);
  const isSkewed = chance(rng, 0.15);
  const flush = pick(rng, [0.5, 0.5, 1, 1, 5, 50]);
  const hosts = Array.from({ length: nodes }, () => ({
    flushMs: round(flush * between(rng, 0.5, 1.5)),
    driftPpm: Math.round((isDrifting ? 20_000 : 100) * between(rng, -1, 1)),
    offsetMs: Math.round((isSkewed ? 12_000 : 200) * between(rng, -1, 1)),
  }));
  const degree = isLarge ? DEGREE : null;
  const coreSize = chance(rng, 0.5) ? Math.floor(nodes / 2) + 1 : 2 + below(rng, Math.max(1, nodes - 2));
  return {
    nodes,
    faultsMs: wishes.faultsMs ?? 60_000,
    budgetMs: BUDGET_MS,
    quality: drawQuality(rng),
    degree,
    wire: wishes.wire ?? (!isLarge && chance(rng, 0.15)),
    hosts,
    knobs: drawKnobs(rng, nodes, wishes.beatMs),
    core:
      degree === null
        ? sample(rng, nodes, coreSize)
        : neighbourhood(topologyOf(seed, nodes, degree), below(rng, nodes), coreSize),
    others: chance(rng, 0.5) ? 'cut' : 'dead',
  };
}

function drawKnobs(rng: Rng, nodes: number, wishedMs: number | null): ScheduleOptions['knobs'] {
  // The product's 16,384 are 200 KB a node, which is what making a small cluster would mostly be busy with.
  const cellsMax = nodes > FULL_MESH_MAX ? 1_024 : pick(rng, [16, 128, 1_024, 1_024, 16_384]);
  const beatMs = wishedMs ?? (nodes > HUGE ? 1_000 : null);
  return {
    cellsMax,
    ...(beatMs === null ? {} : { beatMs }),
    ...(nodes > HUGE ? { tickMs: 250 } : {}),
    ...(chance(rng, 0.2) ? { forgetMs: 5_000 + below(rng, 10_000) } : {}),
    ...(chance(rng, 0.1) ? { graceMs: 20_000 + below(rng, 20_000) } : {}),
    ...(chance(rng, 0.3) ? { collectAfterMs: 1_000 + below(rng, 5_000) } : {}),
  };
}

function drawQuality(rng: Rng): Readonly<Record<LungName, Quality>> {
  const { p2p, http } = WORLD_DEFAULTS.quality;
  const kind = rng();
  if (kind < 0.6) return WORLD_DEFAULTS.quality;
  const latencyMs = [between(rng, 2, 20), between(rng, 20, 80)].map(round) as [number, number];
  if (kind < 0.75) return { p2p: { ...p2p, latencyMs }, http: { ...http, latencyMs } };
  const bad = {
    loss: round(0.03 * rng()),
    duplicate: round(0.03 * rng()),
    reorder: round(0.1 * rng()),
  };
  if (kind < 0.9) return { p2p: { ...p2p, ...bad }, http: { ...http, ...bad } };
  return { p2p: { ...bad, latencyMs }, http: { ...bad, latencyMs } };
}

function drawSteps(rng: Rng, options: ScheduleOptions, writesPerSecond: number): readonly Step[] {
  const quiet = drawQuiet(rng, options);
  const bare = [
    ...drawFaults(rng, options, quiet),
    ...drawWrites(rng, options, writesPerSecond),
    ...(quiet === null ? [] : [quiet.step]),
  ];
  // Times are drawn whole or not, ids are places: both are the same whatever sorts them.
  const sorted = bare.map((step, i) => ({ step, i })).sort((a, b) => a.step.at - b.step.at || a.i - b.i);
  return numbered(
    sorted.map(({ step }) => step),
    rng,
  );
}

/** A step before its number is known; deletes and restores do not know their step yet. */
type Bare = DistributiveOmit<Step, 'id'>;
type DistributiveOmit<T, K extends keyof never> = T extends unknown ? Omit<T, K> : never;

/** Gives ids, and lets deletes name facts and restores name backups that came before them. */
function numbered(bare: readonly Bare[], rng: Rng): readonly Step[] {
  const facts: number[] = [];
  const backups = new Map<number, number>();
  return bare.map((step, id): Step => {
    switch (step.do) {
      case 'facts':
        facts.push(id);
        return { ...step, id };
      case 'delete':
        // Mostly what is young, so that the delete is on its way while the fact still is.
        return { ...step, id, fact: facts[facts.length - 1 - Math.floor(facts.length * rng() * rng())] ?? 0 };
      case 'backup':
        if (!backups.has(step.host)) backups.set(step.host, id);
        return { ...step, id };
      case 'kill':
        return { ...step, id, backup: step.backup === null ? null : (backups.get(step.host) ?? null) };
      case 'share':
      case 'cut':
      case 'delay':
      case 'stall':
      case 'clock':
      case 'force':
      case 'forge':
      case 'equivocate':
      case 'one-lung':
        return { ...step, id };
    }
  });
}

// ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawWrites(
  rng: Rng,
  { nodes, faultsMs, degree }: ScheduleOptions,
  perSecond: number,
): readonly Bare[] {
  const writers = degree === null ? nodes : Math.min(nodes, WRITERS_MAX);
  const steps: Bare[] = [];
  const isWordy = chance(rng, 0.1);
  for (let at = CALM_MS; at < faultsMs; at = round(at + (2_000 * rng()) / perSecond)) {
    const kind = rng();
    const host = below(rng, writers);
    const bytes = isWordy ? below(rng, 4_000) : below(rng, 60);
    if (kind < 0.6)
      steps.push({ do: 'facts', at, host, count: 1, gapMs: 0, bytes, wait: drawWait(rng, degree === null) });
    else if (kind < 0.63) {
      const count = 5 + below(rng, 20);
      steps.push({ do: 'facts', at, host, count, gapMs: round(5 * rng()), bytes, wait: null });
      at += (500 * count) / perSecond;
    } else if (kind < 0.77) steps.push({ do: 'share', at, hosts: [host], key: below(rng, SHARED_KEYS) });
    else if (kind < 0.87) {
      const hosts = sample(rng, writers, 2 + below(rng, 2));
      steps.push({ do: 'share', at, hosts, key: below(rng, SHARED_KEYS) });
    } else steps.push({ do: 'delete', at, host, fact: 0 });
  }
  return steps;
}

function drawWait(rng: Rng, isSmall: boolean) {
  if (!isSmall || !chance(rng, 0.15)) return null;
  return { need: pick(rng, [2, 'majority', 'majority', 'all'] as const), timeoutMs: 200 + below(rng, 3_000) };
}

// ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A stretch in which nothing is wrong but that one lung is cut everywhere: its own promise can be checked then. */
interface Quiet {
  readonly from: number;
  readonly to: number;
  readonly step: Bare;
}

function drawQuiet(rng: Rng, { nodes, faultsMs }: ScheduleOptions): Quiet | null {
  if (!chance(rng, 0.5) || faultsMs < 3 * (SETTLE_MS + ONE_LUNG_MS)) return null;
  const at = Math.round(between(rng, CALM_MS + SETTLE_MS, faultsMs - ONE_LUNG_MS));
  const lung = pick(rng, ['p2p', 'http'] as const);
  const deaf = lung === 'http' && chance(rng, 0.5) ? below(rng, nodes) : null;
  const step: Bare = { do: 'one-lung', at, forMs: ONE_LUNG_MS, lung, host: below(rng, nodes), deaf };
  return { from: at - SETTLE_MS, to: at + ONE_LUNG_MS, step };
}

function drawFaults(rng: Rng, options: ScheduleOptions, quiet: Quiet | null): readonly Bare[] {
  const { nodes, faultsMs } = options;
  const cast: Cast = {
    nodes,
    // A restored disk is a loss that no replica can undo alone: fewer than half of them, or what is lost is lost.
    restorable: chance(rng, 0.4)
      ? sample(rng, nodes, 1 + below(rng, Math.min(RESTORED_MAX, Math.floor((nodes - 1) / 2))))
      : [],
    clockless: chance(rng, 0.25) ? below(rng, nodes) : null,
    liar: chance(rng, 0.1) ? below(rng, nodes) : null,
  };
  const steps: Bare[] = cast.restorable.map((host) => ({
    do: 'backup' as const,
    at: round(between(rng, CALM_MS, faultsMs / 2)),
    host,
  }));
  const meanMs = 500 + 5_000 * rng();
  for (let at = CALM_MS + meanMs * rng(); at < faultsMs; at += 2 * meanMs * rng()) {
    const lastsMs = chance(rng, 0.15) ? between(rng, 5_000, 25_000) : between(rng, 100, 5_000);
    const forMs = Math.min(
      lastsMs,
      faultsMs - at,
      quiet !== null && at < quiet.from ? quiet.from - at : Infinity,
    );
    // Drawn in any case, so that the quiet stretch takes faults away but changes no other.
    const fault = drawFault(rng, cast, round(at), round(forMs));
    const after = drawAfterJump(rng, fault, nodes);
    if (quiet === null || at < quiet.from || at >= quiet.to) steps.push(fault, ...after);
  }
  return steps;
}

/** What is written with a clock that is far off, before anybody has told its host, when it can do harm, and when it must know. */
function drawAfterJump(rng: Rng, fault: Bare, nodes: number): readonly Bare[] {
  if (fault.do !== 'clock' || Math.abs(fault.byMs) < FAR_MS) return [];
  const { host } = fault;
  const at = round(fault.at + between(rng, 1, 60));
  const wait = { need: pick(rng, [2, nodes, 'all'] as const), timeoutMs: 1_000 };
  return [
    { do: 'facts', at, host, count: 1, gapMs: 0, bytes: 0, wait },
    { do: 'facts', at, host, count: 2, gapMs: 20, bytes: 0, wait: null },
    { do: 'facts', at: round(fault.at + 0.9 * fault.forMs), host, count: 1, gapMs: 0, bytes: 0, wait: null },
  ];
}

/** Who plays which part in a run. */
interface Cast {
  readonly nodes: number;
  readonly restorable: readonly number[];
  readonly clockless: number | null;
  readonly liar: number | null;
}

function drawFault(rng: Rng, cast: Cast, at: number, forMs: number): Bare {
  const { nodes } = cast;
  const host = below(rng, nodes);
  const kind = rng();
  if (kind < 0.42) return { do: 'cut', at, forMs, paths: drawPaths(rng, nodes) };
  if (kind < 0.47) {
    const byMs = Math.round(between(rng, 50, 1_500));
    return { do: 'delay', at, forMs, paths: drawPaths(rng, nodes), byMs };
  }
  if (kind < 0.67) {
    const isRestored = cast.restorable.length > 0 && chance(rng, 0.4);
    const victim = isRestored ? pick(rng, cast.restorable) : host;
    // Named when the steps are numbered: the first backup of this host, if there was one before.
    const backup = isRestored ? 0 : null;
    return { do: 'kill', at, forMs, host: victim, keepsSyncing: chance(rng, 0.5), backup };
  }
  if (kind < 0.75) return { do: 'stall', at, forMs, host };
  if (kind < 0.81) {
    if (cast.clockless !== null && chance(rng, 0.5)) {
      const byMs = pick(rng, [3_600_000, -3_600_000, 100_000, -100_000]);
      return { do: 'clock', at, forMs, host: cast.clockless, byMs };
    }
    return { do: 'clock', at, forMs, host, byMs: Math.round(between(rng, -15_000, 15_000)) };
  }
  if (kind < 0.84) return { do: 'force', at, forMs, host, mode: pick(rng, ['P2P', 'HTTP'] as const) };
  if (kind < 0.9) return { do: 'forge', at, host, how: pick(rng, FORGERIES) };
  if (kind < 0.94 && cast.liar !== null) {
    return { do: 'equivocate', at, host: cast.liar, to: (cast.liar + 1 + below(rng, nodes - 1)) % nodes };
  }
  return { do: 'cut', at, forMs: Math.min(forMs, 700), paths: drawPaths(rng, nodes) };
}

function drawPaths(rng: Rng, nodes: number): Paths {
  const all = Array.from({ length: nodes }, (_, i) => i);
  const lungs = pick<readonly LungName[]>(rng, [
    ['p2p'],
    ['p2p'],
    ['http'],
    ['p2p', 'http'],
    ['p2p', 'http'],
  ]);
  const oneWay = chance(rng, 0.2);
  const kind = rng();
  if (kind < 0.4) return { from: [below(rng, nodes)], to: all, lungs, oneWay };
  if (kind < 0.75) {
    const side = sample(rng, nodes, 1 + below(rng, nodes - 1));
    return { from: side, to: all.filter((one) => !side.includes(one)), lungs, oneWay };
  }
  if (kind < 0.9) return { from: [below(rng, nodes)], to: [below(rng, nodes)], lungs, oneWay };
  return { from: all, to: all, lungs, oneWay: true };
}

// ── draws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function chance(rng: Rng, share: number): boolean {
  return rng() < share;
}

function between(rng: Rng, least: number, most: number): number {
  return least + (most - least) * rng();
}

/** To the microsecond: a schedule's numbers should be readable. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function pick<T>(rng: Rng, from: readonly T[]): T {
  const chosen = from[below(rng, from.length)];
  if (chosen === undefined) throw new RangeError('nothing to pick from');
  return chosen;
}

/** @returns so many different numbers below `count`, ascending */
function sample(rng: Rng, count: number, size: number): readonly number[] {
  const left = Array.from({ length: count }, (_, i) => i);
  const taken = Array.from(
    { length: Math.min(size, count) },
    () => left.splice(below(rng, left.length), 1)[0] ?? 0,
  );
  return taken.sort((a, b) => a - b);
}
