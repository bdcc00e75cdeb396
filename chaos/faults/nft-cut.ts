/**
 * The P2P cut of the container cluster: nftables rules in the namespaces of all nodes concerned. Evidence is what the
 * kernel counted per pair, and a matrix of probes from every node to every other on both ports, which must be exactly the
 * intended one.
 */
import { evidenceOf, FaultError } from './fault.ts';
import type { Check, Evidence, Fault, Injected } from './fault.ts';
import type { CountedDrop } from './nft.ts';
import { isCut } from './partition.ts';
import type { Grudges } from './partition.ts';
import type { Reach, Sidecar } from './sidecar.ts';

export interface CutNode {
  readonly name: string;
  readonly state: string;
  /** in the lab's network; asked anew every time, since a restart may change it */
  readonly address: string;
  readonly sidecar: Sidecar;
}

export interface CutPorts {
  readonly p2pPort: number;
  readonly httpPort: number;
}

/** Longer than any cut of a scenario; then the kernel lifts it by itself. */
const TTL_SECONDS = 300;

export class NftCut implements Fault {
  readonly name = 'p2p-cut';
  readonly means: string;
  readonly #nodes: readonly CutNode[];
  readonly #grudges: Grudges;
  readonly #ports: CutPorts;
  /** of the last evidence: deleting the table deletes the counters */
  #last: Dropped = { count: 0, bytes: 0 };

  constructor(nodes: readonly CutNode[], grudges: Grudges, ports: CutPorts) {
    this.#nodes = nodes;
    this.#grudges = grudges;
    this.#ports = ports;
    this.means = `nftables drop on INPUT of tcp ${ports.p2pPort} (sport and dport) at both ends, lifted by the kernel after ${TTL_SECONDS} s`;
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

  async evidence(): Promise<Evidence> {
    const read = await Promise.all(
      this.#concerned().map(async (node) => ({ node, table: await node.sidecar.read() })),
    );
    const checks: Check[] = read.map(({ node, table }) => ({
      claim: `${node.name}: the rules are in force as rendered`,
      holds: table !== null && table.rules === 2 && sameDrops(table.drops, this.#dropsOf(node)),
    }));
    const dropped = read.map(({ table }) => sum(table?.drops ?? []));
    for (const { node, table } of read) {
      // Either end of a pair may have heard nothing to drop; the pair is dead when one of them did.
      for (const drop of table?.drops ?? []) {
        const other = read.find((candidate) => candidate.node.address === drop.peer);
        const back = other?.table?.drops.find((candidate) => candidate.peer === node.address);
        if (other !== undefined && node.name < other.node.name) {
          checks.push({
            claim: `${node.name} and ${other.node.name}: packets dropped (${drop.packets} + ${back?.packets ?? 0})`,
            holds: drop.packets + (back?.packets ?? 0) > 0,
          });
        }
      }
    }
    checks.push(...(await this.#matrix((a, b) => isCut(this.#grudges, a, b))));
    this.#last = { count: total(dropped, 'count'), bytes: total(dropped, 'bytes') };
    return evidenceOf(checks, this.#last);
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    return evidenceOf(
      [
        { claim: 'the table is gone from every namespace', holds: true },
        ...(await this.#matrix(() => false)),
      ],
      this.#last,
    );
  }

  #concerned(): readonly CutNode[] {
    return this.#nodes.filter(
      (node) => (this.#grudges.get(node.name)?.size ?? 0) > 0 && node.state === 'running',
    );
  }

  #dropsOf(node: CutNode): readonly { readonly peer: string; readonly port: number }[] {
    const grudge = this.#grudges.get(node.name) ?? new Set<string>();
    return this.#nodes
      .filter((other) => grudge.has(other.name) && other.state === 'running')
      .map((other) => ({ peer: other.address, port: this.#ports.p2pPort }));
  }

  /** Every node asks every other on both ports: HTTP answers everywhere, libp2p exactly where it shall. */
  async #matrix(shouldBeCut: (a: string, b: string) => boolean): Promise<readonly Check[]> {
    const running = this.#nodes.filter((node) => node.state === 'running');
    const rows = await Promise.all(
      running.map(async (from) => {
        const others = running.filter((node) => node !== from);
        const targets = others.flatMap((to) => [
          {
            to,
            host: to.address,
            port: this.#ports.p2pPort,
            wanted: wantedReach(shouldBeCut(from.name, to.name)),
          },
          { to, host: to.address, port: this.#ports.httpPort, wanted: 'open' as const },
        ]);
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
            ? `all ${cells.length} probes (every pair, libp2p and HTTP) found what they should`
            : `probes found: ${unlike.map((cell) => `${cell.from.name}→${cell.to.name}:${cell.port} ${cell.found}, not ${cell.wanted}`).join('; ')}`,
        holds: unlike.length === 0,
      },
    ];
  }
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
