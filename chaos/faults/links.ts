/**
 * All links of a process cluster and what the faults in force demand of them. The matrix asks through every forwarder, as
 * a node would dial, and must find exactly what all of them together intend.
 */
import net from 'node:net';
import type { Check } from './fault.ts';
import type { Condition, Forwarder } from './forwarder.ts';
import { checkMatrix } from './matrix.ts';
import type { Reach } from './sidecar.ts';
import type { Scope } from './spec.ts';

/** What one lung of `from` dials to `to`. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly lung: Exclude<Scope, 'both'>;
  readonly forwarder: Forwarder;
}

/** What a fault demands of a link; null: nothing. Asked once per link and fault. */
export type Demand = (link: Link) => Condition | null;

export interface Probe {
  readonly reach: Reach;
  /** from the dial to the first byte, or until it was given up */
  readonly ms: number;
}

/** A node on loopback answers within milliseconds; what a delay adds comes on top. */
const PROBE_MS = 700;

export class Links {
  readonly #links: () => readonly Link[];
  readonly #isRunning: (name: string) => boolean;
  readonly #active = new Map<Demand, Map<Link, Condition>>();

  constructor(links: () => readonly Link[], isRunning: (name: string) => boolean) {
    this.#links = links;
    this.#isRunning = isRunning;
  }

  /** The links that a demand concerns, and how. */
  plan(demand: Demand): readonly { readonly link: Link; readonly condition: Condition }[] {
    return this.#links().flatMap((link) => {
      const condition = demand(link);
      return condition === null ? [] : [{ link, condition }];
    });
  }

  impose(demand: Demand): readonly Link[] {
    const imposed = new Map(this.plan(demand).map(({ link, condition }) => [link, condition] as const));
    this.#active.set(demand, imposed);
    for (const [link, condition] of imposed) link.forwarder.impose(condition);
    return [...imposed.keys()];
  }

  /** A link that came while faults are in force gets what they demand of it. */
  welcome(link: Link): void {
    for (const [demand, imposed] of this.#active) {
      const condition = demand(link);
      if (condition === null) continue;
      imposed.set(link, condition);
      link.forwarder.impose(condition);
    }
  }

  lift(demand: Demand): void {
    for (const [link, condition] of this.#active.get(demand) ?? []) link.forwarder.lift(condition);
    this.#active.delete(demand);
  }

  isInForce(demand: Demand): boolean {
    return this.#active.has(demand) && this.#isAsIntended;
  }

  isGone(demand: Demand): boolean {
    return !this.#active.has(demand) && this.#isAsIntended;
  }

  /** Every running node is dialled by every other over both lungs, through their forwarders. */
  matrix(): Promise<Check> {
    return checkMatrix(async () => {
      const links = this.#links().filter(({ from, to }) => this.#isRunning(from) && this.#isRunning(to));
      return Promise.all(
        links.map(async (link) => {
          const wanted = wantedOf(this.#intendedOf(link));
          const { reach } = await probe(link);
          const found = `${link.from}→${link.to} ${link.lung} ${reach}, not ${wanted}`;
          return { isAsWanted: reach === wanted, found };
        }),
      );
    }, 'every ordered pair, every lung');
  }

  /** Dials through these links, where both ends run, so that there is something to keep back. What becomes of it is not asked. */
  async knock(links: readonly Link[]): Promise<void> {
    await Promise.all(
      links.filter(({ from, to }) => this.#isRunning(from) && this.#isRunning(to)).map((link) => probe(link)),
    );
  }

  /** Every forwarder holds what the faults in force demand of it, and nothing else. */
  get #isAsIntended(): boolean {
    return this.#links().every((link) => {
      const intended = new Set(this.#intendedOf(link));
      const { conditions } = link.forwarder;
      return conditions.length === intended.size && conditions.every((one) => intended.has(one));
    });
  }

  #intendedOf(link: Link): readonly Condition[] {
    return [...this.#active.values()].flatMap((imposed) => imposed.get(link) ?? []);
  }
}

function wantedOf(conditions: readonly Condition[]): Reach {
  if (conditions.some(({ reset }) => reset)) return 'refused';
  return conditions.some(({ silence }) => silence !== undefined) ? 'silent' : 'open';
}

/** Dials through the link's forwarder. A libp2p listener speaks first; an HTTP server is asked. */
export async function probe({ forwarder, lung }: Link): Promise<Probe> {
  const startedAt = performance.now();
  const slowest = forwarder.conditions
    .flatMap(({ delays = [] }) => delays)
    .reduce((sum, { ms, jitterMs }) => sum + 2 * (ms + jitterMs), PROBE_MS);
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port: forwarder.port });
    const settle = (reach: Reach): void => {
      socket.destroy();
      resolve({ reach, ms: performance.now() - startedAt });
    };
    socket.setTimeout(slowest, () => settle('silent'));
    socket.once('connect', () => {
      if (lung === 'http') socket.write('GET /health HTTP/1.0\r\n\r\n');
    });
    socket.once('data', () => settle('open'));
    socket.once('error', () => settle('refused'));
    socket.once('close', () => settle('refused'));
  });
}
