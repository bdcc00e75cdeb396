/** Anti-entropy as the core conducts it: which rung, when, with whom, and what a broken or hostile member can cost. */
import type { Effect, Input } from './border.ts';
import { Core } from './core.ts';
import { CORE_DEFAULTS } from './defaults.ts';
import type { LatticeEvent } from './events.ts';
import type { Digest, NodeId } from './ids.ts';
import type { VerifiedRecord } from './state/record.ts';
import { testIdentity } from './state/test-records.ts';
import { VersionVector } from './state/version-vector.ts';
import { recordsOf, type SyncReply, type SyncRequest } from './sync/messages.ts';

const START = 1_767_225_600_000;
const OTHER_ROOT = 'a'.repeat(64) as Digest;
/** by name: the first one begins */
const [FIRST, SECOND] = [testIdentity(1), testIdentity(2)].toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe('two members with unlike roots', () => {
  it('reconcile in one round trip by the vectors that their heartbeats carry, and the event says so', () => {
    const pair = new Pair();
    pair.write(0, 'a');
    pair.write(1, 'b');
    pair.link();
    pair.run(1_000);
    expect(pair.roots().size).toBe(1);
    expect(pair.events(0, 'reconciliation')).toMatchObject([
      { rung: 'delta', pulled: 1, pushed: 1, roundTrips: 1, outcome: 'equal' },
    ]);
    expect(pair.events(0, 'rung')).toMatchObject([{ rung: 'delta', reason: 'roots_unlike' }]);
  });

  it('do not both begin', () => {
    const pair = new Pair();
    pair.write(0, 'a');
    pair.write(1, 'b');
    pair.link();
    pair.run(2_000);
    expect(pair.asked.filter(({ from }) => from === 1)).toEqual([]);
  });

  it('are made equal by the second one when the first one cannot ask', () => {
    const pair = new Pair();
    pair.mute = 0;
    pair.write(0, 'a');
    pair.write(1, 'b');
    pair.link();
    pair.run(3_000);
    expect(pair.roots().size).toBe(1);
    expect(pair.asked.some(({ from }) => from === 1)).toBe(true);
  });

  it('say what they have seen while roots are unlike, and not when they are alike', () => {
    const pair = new Pair();
    pair.write(0, 'a');
    pair.link();
    pair.run(3_000);
    const said = pair.beats.filter(({ from }) => from === 0).map(({ vector }) => vector !== null);
    expect(said[0]).toBe(true);
    expect(said.at(-1)).toBe(false);
  });
});

describe('a member that answers wrongly', () => {
  it('is asked again ever more seldom when its root leads nowhere', () => {
    const pair = new Pair();
    pair.mute = 1;
    pair.write(0, 'a');
    pair.link();
    pair.answerOf = (request) => {
      const root = OTHER_ROOT;
      switch (request.type) {
        case 'delta':
          return missing();
        case 'sketch':
          return { type: 'cells', root, from: request.from, cells: new Uint8Array() };
        case 'compare':
          return { type: 'differences', root, answered: 1, differences: [] };
        case 'transfer':
          return { type: 'transferred', root, answered: 0, refused: 0, covered: [], records: [] };
      }
    };
    pair.run(60_000);
    expect(pair.events(0, 'reconciliation').every(({ outcome }) => outcome !== 'equal')).toBe(true);
    expect(pair.events(0, 'reconciliation').length).toBeLessThan(40);
  });

  it('is walked down to the tries in the next session when symbols led nowhere', () => {
    const pair = new Pair();
    pair.mute = 1;
    pair.write(0, 'a');
    pair.link();
    pair.answerOf = (request) => {
      switch (request.type) {
        case 'delta':
          return { ...missing(), root: pair.rootOf(1) };
        case 'sketch':
          return { type: 'refused', reason: 'not_today' };
        case 'compare':
        case 'transfer':
          return null;
      }
    };
    pair.run(5_000);
    expect(pair.events(0, 'rung').map(({ rung }) => rung)).toContain('sketch');
    expect(pair.events(0, 'rung').at(-1)).toMatchObject({ rung: 'descent', reason: 'stuck_before' });
  });

  it('is asked for less at a time when an exchange took too long', () => {
    const pair = new Pair();
    pair.mute = 1;
    pair.write(0, 'a');
    pair.link();
    pair.answerOf = () => 'never';
    pair.run(30_000);
    const sizes = pair.asked
      .filter(({ from }) => from === 0)
      .map(({ request }) => (request.type === 'delta' ? request.bytesMax : 0));
    expect(sizes[0]).toBe(3_670_016);
    expect(sizes[1]).toBe(917_504);
    expect(Math.min(...sizes)).toBe(65_536);
  });
});

