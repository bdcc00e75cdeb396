/**
 * The simplest workload from which a loss can be told: every node is given writes that nobody ever overwrites, and every
 * acknowledged one is looked for on every other node until it is readable there.
 */
import { FACT_PREFIX } from '../checkers/carried.ts';
import { poll } from '../cluster/poll.ts';
import type { History } from '../history/history.ts';
import { Loops } from './workload.ts';
import type { Member } from './member.ts';
import type { Workload, WorkloadModules } from './workload.ts';

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

export class UniqueFacts implements Workload {
  readonly #modules: WorkloadModules;
  readonly #history: History;
  readonly #options: UniqueFactsOptions;
  readonly #factsByWriter = new Map<string, GrowingFact[]>();
  readonly #writing: Loops;
  #count = 0;
  #isWatching = false;
  #watchers: readonly Promise<void>[] = [];

  constructor(modules: WorkloadModules, history: History, options: UniqueFactsOptions) {
    this.#modules = modules;
    this.#history = history;
    this.#options = options;
    this.#writing = new Loops(modules.time);
    for (const { node } of modules.members) this.#factsByWriter.set(node.name, []);
  }

  /** all acknowledged so far, in the order of acknowledgement per writer */
  get facts(): readonly Fact[] {
    return [...this.#factsByWriter.values()].flat();
  }

  factsOf(writer: string): readonly Fact[] {
    return this.#factsByWriter.get(writer) ?? [];
  }

  async prepare(): Promise<void> {}

  start(): void {
    const { members } = this.#modules;
    const { writeEveryMs } = this.#options;
    if (!this.#writing.isRunning)
      this.#writing.everyMember(members, writeEveryMs, (member) => this.writeOne(member));
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#watchers = members.flatMap((reader) =>
      members.filter((writer) => writer !== reader).map((writer) => this.#watch(reader, writer.node.name)),
    );
  }

  pause(): Promise<void> {
    return this.#writing.stop();
  }

  async stop(): Promise<void> {
    this.#isWatching = false;
    await Promise.all([this.pause(), ...this.#watchers]);
  }

  /** One write outside the rhythm. @returns null when it was not acknowledged */
  async writeOne(member: Member): Promise<Fact | null> {
    const { name } = member.node;
    this.#count += 1;
    const key = `${FACT_PREFIX}${name}/${String(this.#count).padStart(8, '0')}`;
    const written = await this.#modules.recorder.write(member, key, `${name}#${this.#count}`);
    if (written.outcome !== 'ok') return null;
    const { invokedAt, endedAt } = written;
    const fact: GrowingFact = { key, node: name, invokedAt, ackedAt: endedAt, seenAt: new Map() };
    this.#factsByWriter.get(name)?.push(fact);
    return fact;
  }

  /** One reader after one writer's facts, in their order. */
  async #watch({ node, client }: Member, writer: string): Promise<void> {
    const facts = this.#factsByWriter.get(writer) ?? [];
    let next = 0;
    while (this.#isWatching) {
      const fact = facts[next];
      if (fact !== undefined && node.state === 'running' && (await isReadable(client, fact.key))) {
        fact.seenAt.set(node.name, this.#history.add({ type: 'seen', node: node.name, key: fact.key }));
        next += 1;
      } else {
        await this.#modules.time.wait(this.#options.readEveryMs);
      }
    }
  }

  /** Resolves true when each of these is readable on all other running nodes. */
  async allSeen(facts: readonly Fact[], budgetMs: number, signal: AbortSignal): Promise<boolean> {
    const { time } = this.#modules;
    const everywhere = async () => (facts.every((fact) => this.#unseenBy(fact).length === 0) ? true : null);
    return (await poll(everywhere, { everyMs: 10, budgetMs, signal, time })) !== null;
  }

  #unseenBy(fact: Fact): readonly string[] {
    return this.#modules.members
      .filter(
        ({ node }) => node.name !== fact.node && node.state === 'running' && !fact.seenAt.has(node.name),
      )
      .map(({ node }) => node.name);
  }
}

/** Of the writes acknowledged since `from`: the longest time from the acknowledgement to being readable somewhere. */
export function longestUnseenMs(
  facts: readonly Fact[],
  from: number,
  readers: readonly string[],
  now: number,
): number {
  const times = facts.flatMap((fact) =>
    fact.ackedAt < from
      ? []
      : readers
          .filter((reader) => reader !== fact.node)
          .map((reader) => (fact.seenAt.get(reader) ?? now) - fact.ackedAt),
  );
  return Math.max(0, ...times);
}

async function isReadable(client: Member['client'], key: string): Promise<boolean> {
  try {
    return (await client.get(key)) !== null;
  } catch {
    return false;
  }
}
