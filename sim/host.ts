/**
 * A simulated machine: the real core, a disk that keeps only what was synced, and both lungs as the world lets packets pass.
 * It does the driver's duties: persist, then reply and send.
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
import { Core, type CoreOptions, type Kept } from '../node/protocol/core.ts';
import type { LatticeEvent, LungName } from '../node/protocol/events.ts';
import type { Digest, NodeId } from '../node/protocol/ids.ts';
import type { SignedRecord, VerifiedRecord } from '../node/protocol/state/record.ts';
import { identityFromSeed, type SigningIdentity } from '../node/protocol/state/signature.ts';
import type { SyncReply, SyncRequest } from '../node/protocol/sync/messages.ts';
import { rngOf } from './rng.ts';
import type { World } from './world.ts';

export interface HostModules {
  readonly world: World;
  /** every host of the world, this one included; filled before the first start */
  readonly hosts: readonly Host[];
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
}

export interface Disk {
  readonly records: Map<number, VerifiedRecord>;
  meta: Kept | null;
}

/** 2026-01-01, so that stamps look like stamps */
const EPOCH_MS = 1_767_225_600_000;

export class Host {
  readonly id: NodeId;
  readonly number: number;
  /** how far its clock is off, in ms; may be changed at any time */
  clockOffsetMs = 0;
  readonly events: { readonly at: number; readonly event: LatticeEvent }[] = [];
  readonly #modules: HostModules;
  readonly #options: HostOptions;
  readonly #identity: SigningIdentity;
  readonly #disk: Disk = { records: new Map(), meta: null };
  readonly #links = new Set<number>();
  /** grows with every start: what an earlier life planned does not reach a later one */
  #life = 0;
  #isUp = false;
  #core: Core;
  #timers = new Map<TimerName, () => void>();
  #writes = new Map<number, (outcome: WriteOutcome) => void>();
  #answers = new Map<number, (reply: SyncReply) => void>();
  #rumors = new Set<string>();
  #stalled: Input[] | null = null;
  #held: { readonly waiting: Effect[] } | null = null;
  #next = 1;

