/**
 * The driver of the pure core: queues nothing but durability. Each input but writes is stepped at once; what its effects may tell
 * others (replies, records, answers) is held until everything stepped before it is on disk. What is stepped in one turn of the
 * event loop shares a commit, unless it is much, and while one is under way the next gathers: group commit. Own records that came
 * without a signature get it with their commit.
 *
 * Heartbeats, polls, resets, timers and events do not wait: they carry no record. While the store refuses commits, the
 * rest goes on as well, without the records that are not durable (durable-view.ts).
 */
import type { Clock, Keeper, Logger, Lung, LungEffect, StoreMeta, WriteAnswer } from '../ports.ts';
import type {
  AckDemand,
  Effect,
  Input,
  Precondition,
  TimerName,
  WriteEntry,
  WriteRequest,
} from '../protocol/border.ts';
import { CodecError } from '../protocol/codec.ts';
import type { Core, Now } from '../protocol/core.ts';
import type { LatticeEvent, LungName } from '../protocol/events.ts';
import { encodeBatch } from '../protocol/gossip/batch.ts';
import type { Digest, RecordId } from '../protocol/ids.ts';
import { encodeKnowledge, type Knowledge } from '../protocol/state/knowledge.ts';
import type { SignedRecord } from '../protocol/state/record.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import { encodeReply, encodeRequest } from '../protocol/sync/codec.ts';
import { recordsOf } from '../protocol/sync/messages.ts';
import { Pending } from './pending.ts';
import { seenOf, withoutUndurable, type Seen, type Telling } from './durable-view.ts';

export interface DriverModules {
  readonly core: Core;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lungs: Readonly<Partial<Record<LungName, Lung>>>;
  /** every event of the core, in order */
  readonly emit: (event: LatticeEvent) => void;
  readonly stepped?: (seconds: number) => void;
  readonly committed?: (seconds: number) => void;
}

export interface DriverOptions {
  /** How long an exchange of anti-entropy may take, in ms. Default 2000. Beyond, the session ends and starts anew elsewhere. */
  readonly exchangeTimeoutMs: number;
  /** Pause before a failed commit is tried again, in ms. Default 500. */
  readonly commitRetryMs: number;
}

export const DRIVER_DEFAULTS: DriverOptions = { exchangeTimeoutMs: 2_000, commitRetryMs: 500 };

/** The node is going down and takes no more writes. */
class NodeStoppingError extends Error {
  readonly code = 'node_stopping';
  constructor() {
    super('the node is stopping');
    this.name = 'NodeStoppingError';
  }
}

interface RootAndSize {
  readonly root: Digest;
  readonly size: number;
}

/** What one commit will make durable, and what waits for it. */
interface Group {
  readonly put: Map<number, SignedRecord>;
  readonly remove: Set<number>;
  /** own records, in `put` or replaced already, to be signed before anything of this group leaves */
  readonly drafts: StoredRecord[];
  meta: Omit<StoreMeta, 'knowledge'> & { readonly knowledge: () => Knowledge };
  /** each key that it changes, with what lived of it before */
  readonly before: Map<string, readonly SignedRecord[]>;
  held: Effect[];
  done: ((isDurable: boolean) => void)[];
}

