/**
 * A simulated machine: the real core, a disk that keeps only what was synced, a clock that drifts and jumps, and both lungs as the
 * world lets packets pass. It does the driver's duties: persist, then reply and send.
 */
import { hash } from 'node:crypto';
import type {
  AckDemand,
  Beacon,
  Effect,
  Input,
  TimerName,
  WriteEntry,
  WriteOutcome,
} from '../node/protocol/border.ts';
import { Core, type CoreOptions } from '../node/protocol/core.ts';
import type { LatticeEvent } from '../node/protocol/events.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import type { VerifiedRecord } from '../node/protocol/state/record.ts';
import { identityFromSeed, type SigningIdentity } from '../node/protocol/state/signature.ts';
import type { RecordsAtHand } from './at-hand.ts';
import type { Batches } from './batches.ts';
import { Disk, type Platter } from './disk.ts';
import { Exchanges, type ExchangeMachine } from './exchanges.ts';
import type { Planned } from './heap.ts';
import { HttpLung, type HttpMachine } from './http.ts';
import { P2pLung } from './p2p.ts';
import { rngOf } from './rng.ts';
import type { Topology } from './topology.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

/** What looks on: the checks. */
export interface HostWatch {
  /** after each step of a host's core */
  stepped(host: Host, input: Input): void;
  /** `put` is on this host's disk now, or was replaced in the same commit; `removed` is there no more */
  durable(host: Host, put: readonly VerifiedRecord[], removed: readonly VerifiedRecord[]): void;
  emitted(host: Host, event: LatticeEvent): void;
}

export interface HostModules {
  readonly world: World;
  /** every host of the world, this one included; filled before the first start */
  readonly hosts: readonly Host[];
  readonly byId: Map<NodeId, Host>;
  readonly batches: Batches;
  readonly wire: Wire;
  /** null: each host makes its own objects of what it holds packed */
  readonly atHand: RecordsAtHand | null;
  readonly topology: Topology;
  readonly watch: HostWatch | null;
}

export interface Sabotage {
  /** acknowledges a write before the disk has it */
  readonly repliesEarly?: boolean;
  /** a kill takes the newest half of the disk with it */
  readonly forgetsOnKill?: boolean;
}

export interface HostOptions {
  readonly number: number;
  readonly seed: number;
  readonly core: CoreOptions;
  /** a disk sync, in ms */
  readonly flushMs: number;
  /** planted bugs, so that the checks can be seen failing */
  readonly sabotage: Sabotage;
  /** own redial of the P2P lung, in ms */
  readonly redialMs: number;
  /** an exchange or a poll that is not answered ends after so long, in ms */
  readonly timeoutMs: number;
  /** how much faster than the world its quartz is, in millionths */
  readonly driftPpm: number;
  /** keeps every event of the core with its time; else they are only counted */
  readonly keepsEvents: boolean;
}

/** How many of each kind of event, and the round trips of its sessions. */
export interface Tally {
  readonly events: Map<LatticeEvent['type'], number>;
  sessions: number;
  roundTrips: number;
}

/** 2026-01-01, so that stamps look like stamps */
export const EPOCH_MS = 1_767_225_600_000;

/** every cluster of every world has the same */
export const SKETCH_SALT = Buffer.from('sim/sketch-salt/1');

const INPUT_CODES: Readonly<Record<Input['type'], number>> = {
  start: 1,
  timer: 2,
  lung: 3,
  link: 4,
  heard: 5,
  silent: 6,
  write: 7,
  gossip: 8,
  asked: 9,
  answered: 10,
  unanswered: 11,
  force: 12,
  asking: 13,
  arriving: 14,
  twin: 15,
};

export class Host implements ExchangeMachine, HttpMachine {
  readonly id: NodeId;
  readonly number: number;
  readonly p2p: P2pLung;
  readonly http: HttpLung;
  readonly exchanges: Exchanges;
  readonly disk: Disk;
  /** how far its clock is off, drift apart, in ms; may be changed at any time */
  clockOffsetMs = 0;
  readonly events: { readonly at: number; readonly event: LatticeEvent }[] = [];
  readonly tally: Tally = { events: new Map(), sessions: 0, roundTrips: 0 };
  readonly #modules: HostModules;
  readonly #options: HostOptions;
  readonly #identity: SigningIdentity;
  /** its milliseconds per millisecond of the world */
  readonly #rate: number;
  #life = 0;
  #isUp = false;
  #core: Core;
  readonly #timers = new Map<TimerName, Planned>();
  #writes = new Map<number, (outcome: WriteOutcome) => void>();
  #stalled: (() => void)[] | null = null;
  #next = 1;

