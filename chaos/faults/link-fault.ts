/**
 * The network faults of the process cluster, by the forwarders of its links: partitions that fall silent or reset,
 * latency with jitter, little bandwidth. Evidence is what the forwarders saw, what was measured through them, and the
 * matrix of probes before, during and after.
 */
import http from 'node:http';
import { evidenceOf } from './fault.ts';
import type { Check, Evidence, EvidenceOptions, Fault, Injected } from './fault.ts';
import { Meter } from './forwarder.ts';
import type { Condition, ForwarderCounts } from './forwarder.ts';
import { probe } from './links.ts';
import type { Demand, Link, Links } from './links.ts';
import { holdsGrudge } from './partition.ts';
import type { Scope, SpecOf } from './spec.ts';

type LinkSpec = SpecOf<'partition'> | SpecOf<'latency'> | SpecOf<'bandwidth'>;

/** The quickest of so many tells what the link adds; the machine adds the rest. */
const SAMPLES = 3;
/** Timers and clocks differ by a millisecond or two. */
const SLACK_MS = 3;
/** A transfer shares the link with the node's own traffic, so it is slower, and never much quicker. */
const RATE_SLACK = 1.1;
const TRANSFER_LIMIT_MS = 20_000;

export class LinkFault implements Fault {
  readonly name: LinkSpec['kind'];
  readonly means: string;
  readonly #spec: LinkSpec;
  readonly #links: Links;
  readonly #demand: Demand;
  #struck: readonly Link[] = [];
  #before: readonly Check[] = [];
  /** whether something was counted before the lab itself had asked; null: not looked yet */
  #isOwn: boolean | null = null;
  /** what each forwarder had counted when the fault came */
  #countsBefore: ReadonlyMap<Link, ForwarderCounts> = new Map();

  constructor(spec: LinkSpec, links: Links) {
    this.name = spec.kind;
    this.means = `userspace forwarders: ${meansOf(spec)}`;
    this.#spec = spec;
    this.#links = links;
    this.#demand = demandOf(spec);
  }

