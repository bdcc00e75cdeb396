/** One core and what its lungs tell it: how often it wakes, whom it watches, when it forgets, what it refuses. */
import type { Beacon, Effect, Input, WriteOutcome } from './border.ts';
import { Core } from './core.ts';
import { CORE_DEFAULTS } from './defaults.ts';
import type { LungName } from './events.ts';
import type { NodeId } from './ids.ts';
import type { Policy } from './mode/policy.ts';
import { NEIGHBOURS_MAX } from './monitor/neighbours.ts';
import { TEST_SALT, testIdentity } from './state/test-records.ts';

const { policy, detector } = CORE_DEFAULTS;
const MINUTE_MS = 60_000;
const EPOCH_MS = 1_767_225_600_000;

describe('an idle node', () => {
  it('wakes with its heartbeats only', () => {
    const node = new Node(2);
    node.run(2_000);
    node.timers = 0;
    node.run(10_000);
    expect(node.timers).toBeLessThanOrEqual(10_000 / policy.beatMs + 10);
  });

  it('doubts a member exactly when its silence is long enough', () => {
    const node = new Node(1);
    node.run(2_037);
    node.mute = true;
    const lastHeardAt = node.lastBeatAt;
    node.run(1_500);
    const at = (to: string): number => node.states.find((state) => state.to === to)?.at ?? 0;
    expect(at('suspect') - lastHeardAt).toBeLessThanOrEqual(detector.suspectMs + 2);
    expect(at('dead') - lastHeardAt).toBeLessThanOrEqual(detector.suspicionMs + policy.tickMs);
  });

  it('tells of a new root as soon as a busy one does', () => {
    const node = new Node(1);
    node.run(2_000);
    node.write(null);
    node.run(policy.tickMs);
    expect(node.rootsTold).toBe(1);
  });
});

describe('a node with nothing to do for a while', () => {
  it('beats half as often, says so, and is back at its pace, at once, with the first write', () => {
    const node = new Node(1);
    node.run(policy.restAfterMs + 1_000);
    node.beats.clear();
    node.run(5_000);
    expect(node.beats.get(node.peer(0))).toBe(5_000 / policy.restBeatMs);
    expect(node.lastBeacon).toMatchObject({ isResting: true });
    node.beats.clear();
    node.write(null);
    expect(node.lastBeacon).toMatchObject({ isResting: false });
    node.run(2_000);
    expect(node.beats.get(node.peer(0))).toBe(1 + 2_000 / policy.beatMs);
  });

  it('beats half as often on a machine that has too much to do, too, and asks a cut member less often', () => {
    const node = new Node(1, ['p2p', 'http']);
    node.lagMs = 1_000;
    node.run(2_000);
    node.beats.clear();
    node.run(2_000);
    expect(node.beats.get(node.peer(0))).toBe(2_000 / policy.restBeatMs);
    expect(node.lastBeacon).toMatchObject({ isResting: true });
    node.mute = true;
    node.run(10_000);
    expect(node.core.mode().mode).toBe('HTTP');
    const polls = (): number => [...node.pollsAt.values()].reduce((sum, count) => sum + count, 0);
    const strained = polls();
    node.run(10_000);
    const inTenSeconds = polls() - strained;
    expect(inTenSeconds).toBeGreaterThanOrEqual(5);
    node.lagMs = 0;
    node.run(10_000);
    expect(polls() - strained - inTenSeconds).toBeGreaterThan(2 * inTenSeconds);
  });

  it('gives up nobody for a silence that its own machine explains', () => {
    const node = new Node(1);
    node.run(2_000);
    node.lagMs = 650;
    node.mute = true;
    node.run(2_500);
    expect(node.states.map(({ to }) => to)).not.toContain('dead');
    node.run(1_500);
    expect(node.states.map(({ to }) => to)).toContain('dead');
  });

  it('joins the heartbeat of a near member that rests when its own is due soon, not at once after its own, nor that of one far away', () => {
    const node = new Node(2);
    node.run(policy.restAfterMs + 1_000);
    node.runUntilBeat();
    const heartbeats = (from: NodeId, rttMs: number): number => {
      const before = node.beats.get(node.peer(1)) ?? 0;
      node.beatFrom(from, true, true, rttMs);
      return (node.beats.get(node.peer(1)) ?? 0) - before;
    };
    node.run(policy.restBeatMs * 0.3);
    expect(heartbeats(node.peer(0), 1)).toBe(0);
    node.run(policy.restBeatMs * 0.2);
    expect(heartbeats(node.peer(0), 200)).toBe(0);
    expect(heartbeats(node.peer(0), 1)).toBe(1);
    expect(heartbeats(node.peer(0), 1)).toBe(0);
  });

  it('wakes for nothing between its heartbeats while all are heard with them', () => {
    const node = new Node(3);
    node.run(policy.restAfterMs + 1_000);
    node.runUntilBeat();
    node.timers = 0;
    for (let i = 0; i < 10; i += 1) {
      for (const peer of [0, 1, 2]) node.beatFrom(node.peer(peer), true, true);
      node.mute = true;
      node.run(policy.restBeatMs);
    }
    expect(node.timers).toBe(10);
  });

  it('polls all its members to keep HTTP warm in the moment of one heartbeat', () => {
    const node = new Node(4, ['p2p', 'http']);
    node.run(policy.restAfterMs + 1_000);
    node.pollsAt.clear();
    node.run(5 * policy.warmPollMs);
    const bursts = [...node.pollsAt].filter(([at]) => at > policy.restAfterMs + 2 * policy.warmPollMs);
    expect(bursts.length).toBeGreaterThanOrEqual(2);
    expect(bursts.map(([, polls]) => polls)).toEqual(bursts.map(() => 4));
    for (const [at] of bursts) expect(node.beatsAt).toContain(at);
  });

  it('does not rest while P2P does not carry', () => {
    const node = new Node(1, ['p2p', 'http']);
    node.mute = true;
    node.run(2 * policy.restAfterMs);
    expect(node.core.mode().mode).toBe('HTTP');
    expect(node.pace).toBe(policy.beatMs);
  });

  it('is given the time of its slower heartbeats before it is doubted, and none before it is given up', () => {
    const node = new Node(1);
    node.run(1_000);
    node.beatFrom(node.peer(0), false, true);
    node.mute = true;
    node.states = [];
    node.run(1_500);
    expect(node.states.map(({ to }) => to)).toEqual(['suspect', 'dead']);
    const [suspect = 0, dead = 0] = node.states.map(({ at }) => at - 1_000);
    expect(suspect).toBeGreaterThanOrEqual(detector.restingSuspectMs);
    expect(dead).toBeLessThanOrEqual(detector.suspicionMs + policy.tickMs);
  });
});

