/**
 * One run: a seed becomes a cluster, a workload and a schedule of faults (safety phase); then all is healed, a fresh write is
 * made, and every node must reach one root that contains it (liveness phase). Verdicts are sentences; none means pass.
 */
import { CORE_DEFAULTS } from '../node/protocol/defaults.ts';
import type { SyncMode } from '../node/protocol/events.ts';
import { Host, type Sabotage } from './host.ts';
import { below, type Rng } from './rng.ts';
import { World, WORLD_DEFAULTS, type Rule } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly nodes: number;
  /** virtual time with faults, in ms */
  readonly faultsMs: number;
  /** virtual time within which everything must converge after the heal, in ms */
  readonly healMs: number;
  readonly writesPerSecond: number;
  readonly sabotage?: Sabotage & { readonly flushMs: number };
}

export interface RunReport {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly acknowledged: number;
  readonly faults: readonly string[];
  /** virtual ms from the heal to equal roots with a fresh write; null when it never came */
  readonly convergedMs: number | null;
  readonly modeSwitches: number;
  readonly traceHash: string;
  readonly steps: number;
}

/** Makes the hosts of a world, started one after the other. */
export function startHosts(
  world: World,
  seed: number,
  nodes: number,
  sabotage: RunOptions['sabotage'] = { flushMs: 1 },
): readonly Host[] {
  const hosts: Host[] = [];
  const options = {
    seed,
    core: CORE_DEFAULTS,
    flushMs: sabotage.flushMs,
    sabotage,
    redialMs: 250,
    timeoutMs: 1_000,
  };
  for (let number = 0; number < nodes; number += 1)
    hosts.push(new Host({ world, hosts }, { ...options, number }));
  for (const host of hosts) host.start();
  return hosts;
}

export function run(options: RunOptions): RunReport {
  const world = new World({ ...WORLD_DEFAULTS, seed: options.seed });
  const hosts = startHosts(world, options.seed, options.nodes, options.sabotage);
  const failures: string[] = [];
  const acknowledged = new Map<string, string>();
  const faults: string[] = [];

  if (!world.runUntil(() => allIn(hosts, 'P2P'), 5_000)) failures.push('no P2P within 5 s of the start');
  planWrites(world, hosts, options, acknowledged);
  planFaults(world, hosts, options.faultsMs, faults);
  world.runTo(world.now + options.faultsMs);

  world.rule = () => 'pass';
  for (const host of hosts) if (!host.isUp) host.start();
  const healedAt = world.now;
  const convergedMs = freshWriteEverywhere(world, hosts, healedAt + options.healMs)
    ? world.now - healedAt
    : null;
  if (convergedMs === null) failures.push(`roots unlike ${options.healMs} ms after the heal`);
  if (!world.runUntil(() => allIn(hosts, 'P2P'), healedAt + options.healMs))
    failures.push('not all back in P2P');
  failures.push(...lost(hosts, acknowledged));
  return {
    seed: options.seed,
    failures,
    acknowledged: acknowledged.size,
    faults,
    convergedMs,
    modeSwitches: hosts.flatMap((host) => host.events).filter(({ event }) => event.type === 'mode').length,
    traceHash: world.traceHash,
    steps: world.steps,
  };
}

export function allIn(hosts: readonly Host[], mode: SyncMode): boolean {
  return hosts.every((host) => host.isUp && host.core.mode().mode === mode);
}

export function haveEqualRoots(hosts: readonly Host[]): boolean {
  const roots = new Set(hosts.map((host) => host.core.replica.root()));
  return roots.size === 1;
}

/** Writes something new on the first host and runs until all roots are equal and contain it. */
export function freshWriteEverywhere(world: World, hosts: readonly Host[], deadline: number): boolean {
  const key = `fresh/${world.now}`;
  let isAcknowledged = false;
  hosts[0]?.write([{ key, value: '"fresh"' }], (outcome) => {
    isAcknowledged = outcome.ok;
  });
  const isEverywhere = (): boolean => hosts.every((host) => host.core.replica.get(key) !== null);
  return world.runUntil(() => isAcknowledged && haveEqualRoots(hosts) && isEverywhere(), deadline);
}