  plan(): readonly string[] {
    return this.#links
      .plan(this.#demand)
      .map(({ link, condition }) => `forwarder ${link.from} → ${link.to}, ${link.lung}: ${told(condition)}`);
  }

  async inject(options: EvidenceOptions = {}): Promise<Injected> {
    this.#before = options.probes === false ? [] : [await this.#look('before')];
    const planned = this.#links.plan(this.#demand);
    this.#countsBefore = new Map(planned.map(({ link }) => [link, link.forwarder.counts]));
    const beganAt = Date.now();
    this.#struck = this.#links.impose(this.#demand);
    return { beganAt, completeAt: Date.now() };
  }

  async evidence(options: EvidenceOptions = {}): Promise<Evidence> {
    // Counted before anything is probed: the proof is the nodes' own traffic.
    const own = this.#seen();
    const looks = options.probes === false ? [] : [...(await this.#measured()), await this.#look('during')];
    this.#isOwn ??= bitten(this.#spec, own).holds;
    // Over a lung at rest they may say nothing for ten seconds: then it is what we say.
    if (!bitten(this.#spec, own).holds) await this.#links.knock(this.#struck);
    const seen = this.#isOwn ? own : this.#seen();
    const { claim, holds } = bitten(this.#spec, seen);
    const checks: Check[] = [
      ...this.#before,
      {
        claim: `the condition stands on ${this.#struck.length} links and no others`,
        holds: this.#struck.length > 0 && this.#links.isInForce(this.#demand),
      },
      { claim: this.#isOwn ? claim : `${claim}, of the lab's probes alone`, holds },
      ...looks,
    ];
    return evidenceOf(checks, { count: seen.chunks + seen.dials + seen.resets, bytes: seen.bytes });
  }

  async lift(): Promise<number> {
    this.#links.lift(this.#demand);
    return Date.now();
  }

  async heal(options: EvidenceOptions = {}): Promise<Evidence> {
    await this.lift();
    const checks: Check[] = [
      { claim: 'the condition is gone from every link', holds: this.#links.isGone(this.#demand) },
    ];
    if (options.probes !== false) checks.push(await this.#look('after'));
    const seen = this.#seen();
    return evidenceOf(checks, { count: seen.chunks + seen.dials + seen.resets, bytes: seen.bytes });
  }

  async #look(when: string): Promise<Check> {
    const { claim, holds } = await this.#links.matrix();
    return { claim: `${when}: ${claim}`, holds };
  }

  /** since the fault came, over all its links */
  #seen(): ForwarderCounts {
    const sum = { chunks: 0, bytes: 0, dials: 0, resets: 0, delayed: 0 };
    for (const link of this.#struck) {
      const { counts } = link.forwarder;
      const before = this.#countsBefore.get(link);
      for (const field of ['chunks', 'bytes', 'dials', 'resets', 'delayed'] as const)
        sum[field] += counts[field] - (before?.[field] ?? 0);
    }
    return sum;
  }

  async #measured(): Promise<readonly Check[]> {
    switch (this.#spec.kind) {
      case 'partition':
        return [];
      case 'latency':
        return Promise.all(this.#struck.map((link) => delayCheck(link)));
      case 'bandwidth': {
        const { nodes, kBps } = this.#spec;
        const links = nodes.flatMap(
          (name) => this.#struck.find(({ to, lung }) => to === name && lung === 'http') ?? [],
        );
        return Promise.all(links.map((link) => rateCheck(link, kBps)));
      }
    }
  }
}

function meansOf(spec: LinkSpec): string {
  switch (spec.kind) {
    case 'partition':
      return `links (${spec.scope}) ${spec.how === 'drop' ? 'go silent' : 'are reset'}`;
    case 'latency':
      return `${spec.ms} ± ${spec.jitterMs} ms on each way of ${spec.nodes.join(', ')} (${spec.scope})`;
    case 'bandwidth':
      return `${spec.kBps} kB/s into and out of ${spec.nodes.join(', ')}`;
  }
}

function demandOf(spec: LinkSpec): Demand {
  switch (spec.kind) {
    case 'partition':
      return (link) => (isInScope(spec.scope, link) ? cutOf(spec, link) : null);
    case 'latency':
      return (link) => {
        if (!isInScope(spec.scope, link)) return null;
        const delays = [link.from, link.to].filter((name) => spec.nodes.includes(name)).map(() => spec);
        return delays.length === 0 ? null : { delays };
      };
    case 'bandwidth': {
      const meters = new Map(
        spec.nodes.map((name) => [name, { into: new Meter(spec.kBps), outOf: new Meter(spec.kBps) }]),
      );
      return (link) => {
        const [from, to] = [meters.get(link.from), meters.get(link.to)];
        if (from === undefined && to === undefined) return null;
        const present = (...list: readonly (Meter | undefined)[]): readonly Meter[] =>
          list.filter((meter) => meter !== undefined);
        return {
          meters: { toTarget: present(from?.outOf, to?.into), toDialler: present(to?.outOf, from?.into) },
        };
      };
    }
  }
}

/** Whoever holds a grudge does not hear the other side, whichever of the two dialled. A reset is for both. */
function cutOf({ grudges, how }: SpecOf<'partition'>, { from, to }: Link): Condition | null {
  const dialler = holdsGrudge(grudges, from, to);
  const target = holdsGrudge(grudges, to, from);
  if (!dialler && !target) return null;
  if (how === 'reset') return { reset: true };
  if (dialler && target) return { silence: 'both' };
  return { silence: dialler ? 'dialler' : 'target' };
}

function isInScope(scope: Scope, { lung }: Link): boolean {
  return scope === 'both' || scope === lung;
}

function told({ silence, reset, delays = [], meters }: Condition): string {
  if (silence !== undefined)
    return silence === 'both' ? 'neither side hears the other' : `the ${silence} does not hear the other`;
  if (reset === true) return 'every connection is reset';
  if (meters !== undefined) return 'everything passes through the meters of its ends';
  return delays.map(({ ms, jitterMs }) => `${ms} ± ${jitterMs} ms later, each way`).join(', and ');
}

function bitten(spec: LinkSpec, seen: ForwarderCounts): Check {
  switch (spec.kind) {
    case 'partition':
      if (spec.how === 'reset') {
        return { claim: `${seen.resets} connections were reset`, holds: seen.resets > 0 };
      }
      return {
        claim: `traffic was kept back (${seen.chunks} chunks, ${seen.dials} dials)`,
        holds: seen.chunks + seen.dials > 0,
      };
    case 'latency':
    case 'bandwidth':
      return { claim: `${seen.delayed} chunks came later than they were sent`, holds: seen.delayed > 0 };
  }
}

/** What is heard first has come one way over libp2p, whose listener speaks first, and two ways over HTTP. */
async function delayCheck(link: Link): Promise<Check> {
  const delays = link.forwarder.conditions.flatMap((condition) => condition.delays ?? []);
  const ways = link.lung === 'http' ? 2 : 1;
  const least = delays.reduce((sum, { ms, jitterMs }) => sum + ways * Math.max(0, ms - jitterMs), 0);
  const times: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) times.push((await probe(link)).ms);
  const quickest = Math.min(...times);
  return {
    claim: `${link.from} → ${link.to}, ${link.lung}: first byte after ${Math.round(quickest)} ms (${least} at least)`,
    holds: quickest >= least - SLACK_MS,
  };
}

async function rateCheck({ from, to, forwarder }: Link, kBps: number): Promise<Check> {
  const startedAt = performance.now();
  const bytes = await download(forwarder.port);
  const ms = performance.now() - startedAt;
  return {
    claim: `${from} ← ${to}: ${bytes} bytes in ${Math.round(ms)} ms, ${(bytes / ms).toFixed(1)} kB/s (${kBps} at most)`,
    holds: bytes > 0 && bytes / ms <= kBps * RATE_SLACK,
  };
}

/** The node's own description of its HTTP contract: tens of kilobytes that are always there. @returns bytes, 0 when it fails */
async function download(port: number): Promise<number> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: '127.0.0.1', port, path: '/openapi.json', agent: false, timeout: TRANSFER_LIMIT_MS },
      (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => (bytes += chunk.length));
        response.on('end', () => resolve(bytes));
        response.on('error', () => resolve(0));
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
  });
}
