/**
 * Fresh writes, one every so often on rotating nodes, each a key of its own, and when each was readable on every node that
 * is connected. A node is asked when it says that its root has changed, so that a write costs one read per node.
 */
import http from 'node:http';
import type { ClusterNode } from '../chaos/cluster/port.ts';
import type { Watches } from './failover-watch.ts';

/** Times in ms since the epoch. */
export interface Fact {
  readonly key: string;
  readonly writer: string;
  readonly ackedAt: number;
  /** by reader; null: not yet */
  readonly seenAt: ReadonlyMap<string, number | null>;
}

interface GrowingFact extends Fact {
  readonly seenAt: Map<string, number | null>;
  /** by reader: it was certainly not there before, because it was not written yet or was asked for in vain */
  readonly absentAt: Map<string, number>;
}

export interface FactsOptions {
  readonly everyMs: number;
  readonly apiToken: string | null;
}

/** A root that changed between two looks would not be asked about again. */
const LOOK_AGAIN_MS = 50;
const ANSWER_LIMIT_MS = 3_000;

export class Facts {
  readonly #nodes: ReadonlyMap<string, ClusterNode>;
  readonly #watches: Watches;
  readonly #options: FactsOptions;
  readonly #agents = new Map<string, http.Agent>();
  /** what each reader has still to show, oldest first */
  readonly #unseen = new Map<string, GrowingFact[]>();
  readonly #looking = new Set<string>();
  readonly #lookAgain = new Set<string>();
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #facts: Fact[] = [];
  #connected: readonly string[];
  #writers: readonly string[] = [];
  #turn = 0;
  #count = 0;
  #refused = 0;

  constructor(nodes: readonly ClusterNode[], watches: Watches, options: FactsOptions) {
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#watches = watches;
    this.#options = options;
    this.#connected = nodes.map(({ name }) => name);
    for (const { name } of nodes) {
      this.#agents.set(name, new http.Agent({ keepAlive: true, maxSockets: 8 }));
      this.#unseen.set(name, []);
    }
    watches.onChange(({ name }) => void this.#look(name));
    this.#timers = [
      setInterval(() => this.#writeNext(), options.everyMs),
      setInterval(() => this.#lookEverywhere(), LOOK_AGAIN_MS),
    ];
  }

  /** acknowledged so far */
  get facts(): readonly Fact[] {
    return this.#facts;
  }

  /** writes of the rhythm that were not acknowledged */
  get refused(): number {
    return this.#refused;
  }

  /** Who writes from now on, in turns, and who must see it; nobody else is asked any more. */
  rotate(writers: readonly string[], connected: readonly string[]): void {
    this.#writers = writers;
    this.#connected = connected;
    for (const [name, facts] of this.#unseen) if (!connected.includes(name)) facts.length = 0;
  }

  pause(): void {
    this.#writers = [];
  }

  /** Whether everything acknowledged is seen by all that must see it. */
  get allSeen(): boolean {
    return [...this.#unseen.values()].every((facts) => facts.length === 0);
  }

  /** @returns null when it was not acknowledged */
  async write(writer: string): Promise<Fact | null> {
    this.#count += 1;
    const invokedAt = Date.now();
    const key = `bench/${String(this.#count).padStart(7, '0')}`;
    const status = await this.#request(writer, 'PUT', key, JSON.stringify({ value: this.#count }));
    if (status !== 200 && status !== 201) return null;
    const readers = this.#connected.includes(writer) ? this.#connected.filter((name) => name !== writer) : [];
    const fact: GrowingFact = {
      key,
      writer,
      ackedAt: Date.now(),
      seenAt: new Map(readers.map((name) => [name, null])),
      absentAt: new Map(readers.map((name) => [name, invokedAt])),
    };
    this.#facts.push(fact);
    for (const name of readers) {
      this.#unseen.get(name)?.push(fact);
      void this.#look(name);
    }
    return fact;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const agent of this.#agents.values()) agent.destroy();
  }

  #writeNext(): void {
    const writer = this.#writers[this.#turn++ % Math.max(1, this.#writers.length)];
    if (writer === undefined) return;
    void this.write(writer).then((fact) => {
      if (fact === null) this.#refused += 1;
      this.#watches.look();
    });
  }

  #lookEverywhere(): void {
    const before = Date.now() - LOOK_AGAIN_MS;
    for (const [name, facts] of this.#unseen)
      if (facts[0] !== undefined && facts[0].ackedAt < before) void this.#look(name);
  }

  /** Asks a reader for the oldest unseen write of each writer, and for the next one where that is there. */
  async #look(reader: string): Promise<void> {
    this.#lookAgain.add(reader);
    if (this.#looking.has(reader)) return;
    this.#looking.add(reader);
    while (this.#lookAgain.delete(reader)) {
      const facts = this.#unseen.get(reader) ?? [];
      const silent = new Set<string>();
      for (const fact of facts.slice()) {
        if (silent.has(fact.writer) || !facts.includes(fact)) continue;
        const askedAt = Date.now();
        const status = await this.#request(reader, 'GET', fact.key);
        if (status === 404) fact.absentAt.set(reader, askedAt);
        if (status === 200) {
          fact.seenAt.set(reader, this.#readableSince(reader, fact));
          if (facts.includes(fact)) facts.splice(facts.indexOf(fact), 1);
        } else silent.add(fact.writer);
      }
    }
    this.#looking.delete(reader);
    this.#watches.look();
  }

  /** The reader's last change of root, where that came after the write was last known to be absent. */
  #readableSince(reader: string, fact: GrowingFact): number {
    const changedAt = this.#watches.all.find(({ name }) => name === reader)?.root.at ?? 0;
    return changedAt >= (fact.absentAt.get(reader) ?? 0) ? changedAt : Date.now();
  }

  /** @returns the status; null without an answer */
  async #request(name: string, method: 'GET' | 'PUT', key: string, body?: string): Promise<number | null> {
    const node = this.#nodes.get(name);
    const agent = this.#agents.get(name);
    if (node?.state !== 'running' || agent === undefined) return null;
    const url = `${node.url}/api/lattice/state/${encodeURIComponent(key)}`;
    const { apiToken } = this.#options;
    const headers = {
      ...(apiToken === null ? {} : { authorization: `Bearer ${apiToken}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    return new Promise((resolve) => {
      const request = http.request(url, { method, agent, headers, timeout: ANSWER_LIMIT_MS }, (response) => {
        response.resume();
        response.once('close', () => resolve(response.statusCode ?? null));
      });
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(null));
      request.end(body);
    });
  }
}

/**
 * How long a write stayed unseen on the node that saw it last.
 * @param now stands for the time of those that have not seen it
 */
export function unseenMs(fact: Fact, now: number): number {
  return Math.max(0, ...[...fact.seenAt.values()].map((at) => (at ?? now) - fact.ackedAt));
}