describe('a node that knows many', () => {
  it('beats for its neighbours, and for one of the others in turn until all have heard', () => {
    const node = new Node(20);
    node.run(2 * policy.restAfterMs);
    node.beats.clear();
    node.run(20 * policy.restBeatMs);
    const often = [...node.beats.values()].filter((count) => count >= 18);
    expect(often.length).toBeLessThanOrEqual(NEIGHBOURS_MAX);
    expect(often.length).toBeGreaterThanOrEqual(NEIGHBOURS_MAX / 2);
    expect(node.beats.size).toBe(20);
  });

  it('answers who watches it, though it would not choose it', () => {
    const node = new Node(20);
    node.run(2_000);
    const stray = node.stray();
    node.beats.clear();
    for (let i = 0; i < 8; i += 1) {
      node.beatFrom(stray, true);
      node.run(policy.beatMs);
    }
    expect(node.beats.get(stray)).toBeGreaterThanOrEqual(7);
    node.beats.clear();
    node.run(8 * policy.beatMs);
    expect(node.beats.get(stray) ?? 0).toBeLessThanOrEqual(5);
  });

  it('watches a member that left a question without an answer, and gives it up when it is silent', () => {
    const node = new Node(20);
    node.run(2_000);
    const stray = node.stray();
    node.silent.add(stray);
    node.states = [];
    node.step({ type: 'unanswered', peer: stray, lung: 'p2p', exchange: 99, reason: 'timeout' });
    node.run(1_500);
    expect(node.states.filter(({ peer }) => peer === stray)).toMatchObject([
      { to: 'suspect' },
      { to: 'dead' },
    ]);
  });

  it('asks nobody but its neighbours over HTTP when P2P is gone', () => {
    const node = new Node(20, ['p2p', 'http']);
    node.run(2_000);
    node.mute = true;
    node.polls.clear();
    node.run(3_000);
    expect(node.polls.size).toBeLessThanOrEqual(2 * NEIGHBOURS_MAX);
    expect(node.core.mode().mode).toBe('HTTP');
  });
});