  constructor(modules: HostModules, options: HostOptions) {
    this.#modules = modules;
    this.#options = options;
    this.number = options.number;
    this.#identity = identityFromSeed(
      Buffer.from(hash('sha256', `host ${options.seed} ${options.number}`, 'hex'), 'hex'),
    );
    this.id = this.#identity.id;
    this.#core = this.#newCore();
  }

  get core(): Core {
    return this.#core;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** ms since the epoch, by this host's own clock */
  wallMs(): number {
    return EPOCH_MS + Math.floor(this.#modules.world.now) + this.clockOffsetMs;
  }

  start(): void {
    this.#life += 1;
    this.#isUp = true;
    this.#core = this.#newCore();
    const kept = [...this.#disk.records].map(([slot, record]) => ({ slot, record }));
    this.#core.load(this.#disk.meta, kept, this.wallMs());
    this.#step({ type: 'start' });
    this.#step({ type: 'lung', lung: 'http', state: 'up', reason: 'simulated' });
    this.#step({ type: 'lung', lung: 'p2p', state: 'up', reason: 'simulated' });
    for (const other of this.#modules.hosts) if (other !== this) this.#meet(other);
  }

  /** SIGKILL: memory, timers and links go at once, the disk keeps what was synced; peers see their connections reset where packets pass. */
  kill(): void {
    this.#life += 1;
    this.#isUp = false;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers = new Map();
    this.#writes = new Map();
    this.#answers = new Map();
    this.#rumors = new Set();
    this.#held = null;
    for (const number of this.#links) this.#hangUp(number);
    this.#links.clear();
    if (this.#options.sabotage.forgetsOnKill === true) this.#forgetHalf();
  }

  /** This host's own signature, for records that an honest host would not make. */
  signAs(bytes: Uint8Array): Uint8Array {
    return this.#identity.sign(bytes);
  }

  /** Hands records to this host as if a member had gossiped them. */
  plant(records: readonly VerifiedRecord[]): void {
    const [peer] = this.#core.peers();
    if (peer !== undefined) this.#step({ type: 'gossip', peer: peer.id, records });
  }

  /** What the disk holds now, to be put back later: a backup. */
  backup(): Disk {
    return { records: new Map(this.#disk.records), meta: this.#disk.meta };
  }

  /** Puts a backup in place of a stopped host's disk. */
  restore(backup: Disk): void {
    this.#disk.records.clear();
    for (const [slot, record] of backup.records) this.#disk.records.set(slot, record);
    this.#disk.meta = backup.meta;
  }

  /** SIGSTOP and SIGCONT: nothing is stepped for a while, then everything that came meanwhile at once. */
  stall(ms: number): void {
    this.#stalled ??= [];
    this.#modules.world.after(ms, () => {
      const inputs = this.#stalled ?? [];
      this.#stalled = null;
      for (const input of inputs) this.#step(input);
    });
  }

  /** @param acknowledged called once the write is durable here, or refused */
  write(
    entries: readonly WriteEntry[],
    acknowledged: (outcome: WriteOutcome) => void,
    acks: AckDemand | null = null,
  ): void {
    const request = this.#next++;
    this.#writes.set(request, acknowledged);
    this.#step({ type: 'write', request, entries, precondition: null, acks });
  }

  force(mode: 'P2P' | 'HTTP' | null): void {
    this.#step({ type: 'force', mode });
  }

  #newCore(): Core {
    const { seed, number } = this.#options;
    const rng = rngOf(seed * 1_000 + number);
    const sign = (bytes: Uint8Array): Uint8Array => this.#identity.sign(bytes);
    return new Core({ self: this.id, sign, rng }, this.#options.core);
  }

  #step(input: Input): void {
    const { world } = this.#modules;
    if (!this.#isUp) return;
    if (this.#stalled !== null) {
      this.#stalled.push(input);
      return;
    }
    world.note(`${this.number} ${input.type}`);
    const now = { wallMs: this.wallMs(), monotonicMs: world.now };
    for (const effect of this.#core.step(input, now)) this.#take(effect);
  }

  #take(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.#sync(effect);
      case 'reply':
        if (this.#held === null || this.#options.sabotage.repliesEarly === true) return this.#perform(effect);
        this.#held.waiting.push(effect);
        return;
      case 'publish':
      case 'ask':
      case 'answer':
        if (this.#held === null) return this.#perform(effect);
        this.#held.waiting.push(effect);
        return;
      case 'beat':
      case 'poll':
      case 'reset':
      case 'timer':
      case 'emit':
        return this.#perform(effect);
    }
  }

  /** Syncs take their time one after the other; what a kill interrupts is lost. */
  #sync(effect: Effect & { type: 'persist' }): void {
    const knowledge = effect.knowledge();
    const group = { waiting: [] as Effect[] };
    this.#held = group;
    this.#later(this.#options.flushMs, () => {
      for (const { slot, record } of effect.put) this.#disk.records.set(slot, record as VerifiedRecord);
      for (const slot of effect.remove) this.#disk.records.delete(slot);
      const { sequence, wallMs, counter } = effect;
      this.#disk.meta = { sequence, wallMs, counter, knowledge };
      if (this.#held === group) this.#held = null;
      for (const waiting of group.waiting) this.#perform(waiting);
    });
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return;
      case 'reply':
        this.#writes.get(effect.request)?.(effect.outcome);
        this.#writes.delete(effect.request);
        return;
      case 'publish':
        return this.#gossip(effect.records, null);
      case 'beat':
        return this.#beat(effect.peer, effect.beacon);
      case 'poll':
        return this.#poll(effect.peer, effect.root, effect.waitMs);
      case 'ask':
        return this.#ask(effect.peer, effect.lung, effect.exchange, effect.message);
      case 'answer':
        this.#answers.get(effect.exchange)?.(effect.message);
        this.#answers.delete(effect.exchange);
        return;
      case 'reset':
        return this.#reset(effect.peer);
      case 'timer':
        return this.#setTimer(effect.timer, effect.afterMs);
      case 'emit':
        this.events.push({ at: this.#modules.world.now, event: effect.event });
        return;
    }
  }

  // ── P2P ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Dials again and again while not linked, and tells the core of the HTTP address. */
  #meet(other: Host): void {
    this.#step({ type: 'link', peer: other.id, lung: 'http', state: 'up', reason: 'simulated' });
    const dial = (): void => {
      const { world } = this.#modules;
      const works =
        other.isUp &&
        world.passes(this.number, other.number, 'p2p') &&
        world.passes(other.number, this.number, 'p2p');
      if (works && !this.#links.has(other.number)) {
        this.#linked(other);
        other.#linked(this);
      }
      this.#later(this.#options.redialMs * (0.8 + 0.4 * world.rng()), dial);
    };
    this.#later(this.#modules.world.rng() * this.#options.redialMs, dial);
  }

  #linked(other: Host): void {
    this.#links.add(other.number);
    this.#step({ type: 'link', peer: other.id, lung: 'p2p', state: 'up', reason: 'simulated' });
  }

  #reset(peer: NodeId): void {
    const other = this.#host(peer);
    this.#links.delete(other.number);
    this.#hangUp(other.number);
  }

  /** A reset that arrives, if it arrives, ends the other side's link as well. */
  #hangUp(number: number): void {
    const other = this.#modules.hosts[number];
    if (other === undefined) return;
    this.#modules.world.send(this.number, number, 'p2p', () => {
      if (!other.#links.delete(this.number)) return;
      other.#step({ type: 'link', peer: this.id, lung: 'p2p', state: 'down', reason: 'reset' });
    });
  }

  #overP2p(other: Host, deliver: () => void): void {
    if (!this.#links.has(other.number)) return;
    this.#modules.world.send(this.number, other.number, 'p2p', () => {
      if (other.#links.has(this.number)) deliver();
    });
  }

  #beat(peer: NodeId, beacon: Beacon): void {
    const other = this.#host(peer);
    this.#overP2p(other, () => other.#step({ type: 'heard', peer: this.id, lung: 'p2p', rttMs: 1, beacon }));
  }

  /** Floods: every host relays a batch once. */
  #gossip(records: readonly SignedRecord[], source: number | null): void {
    this.#rumors.add(rumorOf(records));
    for (const number of this.#links) {
      const other = this.#modules.hosts[number];
      if (other === undefined || number === source) continue;
      this.#overP2p(other, () => {
        if (other.#rumors.has(rumorOf(records))) return;
        other.#gossip(records, this.number);
        other.#step({ type: 'gossip', peer: this.id, records: records as readonly VerifiedRecord[] });
      });
    }
  }

  // ── exchanges ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #ask(peer: NodeId, lung: LungName, exchange: number, message: SyncRequest): void {
    const other = this.#host(peer);
    let isOver = false;
    const cancel = this.#later(this.#options.timeoutMs, () => {
      isOver = true;
      this.#step({ type: 'unanswered', peer, lung, exchange, reason: 'timeout' });
    });
    const request = message as SyncRequest<VerifiedRecord>;
    const arrive = (): void => {
      if (!other.isUp) return;
      const number = other.#next++;
      other.#answers.set(number, (reply) => {
        other.#modules.world.send(other.number, this.number, lung, () => {
          if (isOver) return;
          isOver = true;
          cancel();
          this.#step({ type: 'answered', peer, lung, exchange, message: reply as SyncReply<VerifiedRecord> });
        });
      });
      other.#step({ type: 'asked', peer: this.id, lung, exchange: number, message: request });
    };
    if (lung === 'p2p') this.#overP2p(other, arrive);
    else this.#modules.world.send(this.number, other.number, 'http', arrive);
  }

  #poll(peer: NodeId, root: Digest, waitMs: number): void {
    const other = this.#host(peer);
    let isOver = false;
    const cancel = this.#later(waitMs + this.#options.timeoutMs, () => {
      isOver = true;
      this.#step({ type: 'silent', peer, lung: 'http', reason: 'timeout' });
    });
    const answer = (): void => {
      const beacon = {
        root: other.core.replica.root(),
        records: other.core.replica.recordCount(),
        wallMs: other.wallMs(),
      };
      this.#modules.world.send(other.number, this.number, 'http', () => {
        if (isOver) return;
        isOver = true;
        cancel();
        this.#step({ type: 'heard', peer, lung: 'http', rttMs: waitMs > 0 ? null : 1, beacon });
      });
    };
    const until = this.#modules.world.now + waitMs;
    const look = (): void => {
      if (isOver) return;
      if (other.core.replica.root() !== root || this.#modules.world.now >= until) answer();
      else other.#later(HELD_POLL_STEP_MS, look);
    };
    this.#modules.world.send(this.number, other.number, 'http', () => {
      if (other.isUp) look();
    });
  }

  // ── small things ──────────────────────────────────────────────────────────────────────────────────────────────────

  #setTimer(timer: TimerName, afterMs: number | null): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
    if (afterMs === null) return;
    this.#timers.set(
      timer,
      this.#later(afterMs, () => this.#step({ type: 'timer', timer })),
    );
  }

  /** Plans something of this life only. */
  #later(ms: number, run: () => void): () => void {
    const life = this.#life;
    return this.#modules.world.after(ms, () => {
      if (this.#life === life && this.#isUp) run();
    });
  }

  #forgetHalf(): void {
    const slots = [...this.#disk.records.keys()].toSorted((a, b) => a - b);
    for (const slot of slots.slice(slots.length / 2)) this.#disk.records.delete(slot);
  }

  #host(id: NodeId): Host {
    const host = this.#modules.hosts.find((candidate) => candidate.id === id);
    if (host === undefined) throw new RangeError(`no host ${id}`);
    return host;
  }
}

/** How often a held poll looks whether the root has changed, in ms. */
const HELD_POLL_STEP_MS = 5;

function rumorOf(records: readonly SignedRecord[]): string {
  return records.map((record) => record.id).join(' ');
}