  constructor(modules: HostModules, options: HostOptions) {
    this.#modules = modules;
    this.#options = options;
    this.number = options.number;
    this.#rate = 1 + options.driftPpm / 1e6;
    this.#identity = identityFromSeed(
      Buffer.from(hash('sha256', `host ${options.seed} ${options.number}`, 'hex'), 'hex'),
    );
    this.id = this.#identity.id;
    modules.byId.set(this.id, this);
    const { world, batches, wire, hosts, topology } = modules;
    const { redialMs, timeoutMs } = options;
    this.exchanges = new Exchanges({ world, wire }, { timeoutMs }, this);
    this.http = new HttpLung(
      { world, beacon: () => this.#beacon(), root: () => this.#core.replica.root() },
      { timeoutMs },
      this,
    );
    this.p2p = new P2pLung(
      {
        world,
        batches,
        wire,
        machine: (number) => hostOf(hosts, number),
        onDown: (peer) => this.exchanges.failAll(peer, 'p2p'),
      },
      { neighbours: topology.p2p[this.number] ?? [], redialMs },
      this,
    );
    this.disk = new Disk({
      sync: (done) => void this.later(options.flushMs, done),
      durable: (put, removed) => this.#durable(put, removed),
      perform: (effect) => this.#perform(effect),
    });
    this.#core = this.#newCore();
  }

  get core(): Core {
    return this.#core;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isStalled(): boolean {
    return this.#stalled !== null;
  }

  get life(): number {
    return this.#life;
  }