/** Acknowledged unique facts that some host does not have at the end. */
function lost(hosts: readonly Host[], acknowledged: ReadonlyMap<string, string>): readonly string[] {
  const missing: string[] = [];
  for (const [key, value] of acknowledged) {
    for (const host of hosts) {
      if (host.core.replica.get(key)?.winner.value !== value) missing.push(`lost on ${host.number}: ${key}`);
    }
  }
  return missing.slice(0, 10);
}

function planWrites(
  world: World,
  hosts: readonly Host[],
  options: RunOptions,
  acknowledged: Map<string, string>,
): void {
  const end = world.now + options.faultsMs;
  let count = 0;
  const write = (): void => {
    if (world.now >= end) return;
    const host = hosts[below(world.rng, hosts.length)];
    // One in five goes to a shared key, so that conflicts happen; only unique facts are checked for loss.
    const isShared = world.rng() < 0.2;
    const key = isShared ? `shared/${below(world.rng, 5)}` : `fact/${count}`;
    const value = String(count++);
    if (host?.isUp === true) {
      host.write([{ key, value }], (outcome) => {
        if (outcome.ok && !isShared) acknowledged.set(key, value);
      });
    }
    world.after((2_000 * world.rng()) / options.writesPerSecond, write);
  };
  write();
}

function planFaults(world: World, hosts: readonly Host[], faultsMs: number, faults: string[]): void {
  const end = world.now + faultsMs;
  const next = (): void => {
    world.rule = () => 'pass';
    for (const host of hosts) if (!host.isUp) host.start();
    const { name, rule, victim } = drawFault(world.rng, hosts.length);
    faults.push(`${Math.round(world.now)} ${name}`);
    world.note(name);
    world.rule = rule;
    if (victim !== null) hosts[victim]?.kill();
    const lastsMs = 500 + 5_000 * world.rng();
    if (world.now + lastsMs < end) world.after(lastsMs, next);
  };
  world.after(1_000 * world.rng(), next);
}

interface Fault {
  readonly name: string;
  readonly rule: Rule;
  /** who is killed with it */
  readonly victim: number | null;
}

function drawFault(rng: Rng, nodes: number): Fault {
  const one = below(rng, nodes);
  const middle = 1 + below(rng, nodes - 1);
  const isSplit = (from: number, to: number): boolean => from < middle !== to < middle;
  const kinds: readonly Fault[] = [
    { name: 'none', rule: () => 'pass', victim: null },
    {
      name: `p2p of ${one} cut`,
      rule: (from, to, lung) => (lung === 'p2p' && (from === one || to === one) ? 'drop' : 'pass'),
      victim: null,
    },
    {
      name: `http of ${one} cut`,
      rule: (from, to, lung) => (lung === 'http' && (from === one || to === one) ? 'drop' : 'pass'),
      victim: null,
    },
    {
      name: `${one} isolated`,
      rule: (from, to) => (from === one || to === one ? 'drop' : 'pass'),
      victim: null,
    },
    {
      name: 'p2p cut everywhere',
      rule: (_from, _to, lung) => (lung === 'p2p' ? 'drop' : 'pass'),
      victim: null,
    },
    { name: `split at ${middle}`, rule: (from, to) => (isSplit(from, to) ? 'drop' : 'pass'), victim: null },
    {
      name: `p2p split at ${middle}`,
      rule: (from, to, lung) => (lung === 'p2p' && isSplit(from, to) ? 'drop' : 'pass'),
      victim: null,
    },
    {
      name: `from ${one} nothing leaves over p2p`,
      rule: (from, _to, lung) => (lung === 'p2p' && from === one ? 'drop' : 'pass'),
      victim: null,
    },
    { name: `${one} killed`, rule: () => 'pass', victim: one },
  ];
  return kinds[below(rng, kinds.length)] ?? kinds[0] ?? { name: 'none', rule: () => 'pass', victim: null };
}
