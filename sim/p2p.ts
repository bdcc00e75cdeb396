/**
 * The P2P lung of a simulated machine: links that are dialled again while they are down, heartbeats on each, and gossip that
 * every machine relays once. A link is what its two ends believe; a reset that is lost leaves them of two minds.
 */
import type { Beacon } from '../node/protocol/border.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import type { SignedRecord } from '../node/protocol/state/record.ts';
import { hasSeen, see, type Batch, type Batches } from './batches.ts';
import type { Machine } from './machine.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

export interface P2pMachine extends Machine {
  readonly p2p: P2pLung;
}

export interface P2pModules {
  readonly world: World;
  readonly batches: Batches;
  readonly wire: Wire;
  readonly machine: (number: number) => P2pMachine;
  /** a connection ended for certain */
  readonly onDown: (peer: NodeId) => void;
}

export interface P2pOptions {
  /** whom it dials */
  readonly neighbours: readonly number[];
  /** pause between two dials of one machine, in ms */
  readonly redialMs: number;
}

/** A heartbeat on its direct stream, and a batch's frame, in bytes (lungs/p2p). */
const BEAT_BYTES = 77;
const FRAME_BYTES = 4;

export class P2pLung {
  readonly #modules: P2pModules;
  readonly #options: P2pOptions;
  readonly #self: P2pMachine;
  readonly #links = new Set<number>();
  readonly #dialling = new Set<number>();
  #isUp = false;

  constructor(modules: P2pModules, options: P2pOptions, self: P2pMachine) {
    this.#modules = modules;
    this.#options = options;
    this.#self = self;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  isLinked(number: number): boolean {
    return this.#links.has(number);
  }

  start(): void {
    this.#isUp = true;
    this.#dialling.clear();
    for (const number of this.#options.neighbours) {
      this.#dialLater(number, this.#modules.world.rng() * this.#options.redialMs);
    }
  }

  /** The process is gone: peers see their connections reset where packets pass. */
  stop(): void {
    this.#isUp = false;
    for (const number of this.#links) this.#hangUp(number);
    this.#links.clear();
    this.#dialling.clear();
  }

  beat(peer: P2pMachine, beacon: Beacon): void {
    this.#modules.world.traffic.count('beat', BEAT_BYTES + vectorBytes(beacon));
    this.send(peer, () => peer.step({ type: 'heard', peer: this.#self.id, lung: 'p2p', rttMs: 1, beacon }));
  }

  publish(records: readonly SignedRecord[]): void {
    const batch = this.#modules.batches.of(records);
    if (see(batch, this.#self)) this.#relay(batch, null, 1);
  }

  reset(number: number): void {
    this.#links.delete(number);
    this.#hangUp(number);
    const { id } = this.#modules.machine(number);
    // The core is in the middle of a step's effects: what follows from this one comes after them.
    this.#self.later(0, () => this.#modules.onDown(id));
    this.#dialLater(number, this.#modules.world.rng() * this.#options.redialMs);
  }

  /** Delivers over the link, if both ends still believe in it. */
  send(peer: P2pMachine, deliver: () => void): void {
    if (!this.#links.has(peer.number)) return;
    this.#modules.world.send(this.#self.number, peer.number, 'p2p', () => {
      if (peer.p2p.isLinked(this.#self.number)) peer.receive(deliver);
    });
  }

  /** The other end has accepted, or has dialled. */
  linked(peer: P2pMachine): void {
    this.#links.add(peer.number);
    this.#self.step({ type: 'link', peer: peer.id, lung: 'p2p', state: 'up', reason: 'simulated' });
  }

  #relay(batch: Batch, source: number | null, hops: number): void {
    const { world } = this.#modules;
    const size = batch.bytes.length + FRAME_BYTES;
    for (const number of this.#links) {
      if (number === source) continue;
      world.traffic.count('batch', size);
      batch.spread.carried += 1;
      const peer = this.#modules.machine(number);
      // Its filter would drop it: it costs its bytes, and nothing happens.
      if (!hasSeen(batch, peer)) this.send(peer, () => peer.p2p.#take(batch, this.#self, hops));
    }
  }

  #take(batch: Batch, from: P2pMachine, hops: number): void {
    if (!see(batch, this.#self)) return;
    const { spread } = batch;
    spread.reached += 1;
    spread.hops = Math.max(spread.hops, hops);
    spread.lastAt = this.#modules.world.now;
    const records = this.#modules.wire.batch(batch);
    if (records === null) return;
    this.#relay(batch, from.number, hops + 1);
    this.#self.step({ type: 'gossip', peer: from.id, records });
  }

  #dialLater(number: number, ms: number): void {
    if (!this.#isUp || this.#dialling.has(number)) return;
    this.#dialling.add(number);
    this.#self.later(ms, () => {
      this.#dialling.delete(number);
      if (this.#isUp && !this.#links.has(number)) this.#dial(number);
    });
  }

  /** A handshake needs both directions and somebody who answers. */
  #dial(number: number): void {
    const { world } = this.#modules;
    const peer = this.#modules.machine(number);
    const works =
      peer.isUp &&
      peer.p2p.isUp &&
      !world.isDeaf(number) &&
      world.passes(this.#self.number, number, 'p2p') &&
      world.passes(number, this.#self.number, 'p2p');
    if (!works) return this.#dialLater(number, this.#options.redialMs * (0.8 + 0.4 * world.rng()));
    this.linked(peer);
    peer.receive(() => peer.p2p.linked(this.#self));
  }

  /** A reset that arrives, if it arrives, ends the other side's link as well. */
  #hangUp(number: number): void {
    const { world, machine } = this.#modules;
    const peer = machine(number);
    world.send(this.#self.number, number, 'p2p', () => {
      peer.receive(() => peer.p2p.#hungUp(this.#self));
    });
  }

  #hungUp(peer: P2pMachine): void {
    if (!this.#links.delete(peer.number)) return;
    this.#modules.onDown(peer.id);
    this.#self.step({ type: 'link', peer: peer.id, lung: 'p2p', state: 'down', reason: 'reset' });
    this.#dialLater(peer.number, this.#modules.world.rng() * this.#options.redialMs);
  }
}

/** One author without holes, in bytes: 32 of its key, and what its sequences take as varints (state/version-vector.ts). */
const VECTOR_RANGE_BYTES = 45;

/** Beats are most of what there is: their size is told from the number of ranges, without encoding them. */
function vectorBytes({ vector }: Beacon): number {
  return vector === null ? 0 : 1 + VECTOR_RANGE_BYTES * vector.size;
}