interface Write {
  readonly resolve: (answer: WriteAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class Driver {
  readonly #modules: DriverModules;
  readonly #options: DriverOptions;
  readonly #timers = new Map<TimerName, () => void>();
  readonly #writes = new Pending<Write>();
  /** writes that were not stepped yet, and how many entries they have */
  #asked: WriteRequest[] = [];
  #askedEntries = 0;
  readonly #answers = new Map<number, (bytes: Uint8Array | null) => void>();
  /** questions that brought records: an answer says that they are durable */
  readonly #offers = new Set<number>();
  readonly #changeListeners = new Set<() => void>();
  #durableState: RootAndSize;
  #gathering: Group | null = null;
  #committing: Group | null = null;
  #isCommitting = false;
  /** ends the wait for more */
  #enough = (): void => undefined;
  #failure: Error | null = null;
  #nextExchange = 1;
  #stopping = false;

  constructor(modules: DriverModules, options: DriverOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#durableState = this.#state();
  }

  /** Why the last commit failed, while it is being retried: nothing new was acknowledged since. */
  get failure(): Error | null {
    return this.#failure;
  }

  now(): Now {
    const { clock } = this.#modules;
    return { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs(), lagMs: clock.lagMs?.() ?? 0 };
  }

  dispatch(input: Input): void {
    const startedAt = performance.now();
    if (input.type === 'asked' && recordsOf(input.message).length > 0) this.#offers.add(input.exchange);
    const effects = this.#modules.core.step(input, this.now());
    this.#modules.stepped?.((performance.now() - startedAt) / 1000);
    let changed = false;
    for (const effect of effects) {
      if (effect.type === 'persist') {
        this.#gather(effect);
        changed = true;
      } else this.#release(effect);
    }
    if (changed) for (const listener of this.#changeListeners) listener();
  }

  /** Resolves when the records are durable here. */
  write(
    entries: readonly WriteEntry[],
    precondition: Precondition | null,
    acks: AckDemand | null = null,
  ): Promise<WriteAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#stopping) throw new NodeStoppingError();
      if (this.#failure !== null) throw this.#failure;
      const request = this.#writes.add({ resolve, reject });
      this.#asked.push({ request, entries, precondition, acks });
      this.#askedEntries += entries.length;
      if (this.#askedEntries >= STEP_ENTRIES_MAX) this.#stepWrites();
      else if (this.#asked.length === 1 && this.#committing === null) setImmediate(() => this.#stepWrites());
    });
  }

  /**
   * All writes that one turn of the event loop brought, or came while a commit was under way, which they wait for anyway: a step for each
   * would cost a tenth of what a write costs, and to wake the writing thread for each as much as to sign it.
   */
  #stepWrites(): void {
    if (this.#asked.length === 0) return;
    const writes = this.#asked;
    this.#asked = [];
    this.#askedEntries = 0;
    if (this.#failure === null) {
      try {
        return this.dispatch({ type: 'write', writes });
      } catch (error) {
        // A core that throws is broken: that ends the process, and is not the affair of the one writer who happened to be the sixteenth.
        setImmediate(() => {
          throw error;
        });
        return;
      }
    }
    for (const { request } of writes) this.#writes.take(request)?.reject(this.#failure);
  }

  /** Gives a member's question a number; the core's answer goes to `answer` once it may. */
  expectAnswer(answer: (bytes: Uint8Array | null) => void): number {
    const exchange = this.#nextExchange++;
    this.#answers.set(exchange, answer);
    return exchange;
  }

  /**
   * Waits until everything stepped so far is durable; where nothing has to be waited for, the answer is there at once.
   *
   * @returns false when it is not, because the store refuses commits: then `durable` knows what may be shown
   */
  settled(): boolean | Promise<boolean> {
    if (this.#failure !== null) return false;
    const group = this.#gathering ?? this.#committing;
    if (group === null) return true;
    return new Promise((resolve) => {
      group.done.push(resolve);
    });
  }

  /** The root and the number of keys of the last commit that succeeded, or of the start. */
  get durableState(): RootAndSize {
    return this.#durableState;
  }

  #state(): RootAndSize {
    const { replica } = this.#modules.core;
    return { root: replica.root(), size: replica.size() };
  }

  /** A key as the disk has it. */
  durable(key: string): Seen {
    const live =
      this.#committing?.before.get(key) ??
      this.#gathering?.before.get(key) ??
      this.#modules.core.replica.live(key);
    return seenOf(key, live);
  }

  /** Keys whose last change is not durable. */
  unsettledKeys(): readonly string[] {
    return [
      ...new Set([this.#committing, this.#gathering].flatMap((group) => [...(group?.before.keys() ?? [])])),
    ];
  }

  /** Called after every step that changed records, before they are durable. @returns a function that unsubscribes */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** No more writes; what was stepped becomes durable and its effects leave; timers end. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true;
    this.#stepWrites();
    this.dispatch({ type: 'timer', timer: 'gossip' });
    let cancel = (): void => {};
    const tooLate = new Promise<void>((resolve) => {
      cancel = this.#modules.clock.after(drainMs, resolve);
    });
    await Promise.race([this.settled(), tooLate]);
    cancel();
    for (const stop of this.#timers.values()) stop();
    this.#timers.clear();
    for (const write of this.#writes.takeAll()) write.reject(new NodeStoppingError());
    for (const answer of this.#answers.values()) answer(null);
    this.#answers.clear();
    this.#offers.clear();
  }

  #gather(effect: Effect & { type: 'persist' }): void {
    const { sequence, wallMs, counter, knowledge, drafts } = effect;
    const meta = { sequence, wallMs, counter, knowledge };
    if (this.#gathering === null) {
      this.#gathering = {
        put: new Map(),
        remove: new Set(),
        drafts: [],
        meta,
        before: new Map(),
        held: [],
        done: [],
      };
      if (!this.#isCommitting) {
        this.#isCommitting = true;
        void this.#commit();
      }
    }
    const group = this.#gathering;
    group.meta = meta;
    for (const { slot, record } of effect.put) group.put.set(slot, record);
    for (const [key, live] of effect.before) if (!group.before.has(key)) group.before.set(key, live);
    if (drafts.length > 0) {
      group.drafts.push(...drafts);
      this.#modules.keeper.prepare(drafts);
    }
    if (group.put.size >= GATHER_ENOUGH) this.#enough();
    // A record that came and went within one group was never stored.
    for (const slot of effect.remove) if (!group.put.delete(slot)) group.remove.add(slot);
  }

  /** Runs until nothing waits; never rejects. */
  async #commit(): Promise<void> {
    if (this.#gathering !== null) await this.#gathered(this.#gathering);
    while (this.#gathering !== null) {
      const group = this.#gathering;
      this.#committing = group;
      this.#gathering = null;
      const state = this.#state();
      // Before anything else is stepped: a store that knew of records which it does not have would refuse them for ever.
      const knowledge = encodeKnowledge(group.meta.knowledge());
      if (!(await this.#makeDurable(group, knowledge))) return this.#endUndurable();
      this.#durableState = state;
      this.#stepWrites();
      this.#committing = null;
      // A listener of that step may have asked.
      if (this.#asked.length > 0) setImmediate(() => this.#stepWrites());
      for (const effect of group.held) this.#perform(effect);
      for (const done of group.done) done(true);
    }
    this.#isCommitting = false;
  }

  /**
   * A commit takes as much of the processor as ten writes do, whatever is in it. So where several came at once while there was none it
   * waits for more, turn by turn of the event loop, until a turn brings none, or there is enough, of which it need not be the turn's end:
   * what the rest of it brings is read while this is committed. While one is under way the next gathers anyway.
   */
  async #gathered({ put }: Group): Promise<void> {
    const { clock } = this.#modules;
    const giveUpAt = clock.monotonicMs() + GATHER_MS_MAX;
    await this.#turn();
    for (let size = 1; size < put.size && put.size < GATHER_ENOUGH && clock.monotonicMs() < giveUpAt;) {
      size = put.size;
      await this.#turn();
    }
  }

  /** Resolves at the end of this turn of the event loop, or when there is enough. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#enough = resolve;
      setImmediate(resolve);
    });
  }

  /** We stop, and the store takes nothing: what waits is not told, and no later commit may know of what this one lacks. */
  #endUndurable(): void {
    for (const group of [this.#committing, this.#gathering]) {
      if (group === null) continue;
      group.held = [];
      for (const end of group.done.splice(0)) end(false);
    }
  }

  /** @returns false when the store refuses and we stop */
  async #makeDurable(group: Group, knowledge: Uint8Array): Promise<boolean> {
    const { put, drafts } = group;
    const batch = { put, remove: [...group.remove], drafts, meta: { ...group.meta, knowledge } };
    for (;;) {
      const startedAt = performance.now();
      try {
        await this.#modules.keeper.keep(batch);
        this.#modules.core.signed(drafts);
        this.#modules.committed?.((performance.now() - startedAt) / 1000);
        if (this.#failure !== null) this.#modules.logger.info('the store takes commits again');
        this.#failure = null;
        return true;
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
        if (this.#stopping) return false;
        await new Promise<void>((resolve) => this.#modules.clock.after(this.#options.commitRetryMs, resolve));
      }
    }
  }

  /**
   * Writers are told now; the records stay in memory and the commit is tried again, so their fate is unknown until it
   * succeeds. Whoever waits goes on without them.
   */
  #fail(failure: Error): void {
    if (this.#failure === null) {
      this.#modules.logger.error('a commit failed, writes are refused until it succeeds', {
        error: failure.message,
      });
    }
    this.#failure = failure;
    this.#stepWrites();
    for (const group of [this.#committing, this.#gathering]) {
      if (group === null) continue;
      const { held, done } = group;
      // fresh records are announced once they are durable
      group.held = held.filter(({ type }) => type === 'publish');
      group.done = [];
      for (const effect of held) {
        if (effect.type === 'ask' || effect.type === 'answer') this.#tell(effect);
        if (effect.type !== 'reply') continue;
        this.#writes.take(effect.request)?.reject(failure);
      }
      for (const end of done) end(false);
    }
  }

  /** Performs an effect without what is not durable; who offered records is refused. */
  #tell(effect: Telling): void {
    if (effect.type === 'answer' && this.#offers.has(effect.exchange))
      return this.#answer(effect.exchange, null);
    const undurable = new Set<RecordId>();
    for (const group of [this.#committing, this.#gathering]) {
      for (const { id } of group?.put.values() ?? []) undurable.add(id);
      for (const { record } of group?.drafts ?? []) undurable.add(record.id);
    }
    const told = withoutUndurable(effect, undurable);
    if (told !== null) this.#perform(told);
    else if (effect.type === 'ask') this.#unasked(effect, 'not_durable');
  }

  /** A question that is not put: its asker hears so in a later turn, as if it had been. */
  #unasked({ peer, lung, exchange }: Effect & { type: 'ask' }, reason: string): void {
    setImmediate(() => this.dispatch({ type: 'unanswered', peer, lung, exchange, reason }));
  }

  /** Performs an effect, or holds it until what was stepped before it is durable. */
  #release(effect: Effect): void {
    switch (effect.type) {
      case 'reply':
      case 'publish':
      case 'ask':
      case 'answer': {
        const group = this.#gathering ?? this.#committing;
        if (group === null) this.#perform(effect);
        else if (this.#failure !== null && effect.type !== 'reply') this.#tell(effect);
        else group.held.push(effect);
        return;
      }
      case 'persist':
      case 'beat':
      case 'poll':
      case 'reset':
      case 'timer':
      case 'emit':
        this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return;
      case 'reply':
        this.#writes.take(effect.request)?.resolve({ ...effect.outcome, root: this.#durableState.root });
        return;
      case 'answer':
        return this.#answer(
          effect.exchange,
          this.#encoded(() => encodeReply(effect.message)),
        );
      case 'publish': {
        const bytes = this.#encoded(() => encodeBatch(effect.records));
        if (bytes !== null) this.#lung('p2p', { type: 'publish', bytes });
        return;
      }
      case 'ask': {
        const bytes = this.#encoded(() => encodeRequest(effect.message));
        if (bytes === null) return this.#unasked(effect, 'too_large');
        const { peer, lung, exchange } = effect;
        return this.#lung(lung, {
          type: 'ask',
          peer,
          exchange,
          bytes,
          timeoutMs: this.#options.exchangeTimeoutMs,
        });
      }
      case 'beat': {
        const { beacon } = effect;
        const isClaim = this.#failure !== null && beacon.vector !== null;
        return this.#lung('p2p', isClaim ? { ...effect, beacon: { ...beacon, vector: null } } : effect);
      }
      case 'poll':
        return this.#lung('http', effect);
      case 'reset':
        return this.#lung(effect.lung, { type: 'reset', peer: effect.peer });
      case 'timer':
        return this.#setTimer(effect.timer, effect.afterMs);
      case 'emit':
        return this.#modules.emit(effect.event);
    }
  }

  #answer(exchange: number, bytes: Uint8Array | null): void {
    this.#answers.get(exchange)?.(bytes);
    this.#answers.delete(exchange);
    this.#offers.delete(exchange);
  }

  /** @returns null for what no lung could carry: one message lost, not the node */
  #encoded(encode: () => Uint8Array): Uint8Array | null {
    try {
      return encode();
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#modules.logger.error('a message cannot be encoded and is left out', { reason: error.reason });
      return null;
    }
  }

  #lung(name: LungName, effect: LungEffect): void {
    this.#modules.lungs[name]?.perform(effect);
  }

  #setTimer(timer: TimerName, afterMs: number | null): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
    if (afterMs === null || this.#stopping) return;
    const cancel = this.#modules.clock.after(afterMs, () => {
      this.#timers.delete(timer);
      this.dispatch({ type: 'timer', timer });
    });
    this.#timers.set(timer, cancel);
  }
}

/** So many entries of a turn are stepped at once, without waiting for its end: they are signed while the others are still being read. */
const STEP_ENTRIES_MAX = 16;
/** Twice as many would halve what a commit adds to a write once more, but leave the node idle while they are committed. */
const GATHER_ENOUGH = 32;
/** Where turns take that long, writes are not few: two milliseconds, a guess. */
const GATHER_MS_MAX = 2;
