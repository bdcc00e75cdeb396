/**
 * A partition of the container cluster: nftables rules in the namespaces of all nodes concerned. Evidence is what the
 * kernel counted per pair, and a matrix of probes from every node to every other on both ports, which must be exactly the
 * intended one.
 */
import { evidenceOf, FaultError } from './fault.ts';
import type { Check, Evidence, EvidenceOptions, Fault, Injected } from './fault.ts';
import type { CountedDrop } from './nft.ts';
import { renderRemoval, renderTable } from './nft.ts';
import { isCut } from './partition.ts';
import type { Reach, Sidecar } from './sidecar.ts';
import type { Grudges, SpecOf } from './spec.ts';

export interface CutNode {
  readonly name: string;
  readonly state: string;
  /** in the lab's network; asked anew every time, since a restart may change it */
  readonly address: string;
  readonly sidecar: Sidecar;
}

interface CutPorts {
  readonly cut: readonly number[];
  /** these must go on answering */
  readonly spared: readonly number[];
}

export const HTTP_PORT = 8000;
const P2P_PORT = 9000;

const PORTS: Readonly<Record<SpecOf<'partition'>['scope'], CutPorts>> = {
  p2p: { cut: [P2P_PORT], spared: [HTTP_PORT] },
  http: { cut: [HTTP_PORT], spared: [P2P_PORT] },
  both: { cut: [P2P_PORT, HTTP_PORT], spared: [] },
};

/** Longer than any cut of a scenario; then the kernel lifts it by itself. */
const TTL_SECONDS = 300;

export class NftCut implements Fault {
  readonly name = 'partition';
  readonly means: string;
  readonly #nodes: readonly CutNode[];
  readonly #grudges: Grudges;
  readonly #ports: CutPorts;
  /** of the last evidence: deleting the table deletes the counters */
  #last: Dropped = { count: 0, bytes: 0 };

  constructor(spec: SpecOf<'partition'>, nodes: readonly CutNode[]) {
    const ports = PORTS[spec.scope];
    this.#nodes = nodes;
    this.#grudges = spec.grudges;
    this.#ports = ports;
    const ends = this.#holders().length === 1 ? 'at one end' : 'at both ends';
    this.means = `nftables drop on INPUT of tcp ${ports.cut.join(' and ')} (sport and dport) ${ends}, lifted by the kernel after ${TTL_SECONDS} s`;
  }