describe('a member whose clock is five minutes ahead', () => {
  const AHEAD_MS = 300_000;

  /** Records that were sent, either way, and messages. */
  function carried(pair: Pair): { readonly records: number; readonly sessions: number } {
    const records = pair.carried;
    return { records, sessions: pair.events(0, 'divergence').length + pair.events(1, 'divergence').length };
  }

  it('is asked for its records once, sends none by itself, and has them taken when their time has come', () => {
    const pair = new Pair();
    pair.ahead[1] = AHEAD_MS;
    for (let n = 0; n < 50; n += 1) pair.write(1, `k${n}`);
    pair.write(0, 'own');
    pair.link();
    pair.run(60_000);
    expect(pair.sizeOf(0)).toBe(1);
    expect(pair.sizeOf(1)).toBe(51);
    expect(pair.events(0, 'refused')).toHaveLength(50);
    // Once in vain, and the one that was written here.
    expect(carried(pair).records).toBeLessThanOrEqual(51);
    pair.run(AHEAD_MS - 60_000 - CORE_DEFAULTS.aheadMaxMs - 1_000);
    expect([pair.sizeOf(0), carried(pair).records <= 51]).toEqual([1, true]);
    pair.run(20_000);
    expect(pair.roots().size).toBe(1);
    expect(carried(pair).records).toBeLessThanOrEqual(102);
  });

  it('is asked for them once by the other rungs of the ladder too', () => {
    const pair = new Pair();
    pair.ahead[1] = AHEAD_MS;
    for (let n = 0; n < 50; n += 1) pair.write(1, `k${n}`);
    // Vectors are not told: symbols and the descent alone find what is unlike.
    pair.answerOf = (request) => (request.type === 'delta' ? { ...missing(), root: pair.rootOf(1) } : null);
    pair.write(0, 'own');
    pair.link();
    pair.run(60_000);
    expect(pair.sizeOf(0)).toBe(1);
    expect(carried(pair).records).toBeLessThanOrEqual(60);
  });
});

describe('a member that asks without end', () => {
  const question: SyncRequest<VerifiedRecord> = {
    type: 'delta',
    root: OTHER_ROOT,
    vector: new VersionVector(),
    after: null,
    bytesMax: 1_000_000,
    records: [],
  };

  it('is told to wait, is counted, and is served again later', () => {
    const pair = new Pair();
    for (let n = 0; n < 100; n += 1) pair.write(0, `k${n}`);
    const replies = Array.from({ length: 10_000 }, () => pair.ask(0, question));
    const served = replies.filter(({ type }) => type === 'missing').length;
    expect(served).toBe(256);
    expect(replies.at(-1)).toEqual({ type: 'refused', reason: 'too_many_questions' });
    expect(pair.events(0, 'refused').length).toBe(10_000 - served);
    pair.run(1_000);
    expect(pair.ask(0, question).type).toBe('missing');
  });
});

function missing(): SyncReply & { type: 'missing' } {
  return {
    type: 'missing',
    root: OTHER_ROOT,
    vector: new VersionVector(),
    after: null,
    left: 0,
    records: [],
  };
}

interface Asked {
  readonly from: number;
  readonly request: SyncRequest;
}

/** Two cores, their heartbeats and their exchanges; everything arrives in the next millisecond. */
class Pair {
  readonly beats: { readonly from: number; readonly vector: VersionVector | null }[] = [];
  readonly asked: Asked[] = [];
  /** how far each one's wall clock is ahead, ms */
  readonly ahead: [number, number] = [0, 0];
  /** records in questions and in answers */
  carried = 0;
  /** whose questions are lost */
  mute: number | null = null;
  /** what the second one answers; null: as it would */
  answerOf: (request: SyncRequest) => SyncReply | 'never' | null = () => null;
  readonly #events: LatticeEvent[][] = [[], []];
  readonly #cores: readonly Core[];
  readonly #timers: Map<string, { readonly core: number; readonly at: number }>[] = [new Map(), new Map()];
  readonly #queue: { readonly at: number; readonly core: number; readonly input: Input }[] = [];
  readonly #replies = new Map<number, (reply: SyncReply) => void>();
  #now = 0;
  #next = 1_000_000;