  /** ms since the epoch, by this host's own clock */
  wallMs(): number {
    return EPOCH_MS + Math.floor(this.#modules.world.now * this.#rate) + this.clockOffsetMs;
  }

  start(): void {
    this.#life += 1;
    this.#isUp = true;
    this.#core = this.#newCore();
    const { records, meta } = this.disk.platter;
    const kept = [...records].map(([slot, { bytes }]) => ({ slot, bytes }));
    this.#core.load(meta, kept, this.wallMs());
    this.step({ type: 'start' });
    this.step({ type: 'lung', lung: 'http', state: 'up', reason: 'simulated' });
    this.step({ type: 'lung', lung: 'p2p', state: 'up', reason: 'simulated' });
    for (const number of this.#modules.topology.http[this.number] ?? []) {
      const { id } = hostOf(this.#modules.hosts, number);
      this.step({ type: 'link', peer: id, lung: 'http', state: 'up', reason: 'simulated' });
    }
    this.p2p.start();
  }

  /**
   * SIGKILL, or the plug: memory, timers and links go at once, the disk keeps what was synced; peers see their connections reset
   * where packets pass.
   *
   * @param keepsSyncing whether a sync under way had reached the disk
   */
  kill(keepsSyncing = false): void {
    this.#life += 1;
    this.#isUp = false;
    this.#stalled = null;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#writes = new Map();
    this.exchanges.stop();
    this.http.stop();
    this.p2p.stop();
    const { put, removed } = this.disk.crash(keepsSyncing);
    this.#modules.watch?.durable(this, put, removed);
    if (this.#options.sabotage.forgetsOnKill === true) this.#forgetHalf();
  }

  /** This host's own signature, for records that an honest host would not make. */
  signAs(bytes: Uint8Array): Uint8Array {
    return this.#identity.sign(bytes);
  }

  /** Hands records to this host as if a member had gossiped them. */
  plant(records: readonly VerifiedRecord[]): void {
    const [peer] = this.#core.peers();
    if (peer !== undefined) this.step({ type: 'gossip', peer: peer.id, records });
  }

  /** What the disk holds now, to be put back later: a backup. */
  backup(): Platter {
    return this.disk.backup();
  }

  /** Puts a backup in place of a stopped host's disk. */
  restore(backup: Platter): void {
    this.disk.restore(backup);
  }

  /** SIGSTOP and SIGCONT: nothing is stepped for a while, then everything that came meanwhile at once. */
  stall(ms: number): void {
    this.#modules.world.after(ms, this.freeze());
  }

  /** SIGSTOP. @returns SIGCONT; of a host that is down, or stands still already, nothing */
  freeze(): () => void {
    if (!this.#isUp || this.#stalled !== null) return () => {};
    this.#stalled = [];
    const life = this.#life;
    return () => {
      if (this.#life !== life) return;
      const waiting = this.#stalled ?? [];
      this.#stalled = null;
      for (const run of waiting) if (this.#life === life) run();
    };
  }

  /** @param acknowledged called once the write is durable here, or refused */
  write(
    entries: readonly WriteEntry[],
    acknowledged: (outcome: WriteOutcome) => void,
    acks: AckDemand | null = null,
  ): void {
    const request = this.#next++;
    this.#writes.set(request, acknowledged);
    const writes = [{ request, entries, precondition: null, acks }];
    this.receive(() => this.step({ type: 'write', writes }));
  }

  force(mode: 'P2P' | 'HTTP' | null): void {
    this.receive(() => this.step({ type: 'force', mode }));
  }

  receive(run: () => void): void {
    if (!this.#isUp) return;
    if (this.#stalled === null) run();
    else this.#stalled.push(run);
  }

  later(ms: number, run: () => void): Planned {
    const life = this.#life;
    return this.#modules.world.after(ms / this.#rate, () => {
      if (this.#life === life) this.receive(run);
    });
  }

  step(input: Input): void {
    const { world, watch } = this.#modules;
    if (!this.#isUp) return;
    world.trace.step(world.now, this.number, INPUT_CODES[input.type]);
    const now = { wallMs: this.wallMs(), monotonicMs: world.now * this.#rate };
    for (const effect of this.#core.step(input, now)) this.#take(effect);
    watch?.stepped(this, input);
  }

  #newCore(): Core {
    const { seed, number, core } = this.#options;
    const rng = rngOf(seed * 100_000 + number);
    const sign = (bytes: Uint8Array): Uint8Array => this.#identity.sign(bytes);
    const { atHand } = this.#modules;
    const shared = atHand === null ? {} : { atHand: atHand.find };
    return new Core({ self: this.id, sign, rng, sketchSalt: SKETCH_SALT, ...shared }, core);
  }

  #take(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.disk.persist(effect);
      case 'reply':
        if (this.#options.sabotage.repliesEarly === true) return this.#perform(effect);
        return this.disk.afterDurable(effect);
      case 'publish':
      case 'ask':
      case 'answer':
        return this.disk.afterDurable(effect);
      case 'beat':
      case 'poll':
      case 'reset':
      case 'timer':
      case 'emit':
        return this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return;
      case 'reply': {
        const acknowledged = this.#writes.get(effect.request);
        this.#writes.delete(effect.request);
        return acknowledged?.(effect.outcome);
      }
      case 'publish':
        return this.p2p.publish(effect.records);
      case 'beat':
        return this.p2p.beat(this.#host(effect.peer), effect.beacon);
      case 'poll':
        return this.http.poll(this.#host(effect.peer), effect.root, effect.waitMs);
      case 'ask':
        return this.exchanges.ask(this.#host(effect.peer), effect.lung, effect.exchange, effect.message);
      case 'answer':
        return this.exchanges.answer(effect.exchange, effect.message);
      case 'reset':
        return this.p2p.reset(this.#host(effect.peer).number);
      case 'timer':
        return this.#setTimer(effect.timer, effect.afterMs);
      case 'emit':
        return this.#note(effect.event);
    }
  }

  #durable(put: readonly VerifiedRecord[], removed: readonly VerifiedRecord[]): void {
    const { atHand, watch } = this.#modules;
    if (atHand !== null) for (const record of put) atHand.add(record);
    watch?.durable(this, put, removed);
    this.http.wake(this.#core.replica.root());
  }

  #note(event: LatticeEvent): void {
    const { events } = this.tally;
    events.set(event.type, (events.get(event.type) ?? 0) + 1);
    if (event.type === 'reconciliation') {
      this.tally.sessions += 1;
      this.tally.roundTrips += event.roundTrips;
    }
    this.#modules.watch?.emitted(this, event);
    if (this.#options.keepsEvents) this.events.push({ at: this.#modules.world.now, event });
  }

  #setTimer(timer: TimerName, afterMs: number | null): void {
    this.#timers.get(timer)?.cancel();
    if (afterMs === null) {
      this.#timers.delete(timer);
      return;
    }
    this.#timers.set(
      timer,
      this.later(afterMs, () => this.step({ type: 'timer', timer })),
    );
  }

  #beacon(): Beacon {
    const { replica } = this.#core;
    return {
      root: replica.root(),
      records: replica.recordCount(),
      wallMs: this.wallMs(),
      isWatching: false,
      isResting: false,
      vector: null,
    };
  }

  #forgetHalf(): void {
    const { records, meta } = this.disk.backup();
    const slots = [...records.keys()].toSorted((a, b) => a - b);
    const kept = new Set(slots.slice(0, slots.length / 2));
    this.disk.restore({ records: new Map([...records].filter(([slot]) => kept.has(slot))), meta });
  }

  #host(id: NodeId): Host {
    const host = this.#modules.byId.get(id);
    if (host === undefined) throw new RangeError(`no host ${id}`);
    return host;
  }
}

function hostOf(hosts: readonly Host[], number: number): Host {
  const host = hosts[number];
  if (host === undefined) throw new RangeError(`no host ${number}`);
  return host;
}
