/**
 * The network faults of the container cluster, by nftables in the nodes' namespaces: partitions that drop or reset,
 * random loss, latency, names that no longer resolve. Evidence is the table read back, what the kernel counted, and the matrix of
 * probes before, during and after.
 */
import { evidenceOf } from './fault.ts';
import type { Check, Evidence, EvidenceOptions, Fault, Injected } from './fault.ts';
import { HTTP_PORT, P2P_PORT } from './network-rules.ts';
import type { Demand, NetworkRules, RuledNode, Standing } from './network-rules.ts';
import { bucketBytes } from './nft.ts';
import type { Block, Pair } from './nft.ts';
import { holdsGrudge, isCut } from './partition.ts';
import type { Reach } from './sidecar.ts';
import type { FaultSpec, Scope, SpecOf } from './spec.ts';

const KINDS = ['partition', 'loss', 'latency', 'bandwidth', 'dns'] as const;
type NftSpec = SpecOf<(typeof KINDS)[number]>;

export function isNftSpec(spec: FaultSpec): spec is NftSpec {
  return KINDS.some((kind) => kind === spec.kind);
}

const PORTS: Readonly<Record<Scope, readonly number[]>> = {
  p2p: [P2P_PORT],
  http: [HTTP_PORT],
  both: [P2P_PORT, HTTP_PORT],
};

/** By this name all nodes are found; every one of them looks it up. */
export const DISCOVERY_NAME = 'node';
/** Of fewer packets the share that was lost says nothing. */
const PACKETS_MIN = 50;
/** Each is two dials per other node, and three to four packets per dial. */
const LOSS_KNOCKS = 6;
/** So long a transfer shall last after the first burst. */
const RATE_SECONDS = 2;
/** Two readings of a clock of milliseconds. */
const CLOCK_SLACK_MS = 3;
/** Kernel and clock round differently. */
const RATE_SLACK = 1.1;
/** How far a share may be from what is wanted, in standard deviations; more happens once in 16,000 looks. */
const DEVIATIONS_MAX = 4;

/** A check that rests on counters. */
interface Counted extends Check {
  /** a node, or two that are kept apart */
  readonly of: string;
}

const PAIR = ' and ';

export class NftFault implements Fault {
  readonly name: NftSpec['kind'];
  readonly means: string;
  readonly #spec: NftSpec;
  readonly #rules: NetworkRules;
  readonly #demand: Demand;
  #before: readonly Check[] = [];
  /** those of which something was counted before the lab itself had asked; null: not looked yet */
  #own: ReadonlySet<string> | null = null;
  /** of the last look: deleting a table deletes its counters */
  #last = { count: 0, bytes: 0 };