  constructor() {
    this.#cores = [FIRST, SECOND].map((identity) => {
      if (identity === undefined) throw new Error('two identities');
      const sketchSalt = new Uint8Array(16);
      const { id } = identity;
      return new Core(
        { self: id, sign: (bytes) => identity.sign(bytes), rng: () => 0.5, sketchSalt },
        CORE_DEFAULTS,
      );
    });
    for (const core of [0, 1]) {
      this.step(core, { type: 'start' });
      this.step(core, { type: 'lung', lung: 'p2p', state: 'up', reason: 'test' });
    }
  }

  link(): void {
    for (const core of [0, 1])
      this.step(core, { type: 'link', peer: this.#id(1 - core), lung: 'p2p', state: 'up', reason: 'test' });
  }

  write(core: number, key: string): void {
    const entries = [{ key, value: '1' }];
    this.step(core, { type: 'write', writes: [{ request: 1, entries, precondition: null, acks: null }] });
  }

  /** The other one's question, answered at once. */
  ask(core: number, message: SyncRequest<VerifiedRecord>): SyncReply {
    const exchange = this.#next++;
    const replies: SyncReply[] = [];
    this.#replies.set(exchange, (reply) => replies.push(reply));
    this.step(core, { type: 'asked', peer: this.#id(1 - core), lung: 'p2p', exchange, message });
    const [reply] = replies;
    if (reply === undefined) throw new Error('answered at once');
    return reply;
  }

  sizeOf(core: number): number {
    return this.#cores[core]?.replica.size() ?? 0;
  }

  rootOf(core: number): Digest {
    return this.#cores[core]?.replica.root() ?? OTHER_ROOT;
  }

  roots(): Set<Digest> {
    return new Set([this.rootOf(0), this.rootOf(1)]);
  }

  events<T extends LatticeEvent['type']>(core: number, type: T): Extract<LatticeEvent, { type: T }>[] {
    return (this.#events[core] ?? []).filter(
      (event): event is Extract<LatticeEvent, { type: T }> => event.type === type,
    );
  }

  /** In steps of a millisecond. */
  run(ms: number): void {
    for (const end = this.#now + ms; this.#now < end;) {
      this.#now += 1;
      for (const [core, timers] of this.#timers.entries()) {
        for (const [timer, { at }] of timers) {
          if (at > this.#now) continue;
          timers.delete(timer);
          this.step(core, { type: 'timer', timer: timer as 'tick' });
        }
      }
      for (const due of this.#queue.splice(0)) {
        if (due.at > this.#now) this.#queue.push(due);
        else this.step(due.core, due.input);
      }
    }
  }

  step(core: number, input: Input): void {
    const now = { wallMs: START + this.#now + (this.ahead[core] ?? 0), monotonicMs: this.#now };
    for (const effect of this.#cores[core]?.step(input, now) ?? []) this.#perform(core, effect);
  }

  #perform(core: number, effect: Effect): void {
    const other = 1 - core;
    const later = (to: number, input: Input, afterMs = 1): void =>
      void this.#queue.push({ at: this.#now + afterMs, core: to, input });
    switch (effect.type) {
      case 'timer':
        if (effect.afterMs === null) this.#timers[core]?.delete(effect.timer);
        else this.#timers[core]?.set(effect.timer, { core, at: this.#now + effect.afterMs });
        return;
      case 'beat': {
        const { beacon } = effect;
        this.beats.push({ from: core, vector: beacon.vector });
        return later(other, { type: 'heard', peer: this.#id(core), lung: 'p2p', rttMs: 1, beacon });
      }
      case 'ask': {
        const { lung, exchange, message } = effect;
        const peer = this.#id(other);
        this.asked.push({ from: core, request: message });
        const lost = (): void =>
          later(core, { type: 'unanswered', peer, lung, exchange, reason: 'timeout' }, 500);
        if (this.mute === core) return lost();
        const forced = core === 0 ? this.answerOf(message) : null;
        if (forced === 'never') return lost();
        const reply = forced ?? this.ask(other, message as SyncRequest<VerifiedRecord>);
        this.carried += recordsOf(message).length + recordsOf(reply).length;
        return later(core, {
          type: 'answered',
          peer,
          lung,
          exchange,
          message: reply as SyncReply<VerifiedRecord>,
        });
      }
      case 'answer':
        this.#replies.get(effect.exchange)?.(effect.message);
        this.#replies.delete(effect.exchange);
        return;
      case 'emit':
        this.#events[core]?.push(effect.event);
        return;
      case 'persist':
      case 'reply':
      case 'publish':
      case 'poll':
      case 'reset':
        return;
    }
  }

  #id(core: number): NodeId {
    const identity = core === 0 ? FIRST : SECOND;
    if (identity === undefined) throw new Error('two identities');
    return identity.id;
  }
}
