/**
 * The simplest workload from which a loss can be told: every node is given writes that nobody ever overwrites, and every
 * acknowledged one is looked for on every other node until it is readable there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { poll } from '../cluster/poll.ts';
import type { History } from '../history/history.ts';
import type { Member } from './observer.ts';

export interface UniqueFactsOptions {
  /** between two writes to one node; a message costs each node 2–4 ms of CPU, so the nodes of a small machine share it */
  readonly writeEveryMs: number;
  /** between two looks for one write on one node: the error of every measured visibility */
  readonly readEveryMs: number;
}

/** An acknowledged write, and when it was first readable where. */
export interface Fact {
  readonly key: string;
  readonly node: string;
  readonly invokedAt: number;
  readonly ackedAt: number;
  readonly seenAt: ReadonlyMap<string, number>;
}

interface GrowingFact extends Fact {
  readonly seenAt: Map<string, number>;
}

export class UniqueFacts {
  readonly #members: readonly Member[];
  readonly #history: History;
  readonly #options: UniqueFactsOptions;
  readonly #factsByWriter = new Map<string, GrowingFact[]>();
  #operations = 0;
  #writing = false;
  #watching = false;
  #writers: readonly Promise<void>[] = [];
  #watchers: readonly Promise<void>[] = [];

  constructor(members: readonly Member[], history: History, options: UniqueFactsOptions) {
    this.#members = members;
    this.#history = history;
    this.#options = options;
    for (const { node } of members) this.#factsByWriter.set(node.name, []);
  }

  /** all acknowledged so far, in the order of acknowledgement per writer */
  get facts(): readonly Fact[] {
    return [...this.#factsByWriter.values()].flat();
  }

  factsOf(writer: string): readonly Fact[] {
    return this.#factsByWriter.get(writer) ?? [];
  }

  start(): void {
    this.#watching = true;
    this.#watchers = this.#members.flatMap((reader) =>
      this.#members
        .filter((writer) => writer !== reader)
        .map((writer) => this.#watch(reader, writer.node.name)),
    );
    this.resume();
  }

  resume(): void {
    if (this.#writing) return;
    this.#writing = true;
    this.#writers = this.#members.map((member, i) =>
      this.#write(member, (i / this.#members.length) * this.#options.writeEveryMs),
    );
  }

  /** Ends the writing; resolves when the last write has its outcome. */
  async pause(): Promise<void> {
    this.#writing = false;
    await Promise.all(this.#writers);
  }

  async stop(): Promise<void> {
    this.#watching = false;
    await Promise.all([this.pause(), ...this.#watchers]);
  }

  /** One write outside the rhythm. @returns null when it was not acknowledged */
  async writeOne({ node, client }: Member): Promise<Fact | null> {
    this.#operations += 1;
    const op = this.#operations;
    const key = `fact/${node.name}/${String(op).padStart(8, '0')}`;
    const value = `${node.name}#${op}`;
    const invokedAt = this.#history.add({ type: 'invoke', op, node: node.name, key, value });
    const result = await client.put(key, value);
    if (result.outcome !== 'ok') {
      this.#history.add({ type: result.outcome, op, node: node.name, key, reason: result.reason });
      return null;
    }
    const ackedAt = this.#history.add({ type: 'ok', op, node: node.name, key });
    const fact: GrowingFact = { key, node: node.name, invokedAt, ackedAt, seenAt: new Map() };
    this.#factsByWriter.get(node.name)?.push(fact);
    return fact;
  }

  async #write(member: Member, offsetMs: number): Promise<void> {
    // The writers take turns instead of all hitting at once.
    await delay(offsetMs);
    while (this.#writing) {
      const next = delay(this.#options.writeEveryMs);
      if (member.node.state === 'running') await this.writeOne(member);
      await next;
    }
  }

  /** One reader after one writer's facts, in their order. */
  async #watch({ node, client }: Member, writer: string): Promise<void> {
    const facts = this.#factsByWriter.get(writer) ?? [];
    let next = 0;
    while (this.#watching) {
      const fact = facts[next];
      if (fact !== undefined && node.state === 'running' && (await isReadable(client, fact.key))) {
        fact.seenAt.set(node.name, this.#history.add({ type: 'seen', node: node.name, key: fact.key }));
        next += 1;
      } else {
        await delay(this.#options.readEveryMs);
      }
    }
  }

  /** Resolves true when each of these is readable on all other running nodes. */
  async allSeen(facts: readonly Fact[], budgetMs: number, signal: AbortSignal): Promise<boolean> {
    const everywhere = async () => (facts.every((fact) => this.#unseenBy(fact).length === 0) ? true : null);
    return (await poll(everywhere, { everyMs: 10, budgetMs, signal })) !== null;
  }

  #unseenBy(fact: Fact): readonly string[] {
    return this.#members
      .filter(
        ({ node }) => node.name !== fact.node && node.state === 'running' && !fact.seenAt.has(node.name),
      )
      .map(({ node }) => node.name);
  }
}

async function isReadable(client: Member['client'], key: string): Promise<boolean> {
  try {
    return (await client.get(key)) !== null;
  } catch {
    return false;
  }
}