describe('a member that left', () => {
  it('is forgotten ten minutes after it was last heard, and not before', () => {
    const node = new Node(2);
    node.run(2_000);
    const gone = node.peer(0);
    node.silent.add(gone);
    node.step({ type: 'link', peer: gone, lung: 'p2p', state: 'down', reason: 'closed' });
    node.run(policy.forgetMs - MINUTE_MS);
    expect(node.core.peers().map(({ id }) => id)).toContain(gone);
    node.run(2 * MINUTE_MS);
    expect(node.core.peers().map(({ id }) => id)).toEqual([node.peer(1)]);
  });

  it('counts for w= after it was forgotten, on a node that has been up for longer than it is patient, and then no more', () => {
    const absenceMs = 2 * policy.forgetMs;
    const node = new Node(2, ['p2p'], { absenceMs });
    node.run(absenceMs + MINUTE_MS);
    const gone = node.peer(0);
    node.silent.add(gone);
    node.step({ type: 'link', peer: gone, lung: 'p2p', state: 'down', reason: 'closed' });
    node.run(policy.forgetMs + 2 * MINUTE_MS);
    expect(node.core.peers().map(({ id }) => id)).toEqual([node.peer(1)]);
    const { counted, majority, absent } = node.core.members();
    expect({ counted, majority }).toEqual({ counted: 3, majority: 2 });
    const silentMs = absent[0]?.silentMs ?? 0;
    const [heardAtMs, countsUntilMs] = [node.wallMs - silentMs, node.wallMs + absenceMs - silentMs];
    expect(absent).toEqual([{ id: gone, silentMs, heardAtMs, countsUntilMs }]);
    node.run(absenceMs - policy.forgetMs);
    expect(node.core.members()).toMatchObject({ counted: 2, majority: 2, absent: [{ countsUntilMs: null }] });
  });
});

describe('whom a node meets', () => {
  it('is to be kept in the very step, with all that were met before, and once', () => {
    const node = new Node(3);
    expect(node.kept.map((members) => members.length)).toEqual([1, 2, 3]);
    node.run(10_000);
    expect(node.kept).toHaveLength(3);
  });
});

describe('what is heard over P2P without a link', () => {
  it('is no evidence of the lung, be it gossip, a question or a late heartbeat', () => {
    const node = new Node(1, ['http']);
    node.step({ type: 'lung', lung: 'p2p', state: 'up', reason: 'test' });
    const peer = node.peer(0);
    node.mute = true;
    node.run(2_000);
    expect(node.core.mode().mode).toBe('HTTP');
    node.step({ type: 'gossip', peer, records: [] });
    node.step({ type: 'asking', peer, lung: 'p2p' });
    node.beatFrom(peer, true);
    node.run(1_000);
    expect([node.states, node.core.mode().mode]).toEqual([[], 'HTTP']);
    node.step({ type: 'link', peer, lung: 'p2p', state: 'up', reason: 'test' });
    node.mute = false;
    node.run(1_000);
    expect(node.core.mode().mode).toBe('P2P');
  });
});

describe('a node whose identity another live process has', () => {
  it.each([
    ['stops writing where that one is older', true, { ok: false, reason: 'twin' }],
    ['goes on where it is older itself', false, { ok: true }],
  ])('%s', (_what, isOlder, outcome) => {
    const node = new Node(1);
    node.step({ type: 'twin', peer: node.self, instance: 'ab', sinceMs: EPOCH_MS, isOlder });
    node.write(null);
    expect(node.outcomes).toMatchObject([outcome]);
    expect(node.core.retirement === null).toBe(!isOlder);
  });

  it("goes on where the identity is a member's", () => {
    const node = new Node(1);
    node.step({ type: 'twin', peer: node.peer(0), instance: 'ab', sinceMs: EPOCH_MS, isOlder: false });
    node.write(null);
    expect(node.outcomes).toMatchObject([{ ok: true }]);
  });
});

describe('a write that waits for members', () => {
  it('is refused at once where they owe an answer on both lungs, and taken for this node alone', () => {
    const node = new Node(2, ['p2p', 'http']);
    node.run(2_000);
    node.mute = true;
    node.isHttpMute = true;
    node.run(detector.suspicionMs + 2 * policy.tickMs + policy.beatMs);
    expect(node.core.mode().mode).toBe('NONE');
    node.write({ need: 2, timeoutMs: 5_000 });
    node.write({ need: 1, timeoutMs: 5_000 });
    expect(node.outcomes).toMatchObject([
      { ok: false, reason: 'members', reachable: 1, need: 2 },
      { ok: true, acks: 1 },
    ]);
  });
});

/** A core among members that beat and answer polls until they are muted; time in steps of a millisecond. */
class Node {
  readonly core: Core;
  readonly self = testIdentity(1).id;
  readonly beats = new Map<NodeId, number>();
  readonly polls = new Set<NodeId>();
  /** how many polls left in which moment, and in which heartbeats did */
  readonly pollsAt = new Map<number, number>();
  readonly beatsAt = new Set<number>();
  readonly outcomes: WriteOutcome[] = [];
  readonly silent = new Set<NodeId>();
  states: { readonly at: number; readonly peer: NodeId; readonly to: string }[] = [];
  timers = 0;
  /** the last heartbeat, and what was set as the time until the next */
  lastBeacon: Beacon | null = null;
  pace = 0;
  rootsTold = 0;
  /** the members that each `persist` named */
  readonly kept: (readonly NodeId[])[] = [];
  lastBeatAt = 0;
  /** how late its timers were */
  lagMs = 0;
  mute = false;
  isHttpMute = false;
  readonly #peers: readonly NodeId[];
  readonly #alarms = new Map<string, number>();
  #answers: NodeId[] = [];
  #now = 0;