  constructor(spec: NftSpec, rules: NetworkRules) {
    this.name = spec.kind;
    this.means = `nftables: ${meansOf(spec)}, on a lease that the kernel ends`;
    this.#spec = spec;
    this.#rules = rules;
    this.#demand = {
      blockOf: (node, running) => blockOf(spec, node, running),
      reachOf: (from, to, port) => reachOf(spec, from, to, port),
    };
  }

  plan(): readonly string[] {
    return this.#rules.plan(this.#demand).flatMap(({ node, script }) =>
      script
        .trimEnd()
        .split('\n')
        .map((line) => `${node}: nft ${line}`),
    );
  }

  async inject(options: EvidenceOptions = {}): Promise<Injected> {
    this.#before = options.probes === false ? [] : [await this.#look('before')];
    return this.#rules.enforce(this.#demand);
  }

  async lift(): Promise<number> {
    return this.#rules.withdraw(this.#demand);
  }

  async evidence(options: EvidenceOptions = {}): Promise<Evidence> {
    let standings = await this.#rules.read(this.#demand);
    const checks: Check[] = [
      ...this.#before,
      ...standings.map(inForce),
      ...this.#rules.historyOf(this.#demand),
    ];
    if (standings.length === 0) checks.push({ claim: 'it is in force somewhere', holds: false });
    let counted = this.#counted(standings);
    // Counted before anything is asked: the best proof is the nodes' own traffic.
    this.#own ??= new Set(counted.filter(({ holds }) => holds).map(({ of }) => of));
    const own = this.#own;
    checks.push(...(await this.#measured(standings)));
    if (counted.some(({ holds }) => !holds)) {
      // Over a lung at rest they may say nothing for ten seconds, and those that were down say little.
      await this.#knock(counted);
      standings = await this.#rules.read(this.#demand);
      counted = this.#counted(standings);
    }
    for (const { of, claim, holds } of counted)
      checks.push({ claim: own.has(of) ? claim : `${claim}, of the lab's probes alone`, holds });
    if (options.probes !== false) checks.push(await this.#look('during'));
    this.#last = {
      count: standings.reduce((all, { stopped }) => all + stopped.packets, 0),
      bytes: standings.reduce((all, { stopped }) => all + stopped.bytes, 0),
    };
    return evidenceOf(checks, this.#last);
  }

  async heal(options: EvidenceOptions = {}): Promise<Evidence> {
    await this.lift();
    const checks: Check[] = [{ claim: 'its table is gone from every namespace', holds: true }];
    if (this.#spec.kind === 'dns') checks.push(...(await this.#names(this.#spec.nodes, true)));
    if (options.probes !== false) checks.push(await this.#look('after'));
    return evidenceOf(checks, this.#last);
  }

  /** What kernel and proxies have counted. */
  #counted(standings: readonly Standing[]): readonly Counted[] {
    switch (this.#spec.kind) {
      case 'partition':
        return countedPairs(this.#spec, this.#rules.running, standings);
      case 'loss':
        return countedLosses(this.#spec.percent, standings);
      case 'latency':
        return standings.map(({ node, delayed }) => ({
          of: node.name,
          claim: `${node.name}: ${delayed} chunks came later than they were sent`,
          holds: delayed > 0,
        }));
      case 'bandwidth':
        return standings.map(({ node, stopped: { packets } }) => ({
          of: node.name,
          claim: `${node.name}: ${packets} packets were too much`,
          holds: packets > 0,
        }));
      case 'dns':
        return [];
    }
  }

  async #measured(standings: readonly Standing[]): Promise<readonly Check[]> {
    switch (this.#spec.kind) {
      case 'partition':
      case 'loss':
        return [];
      case 'latency':
        return this.#delays(this.#spec, standings);
      case 'bandwidth':
        return this.#rates(this.#spec, standings);
      case 'dns':
        return this.#names(this.#spec.nodes, false);
    }
  }

  /** Delays and rates have been measured: that was traffic enough. */
  async #knock(counted: readonly Counted[]): Promise<void> {
    const quiet = counted.filter(({ holds }) => !holds).flatMap(({ of }) => of.split(PAIR));
    if (this.#spec.kind === 'partition') await this.#rules.knock(quiet);
    if (this.#spec.kind === 'loss') for (let i = 0; i < LOSS_KNOCKS; i += 1) await this.#rules.knock(quiet);
  }

  async #look(when: string): Promise<Check> {
    const { claim, holds } = await this.#rules.matrix();
    return { claim: `${when}: ${claim}`, holds };
  }

  /** Asked from inside the node, whose own connections alone are led through the proxy. */
  async #delays(
    { ms, jitterMs, scope, nodes }: SpecOf<'latency'>,
    standings: readonly Standing[],
  ): Promise<readonly Check[]> {
    const port = scope === 'p2p' ? P2P_PORT : HTTP_PORT;
    const measured = standings
      .filter(({ node }) => nodes.includes(node.name) && node.state === 'running')
      .flatMap(({ node }) => {
        const to = this.#rules.running.find(({ name, state }) => name !== node.name && state === 'running');
        return to === undefined ? [] : [{ node, to }];
      })
      .map(async ({ node, to }) => {
        const ends = nodes.includes(to.name) ? 2 : 1;
        // libp2p's listener speaks first; HTTP's hears the question before.
        const least = (port === HTTP_PORT ? 2 : 1) * ends * Math.max(0, ms - jitterMs);
        const quickest = Number(await node.inside(firstByteAfter(to.address, port)));
        return {
          claim: `${node.name} → ${to.name}:${port}: first byte after ${quickest} ms (${least} at least)`,
          holds: Number.isFinite(quickest) && quickest >= least - CLOCK_SLACK_MS,
        };
      });
    return Promise.all(measured);
  }

  /** Another node reads what the struck one always has to say, as fast as it comes. */
  async #rates({ kBps }: SpecOf<'bandwidth'>, standings: readonly Standing[]): Promise<readonly Check[]> {
    return Promise.all(
      standings.map(async ({ node }) => {
        const reader = this.#rules.running.find(({ name }) => name !== node.name);
        const wanted = bucketBytes(kBps) + RATE_SECONDS * kBps * 1024;
        const { bytes, ms } = (await reader?.sidecar.download(node.address, HTTP_PORT, wanted)) ?? {
          bytes: 0,
          ms: 1,
        };
        const rate = (bytes - bucketBytes(kBps)) / 1024 / (ms / 1000);
        return {
          claim: `${reader?.name} ← ${node.name}: ${bytes} bytes in ${ms} ms, ${rate.toFixed(1)} kB/s after the first burst (${kBps} at most)`,
          holds: rate > 0 && rate <= kBps * RATE_SLACK,
        };
      }),
    );
  }

  async #names(nodes: readonly string[], wanted: boolean): Promise<readonly Check[]> {
    return Promise.all(
      this.#rules.running
        .filter(({ name }) => nodes.includes(name))
        .map(async ({ name, sidecar }) => {
          const found = await sidecar.resolves(DISCOVERY_NAME);
          return { claim: `${name}: names ${found ? '' : 'do not '}resolve`, holds: found === wanted };
        }),
    );
  }
}

function meansOf(spec: NftSpec): string {
  switch (spec.kind) {
    case 'partition': {
      const ports = `tcp ${PORTS[spec.scope].join(' and ')} (sport and dport)`;
      const ends = Object.values(spec.grudges).filter((others) => others.length > 0).length;
      const where = ends === 1 ? 'at one end' : 'at both ends';
      return `${spec.how === 'drop' ? 'drop' : 'reject with tcp reset'} on INPUT of ${ports} ${where}`;
    }
    case 'loss':
      return `drop ${spec.percent} % of tcp ${PORTS[spec.scope].join(' and ')} at random at ${spec.nodes.join(', ')}`;
    case 'latency':
      return `lead what is dialled into and out of ${spec.nodes.join(', ')} (tcp ${PORTS[spec.scope].join(' and ')}) through proxies that are ${spec.ms} ± ${spec.jitterMs} ms late each way; what was dialled before is reset`;
    case 'bandwidth':
      return `drop what is more than ${spec.kBps} kB/s, into and out of ${spec.nodes.join(', ')}`;
    case 'dns':
      return `drop every answer of the resolver at ${spec.nodes.join(', ')}`;
  }
}

function blockOf(spec: NftSpec, { name }: RuledNode, running: readonly RuledNode[]): Block | null {
  const pairsWith = (isMeant: (other: string) => boolean, scope: Scope): readonly Pair[] =>
    running
      .filter((other) => other.name !== name && isMeant(other.name))
      .flatMap(({ address }) => PORTS[scope].map((port) => ({ peer: address, port })));
  switch (spec.kind) {
    case 'partition': {
      const pairs = pairsWith((other) => holdsGrudge(spec.grudges, name, other), spec.scope);
      return pairs.length === 0 ? null : { kind: 'pairs', how: spec.how, pairs };
    }
    case 'loss': {
      // Between nodes only: the lab's own questions come from elsewhere and are not lost.
      const pairs = pairsWith(() => spec.nodes.includes(name), spec.scope);
      return pairs.length === 0 ? null : { kind: 'loss', pairs, percent: spec.percent };
    }
    case 'latency': {
      const { nodes, ms, jitterMs, scope } = spec;
      const isStruck = (one: string): boolean => nodes.includes(one);
      const pairs = running
        .filter((other) => other.name !== name && (isStruck(name) || isStruck(other.name)))
        .flatMap(({ name: other, address }) => {
          // Through two ends that are slow it takes twice as long, through one proxy.
          const ends = isStruck(name) && isStruck(other) ? 2 : 1;
          return PORTS[scope].map((port) => ({
            peer: address,
            port,
            listen: proxyPort(address, port),
            ms: ms * ends,
            jitterMs: jitterMs * ends,
          }));
        });
      return pairs.length === 0 ? null : { kind: 'delay', pairs };
    }
    case 'bandwidth': {
      const pairs = pairsWith(() => spec.nodes.includes(name), 'both');
      return pairs.length === 0 ? null : { kind: 'rate', pairs, kBps: spec.kBps };
    }
    case 'dns':
      return spec.nodes.includes(name) ? { kind: 'dns' } : null;
  }
}

function reachOf(spec: NftSpec, from: string, to: string, port: number): readonly Reach[] | null {
  switch (spec.kind) {
    case 'partition':
      if (!PORTS[spec.scope].includes(port)) return null;
      // The question is stopped at the other end, or else its answer at this end, which tells only who has answered.
      if (holdsGrudge(spec.grudges, to, from)) return [spec.how === 'drop' ? 'silent' : 'refused'];
      return holdsGrudge(spec.grudges, from, to) ? ['silent'] : null;
    case 'loss':
    case 'bandwidth': {
      const ports = PORTS[spec.kind === 'loss' ? spec.scope : 'both'];
      const touched = spec.nodes.includes(from) || spec.nodes.includes(to);
      return touched && ports.includes(port) ? ['open', 'silent'] : null;
    }
    case 'latency':
    case 'dns':
      return null;
  }
}

/** Below the ephemeral ports, and another for every address of the lab's network. */
function proxyPort(address: string, port: number): number {
  const [high = 0, low = 0] = address.split('.').slice(2).map(Number);
  return 12_000 + 2 * ((high * 256 + low) % 8_000) + (port === HTTP_PORT ? 1 : 0);
}

/** The quickest of three, in milliseconds. */
function firstByteAfter(host: string, port: number): string {
  return `best=999999; for i in 1 2 3; do
s=$(date +%s%3N); exec 3<>/dev/tcp/${host}/${port} || exit 1; printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3
timeout 20 head -c 1 <&3 >/dev/null; t=$(($(date +%s%3N) - s)); exec 3>&-; [ $t -lt $best ] && best=$t; done; echo $best`;
}

/** The kernel has what was rendered, and that is against all whom it must be against now. */
function inForce({ node, block, rendered, listing }: Standing): Check {
  const has = listing === null ? '' : namesOf(listing.pairs);
  const present = new Set(has.split(' '));
  return {
    claim: `${node.name}: the rules are in force as rendered`,
    holds:
      listing !== null &&
      rendered !== null &&
      listing.leaseSeconds > 0 &&
      has === pairsOf(rendered) &&
      pairsOf(block)
        .split(' ')
        .every((pair) => present.has(pair)) &&
      listing.chains.get(block.kind === 'delay' ? 'detour' : 'input')?.length === rulesOf(block),
  };
}

/** of the chain that tells */
function rulesOf(block: Block): number {
  if (block.kind === 'delay') return block.pairs.length;
  return block.kind === 'dns' ? 1 : 2;
}

function pairsOf(block: Block): string {
  return block.kind === 'dns' ? '' : namesOf(block.pairs);
}

function namesOf(pairs: readonly { readonly peer: string; readonly port: number }[]): string {
  return pairs
    .map(({ peer, port }) => `${peer}:${port}`)
    .toSorted()
    .join(' ');
}

/** Each pair is dead when one of its ends has stopped something: either end may have heard nothing to stop. */
function countedPairs(
  { grudges }: SpecOf<'partition'>,
  nodes: readonly RuledNode[],
  standings: readonly Standing[],
): readonly Counted[] {
  const stoppedAt = (at: RuledNode, from: RuledNode): number =>
    standings.find(({ node }) => node.name === at.name)?.stopped.from.get(from.name) ?? 0;
  return nodes.flatMap((a, i) =>
    nodes
      .slice(i + 1)
      .filter((b) => isCut(grudges, a.name, b.name))
      .map((b) => {
        const packets = [stoppedAt(a, b), stoppedAt(b, a)] as const;
        return {
          of: `${a.name}${PAIR}${b.name}`,
          claim: `${a.name} and ${b.name}: packets stopped (${packets[0]} + ${packets[1]})`,
          holds: packets[0] + packets[1] > 0,
        };
      }),
  );
}

function countedLosses(percent: number, standings: readonly Standing[]): readonly Counted[] {
  return standings.map(({ node, stopped: { rules } }) => {
    const [seen = 0, lost = 0] = rules;
    const share = percent / 100;
    const slack = DEVIATIONS_MAX * Math.sqrt(seen * share * (1 - share));
    return {
      of: node.name,
      claim: `${node.name}: ${lost} of ${seen} packets lost (${percent} % wanted, at least ${PACKETS_MIN} to tell)`,
      holds: seen >= PACKETS_MIN && lost > 0 && Math.abs(lost - seen * share) <= slack,
    };
  });
}
