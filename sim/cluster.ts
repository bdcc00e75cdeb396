/** A cluster of simulated machines, and what can be asked of it as a whole. */
import { CORE_DEFAULTS } from '../node/protocol/defaults.ts';
import type { CoreOptions } from '../node/protocol/core.ts';
import type { SyncMode } from '../node/protocol/events.ts';
import { RecordsAtHand } from './at-hand.ts';
import { Batches } from './batches.ts';
import { Host, type HostOptions, type HostWatch, type Sabotage } from './host.ts';
import type { ScheduleOptions } from './schedule.ts';
import { topologyOf, type Topology } from './topology.ts';
import { Wire } from './wire.ts';
import type { World } from './world.ts';

export interface ClusterPlan {
  readonly seed: number;
  readonly hosts: ScheduleOptions['hosts'];
  readonly topology: Topology;
  readonly wire: boolean;
  readonly core: CoreOptions;
  readonly sabotage: Sabotage;
  readonly watch: HostWatch | null;
  readonly keepsEvents: boolean;
}

/** Own redial of the P2P lung, and the limit of an exchange or a poll, in ms: as the lungs have them by default. */
const REDIAL_MS = 250;
const TIMEOUT_MS = 1_000;

/** Makes the hosts of a world, not started. */
export function makeHosts(world: World, plan: ClusterPlan): readonly Host[] {
  const { seed, topology, wire, core, sabotage, watch, keepsEvents } = plan;
  const nodes = plan.hosts.length;
  const hosts: Host[] = [];
  const modules = {
    world,
    hosts,
    byId: new Map(),
    batches: new Batches(world, nodes),
    wire: new Wire(wire),
    // Where every message is its real bytes, every record is too.
    atHand: wire ? null : new RecordsAtHand(),
    topology,
    watch,
  };
  plan.hosts.forEach(({ flushMs, driftPpm, offsetMs }, number) => {
    const options: HostOptions = {
      number,
      seed,
      core,
      flushMs,
      sabotage,
      redialMs: REDIAL_MS,
      timeoutMs: TIMEOUT_MS,
      driftPpm,
      keepsEvents,
    };
    const host = new Host(modules, options);
    host.clockOffsetMs = offsetMs;
    hosts.push(host);
  });
  return hosts;
}

/** A small cluster with good disks and clocks, all started: for what needs no schedule. */
export function startHosts(
  world: World,
  seed: number,
  nodes: number,
  sabotage: Sabotage & { readonly flushMs: number } = { flushMs: 1 },
): readonly Host[] {
  const { flushMs } = sabotage;
  const hosts = makeHosts(world, {
    seed,
    hosts: Array.from({ length: nodes }, () => ({ flushMs, driftPpm: 0, offsetMs: 0 })),
    topology: topologyOf(seed, nodes, null),
    wire: false,
    core: CORE_DEFAULTS,
    sabotage,
    watch: null,
    keepsEvents: true,
  });
  for (const host of hosts) host.start();
  return hosts;
}

export function allIn(hosts: readonly Host[], mode: SyncMode): boolean {
  return hosts.every((host) => host.isUp && host.core.mode().mode === mode);
}

export function haveEqualRoots(hosts: readonly Host[]): boolean {
  const root = hosts[0]?.core.replica.root();
  return hosts.every((host) => host.core.replica.root() === root);
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