  plan(): readonly string[] {
    const concerned = this.#concerned();
    const said = (node: CutNode, script: string): readonly string[] =>
      script
        .trimEnd()
        .split('\n')
        .map((line) => `${node.name}: ${line}`);
    return [
      ...concerned.flatMap((node) => said(node, renderTable(this.#dropsOf(node), TTL_SECONDS))),
      ...concerned.flatMap((node) => said(node, renderRemoval())),
    ];
  }

  async inject(): Promise<Injected> {
    const times = await Promise.all(
      this.#concerned().map((node) => node.sidecar.drop(this.#dropsOf(node), TTL_SECONDS)),
    );
    return { beganAt: Math.min(...times), completeAt: Math.max(...times) };
  }

  /** Lifted when the last namespace is free: before that nothing could heal. */
  async lift(): Promise<number> {
    const lifted = await Promise.allSettled(this.#concerned().map((node) => node.sidecar.lift()));
    const times = lifted.map((result) => {
      if (result.status === 'rejected')
        throw new FaultError('a rule could not be lifted', { cause: result.reason });
      return result.value;
    });
    return Math.max(...times);
  }

  async evidence(options: EvidenceOptions = {}): Promise<Evidence> {
    const read = await Promise.all(
      this.#concerned().map(async (node) => ({ node, table: await node.sidecar.read() })),
    );
    const checks: Check[] = read.map(({ node, table }) => ({
      claim: `${node.name}: the rules are in force as rendered`,
      holds: table !== null && table.rules === 2 && sameDrops(table.drops, this.#dropsOf(node)),
    }));
    const dropped = read.map(({ table }) => sum(table?.drops ?? []));
    checks.push(...this.#countedPairs(read));
    if (options.probes !== false) checks.push(...(await this.#matrix((a, b) => isCut(this.#grudges, a, b))));
    this.#last = { count: total(dropped, 'count'), bytes: total(dropped, 'bytes') };
    return evidenceOf(checks, this.#last);
  }

  async heal(options: EvidenceOptions = {}): Promise<Evidence> {
    await this.lift();
    const probed = options.probes === false ? [] : await this.#matrix(() => false);
    return evidenceOf(
      [{ claim: 'the table is gone from every namespace', holds: true }, ...probed],
      this.#last,
    );
  }

  /** Each pair is dead when one of its ends has dropped something: either end may have heard nothing to drop. */
  #countedPairs(read: readonly ReadTable[]): readonly Check[] {
    const pairs = this.#nodes.flatMap((a, i) => this.#nodes.slice(i + 1).map((b) => [a, b] as const));
    return pairs
      .filter(
        ([a, b]) => isCut(this.#grudges, a.name, b.name) && a.state === 'running' && b.state === 'running',
      )
      .map(([a, b]) => {
        const packets = [droppedFrom(read, a, b), droppedFrom(read, b, a)] as const;
        return {
          claim: `${a.name} and ${b.name}: packets dropped (${packets[0]} + ${packets[1]})`,
          holds: packets[0] + packets[1] > 0,
        };
      });
  }

  /** those who shall hold rules */
  #holders(): readonly CutNode[] {
    return this.#nodes.filter((node) => (this.#grudges[node.name]?.length ?? 0) > 0);
  }

  #concerned(): readonly CutNode[] {
    return this.#holders().filter((node) => node.state === 'running');
  }

  #dropsOf(node: CutNode): readonly { readonly peer: string; readonly port: number }[] {
    const grudge = new Set(this.#grudges[node.name]);
    return this.#nodes
      .filter((other) => grudge.has(other.name) && other.state === 'running')
      .flatMap((other) => this.#ports.cut.map((port) => ({ peer: other.address, port })));
  }

  /** Every node asks every other on all ports: what is spared answers everywhere, what is cut exactly where it shall. */
  async #matrix(shouldBeCut: (a: string, b: string) => boolean): Promise<readonly Check[]> {
    const running = this.#nodes.filter((node) => node.state === 'running');
    const rows = await Promise.all(
      running.map(async (from) => {
        const others = running.filter((node) => node !== from);
        const targets = others.flatMap((to) => {
          const wanted = wantedReach(shouldBeCut(from.name, to.name));
          return [
            ...this.#ports.cut.map((port) => ({ to, host: to.address, port, wanted })),
            ...this.#ports.spared.map((port) => ({ to, host: to.address, port, wanted: 'open' as const })),
          ];
        });
        const reaches = await from.sidecar.probe(targets);
        return targets.map((target, i) => ({ from, ...target, found: reaches[i] ?? 'refused' }));
      }),
    );
    const cells = rows.flat();
    const unlike = cells.filter((cell) => cell.found !== cell.wanted);
    return [
      {
        claim:
          unlike.length === 0
            ? `all ${cells.length} probes (every pair, every port) found what they should`
            : `probes found: ${unlike.map((cell) => `${cell.from.name}→${cell.to.name}:${cell.port} ${cell.found}, not ${cell.wanted}`).join('; ')}`,
        holds: unlike.length === 0,
      },
    ];
  }
}

interface ReadTable {
  readonly node: CutNode;
  readonly table: { readonly drops: readonly CountedDrop[] } | null;
}

/** packets of `from` that `at` has dropped */
function droppedFrom(read: readonly ReadTable[], at: CutNode, from: CutNode): number {
  const drops = read.find(({ node }) => node === at)?.table?.drops ?? [];
  return sum(drops.filter(({ peer }) => peer === from.address)).count;
}

interface Dropped {
  readonly count: number;
  readonly bytes: number;
}

function wantedReach(cut: boolean): Reach {
  return cut ? 'silent' : 'open';
}

function sameDrops(
  found: readonly CountedDrop[],
  wanted: readonly { readonly peer: string; readonly port: number }[],
): boolean {
  const names = (drops: readonly { readonly peer: string; readonly port: number }[]) =>
    drops
      .map(({ peer, port }) => `${peer}:${port}`)
      .toSorted()
      .join(' ');
  return names(found) === names(wanted);
}

function sum(drops: readonly CountedDrop[]): Dropped {
  return {
    count: drops.reduce((all, drop) => all + drop.packets, 0),
    bytes: drops.reduce((all, drop) => all + drop.bytes, 0),
  };
}

function total(list: readonly Dropped[], field: 'count' | 'bytes'): number {
  return list.reduce((all, dropped) => all + dropped[field], 0);
}
