/**
 * One lattice of a given size in virtual time: what it says when nothing happens, what a write costs, how far it travels and how soon
 * it is everywhere. Counted where the messages are sent, by the bytes that the codecs make of them.
 */
import { CORE_DEFAULTS } from '../node/protocol/defaults.ts';
import { haveEqualRoots, makeHosts } from './cluster.ts';
import type { Host } from './host.ts';
import { below, rngOf } from './rng.ts';
import { partialMesh, topologyOf, type Topology } from './topology.ts';
import { World, WORLD_DEFAULTS } from './world.ts';

/**
 * `all`: everyone is linked with everyone, as the node does today with the members that it is told of;
 * `mesh`: everyone knows its few neighbours only, over both lungs;
 * `strangers`: the same mesh, and over HTTP a few others that gossip reaches through relays only
 */
type Shape = 'all' | 'mesh' | 'strangers';

export interface Trial {
  readonly shape: Shape;
  readonly nodes: number;
  /** links per node where not all are linked */
  readonly degree: number;
  readonly seed: number;
  /** how long it starts: links come up within a redial, P2P is found within a heartbeat; it rests when nothing has happened for 5 s */
  readonly warmUpMs: number;
  /** how long it idles, and how long it is written to, in ms of virtual time */
  readonly idleMs: number;
  readonly busyMs: number;
  readonly writes: number;
}

export interface Findings {
  readonly trial: Trial;
  /** P2P links of a node, on average */
  readonly links: number;
  /** members that a node knows over HTTP only, on average */
  readonly strangers: number;
  /** per node and second, when nothing happens */
  readonly idle: { readonly beats: number; readonly polls: number; readonly bytes: number };
  /** per write, over all nodes */
  readonly write: { readonly batches: number; readonly bytes: number; readonly exchanges: number };
  /** one write that waits for a majority: members asked, and acknowledgements with which it was answered */
  readonly majority: { readonly asked: number; readonly acks: number };
  /** hops to the last node: the mean over the writes, and the most */
  readonly rounds: { readonly mean: number; readonly most: number };
  /** ms from the write to its last first delivery, the slowest write */
  readonly lastMs: number;
  /** whether all writes were acknowledged, and all roots equal with all of them at the end */
  readonly isEverywhere: boolean;
  readonly tookMs: number;
}

/** Thousands of hosts with few records each: 24 KB of coded symbols are enough, where a node keeps eight times as many. */
const CELLS_MAX = 2_048;
/** How long a write waits for a majority. */
const MAJORITY_MS = 1_000;
const FLUSH_MS = 1;

export function measure(trial: Trial): Findings {
  const { nodes, warmUpMs, idleMs, busyMs, writes } = trial;
  const startedAt = performance.now();
  const world = new World({ ...WORLD_DEFAULTS, seed: trial.seed });
  const topology = topologyFor(trial);
  const hosts = start(world, topology, trial.seed);
  world.runTo(warmUpMs);

  const atRest = totals(world);
  world.runTo(world.now + idleMs);
  const idle = difference(totals(world), atRest);

  const batchesBefore = world.traffic.spreads.length;
  const beforeWrites = totals(world);
  let acknowledged = 0;
  for (let i = 0; i < writes; i += 1) {
    world.after((i * busyMs) / (writes + 1), () => {
      const host = hosts[below(world.rng, nodes)];
      host?.write([{ key: `key/${i}`, value: VALUE }], ({ ok }) => {
        if (ok) acknowledged += 1;
      });
    });
  }
  world.runTo(world.now + busyMs);
  const busy = difference(totals(world), beforeWrites);
  const spreads = world.traffic.spreads.slice(batchesBefore);
  const hops = spreads.map((spread) => spread.hops);
  const isEverywhere =
    acknowledged === writes && hosts[0]?.core.replica.size() === writes && haveEqualRoots(hosts);
  const seconds = idleMs / 1_000;
  return {
    trial,
    links: mean(topology.p2p.map((links) => links.length)),
    strangers: mean(
      topology.http.map(
        (known, host) => known.filter((one) => topology.p2p[host]?.includes(one) !== true).length,
      ),
    ),
    idle: {
      beats: idle.beat.messages / nodes / seconds,
      polls: idle.poll.messages / nodes / seconds,
      bytes: (idle.beat.bytes + idle.poll.bytes) / nodes / seconds,
    },
    write: {
      batches: busy.batch.messages / writes,
      bytes: (busy.batch.bytes + busy.ask.bytes + busy.answer.bytes) / writes,
      exchanges: busy.ask.messages / writes,
    },
    rounds: { mean: mean(hops), most: Math.max(...hops) },
    lastMs: Math.max(...spreads.map((spread) => spread.lastAt - spread.publishedAt)),
    majority: askMajority(world, hosts),
    isEverywhere,
    tookMs: performance.now() - startedAt,
  };
}

function askMajority(world: World, hosts: readonly Host[]): Findings['majority'] {
  const before = totals(world);
  let acks = 0;
  const timeoutMs = MAJORITY_MS;
  hosts[0]?.write(
    [{ key: 'majority', value: VALUE }],
    (outcome) => {
      if (outcome.ok) acks = outcome.acks;
    },
    { need: 'majority', timeoutMs },
  );
  world.runUntil(() => acks > 0, world.now + timeoutMs);
  return { asked: difference(totals(world), before).ask.messages, acks };
}

/** 100 bytes as JSON. */
const VALUE = JSON.stringify('v'.repeat(98));

function topologyFor({ shape, nodes, degree, seed }: Trial): Topology {
  switch (shape) {
    case 'all':
      return topologyOf(seed, nodes, null);
    case 'mesh':
      return topologyOf(seed, nodes, degree);
    case 'strangers':
      return partialMesh(nodes, degree, degree, rngOf(seed));
  }
}

function start(world: World, topology: Topology, seed: number): readonly Host[] {
  const hosts = makeHosts(world, {
    seed,
    hosts: topology.p2p.map(() => ({ flushMs: FLUSH_MS, driftPpm: 0, offsetMs: 0 })),
    topology,
    wire: false,
    core: { ...CORE_DEFAULTS, sketch: { cellsMax: CELLS_MAX } },
    sabotage: {},
    watch: null,
    keepsEvents: false,
  });
  for (const host of hosts) host.start();
  return hosts;
}

type Counts = Readonly<Record<keyof World['traffic']['counts'], { messages: number; bytes: number }>>;

function totals(world: World): Counts {
  return structuredClone(world.traffic.counts);
}

function difference(later: Counts, earlier: Counts): Counts {
  const since = (kind: keyof Counts) => ({
    messages: later[kind].messages - earlier[kind].messages,
    bytes: later[kind].bytes - earlier[kind].bytes,
  });
  return {
    beat: since('beat'),
    batch: since('batch'),
    ask: since('ask'),
    answer: since('answer'),
    poll: since('poll'),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