  constructor(members: number, lungs: readonly LungName[] = ['p2p'], more: Partial<Policy> = {}) {
    const self = testIdentity(1);
    this.#peers = Array.from({ length: members }, (_, i) => testIdentity(i + 2).id);
    this.core = new Core(
      { self: self.id, sign: (bytes) => self.sign(bytes), rng: () => 0.5, sketchSalt: TEST_SALT },
      { ...CORE_DEFAULTS, policy: { ...policy, ...more } },
    );
    this.step({ type: 'start' });
    for (const lung of lungs) {
      this.step({ type: 'lung', lung, state: 'up', reason: 'test' });
      for (const peer of this.#peers) this.step({ type: 'link', peer, lung, state: 'up', reason: 'test' });
    }
  }

  get wallMs(): number {
    return EPOCH_MS + this.#now;
  }

  peer(i: number): NodeId {
    const peer = this.#peers[i];
    if (peer === undefined) throw new RangeError('no such member');
    return peer;
  }

  /** One that got few heartbeats so far. */
  stray(): NodeId {
    const peer = this.#peers.find((one) => (this.beats.get(one) ?? 0) < 5);
    if (peer === undefined) throw new Error('all are neighbours');
    return peer;
  }

  write(acks: { readonly need: number; readonly timeoutMs: number } | null): void {
    const entries = [{ key: 'k', value: '1' }];
    this.step({ type: 'write', writes: [{ request: 1, entries, precondition: null, acks }] });
  }

  beatFrom(peer: NodeId, isWatching: boolean, isResting = false, rttMs = 1): void {
    const beacon = {
      root: this.core.replica.root(),
      records: 0,
      wallMs: null,
      isWatching,
      isResting,
      vector: null,
    };
    this.step({ type: 'heard', peer, lung: 'p2p', rttMs, beacon });
  }

  /** To the moment in which it has sent its heartbeats. */
  runUntilBeat(): void {
    const before = this.beats.get(this.peer(0));
    for (let ms = 0; this.beats.get(this.peer(0)) === before && ms < policy.restBeatMs; ms += 1) this.run(1);
  }

  run(ms: number): void {
    for (const end = this.#now + ms; this.#now < end;) {
      this.#now += 1;
      if (this.#now % policy.beatMs === 0 && !this.mute) {
        this.lastBeatAt = this.#now;
        for (const peer of this.#peers) if (!this.silent.has(peer)) this.beatFrom(peer, false);
      }
      for (const peer of this.#answers.splice(0)) this.#answerPoll(peer);
      for (const [timer, at] of this.#alarms) {
        if (at > this.#now) continue;
        this.#alarms.delete(timer);
        this.timers += 1;
        this.step({ type: 'timer', timer: timer as 'tick' });
      }
    }
  }

  step(input: Input): void {
    const now = { wallMs: this.wallMs, monotonicMs: this.#now, lagMs: this.lagMs };
    for (const effect of this.core.step(input, now)) this.#perform(effect);
  }

  #answerPoll(peer: NodeId): void {
    if (this.isHttpMute) return;
    const beacon = {
      root: this.core.replica.root(),
      records: 0,
      wallMs: null,
      isWatching: false,
      isResting: false,
      vector: null,
    };
    this.step({ type: 'heard', peer, lung: 'http', rttMs: 1, beacon });
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'timer':
        if (effect.timer === 'beat') this.pace = effect.afterMs ?? 0;
        if (effect.afterMs === null) this.#alarms.delete(effect.timer);
        else this.#alarms.set(effect.timer, this.#now + effect.afterMs);
        return;
      case 'beat':
        this.lastBeacon = effect.beacon;
        this.beatsAt.add(this.#now);
        this.beats.set(effect.peer, (this.beats.get(effect.peer) ?? 0) + 1);
        return;
      case 'poll':
        this.polls.add(effect.peer);
        this.pollsAt.set(this.#now, (this.pollsAt.get(this.#now) ?? 0) + 1);
        this.#answers.push(effect.peer);
        return;
      case 'reply':
        this.outcomes.push(effect.outcome);
        return;
      case 'emit':
        if (effect.event.type === 'root') this.rootsTold += 1;
        if (effect.event.type === 'peer' && effect.event.lung === 'p2p')
          this.states.push({ at: this.#now, peer: effect.event.peer, to: effect.event.to });
        return;
      case 'persist':
        this.kept.push(effect.knowledge().members.map(({ id }) => id));
        return;
      case 'publish':
      case 'ask':
      case 'answer':
      case 'reset':
    }
  }
}
