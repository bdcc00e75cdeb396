/**
 * The first lung: gossip over gossipsub, heartbeats and exchanges over direct streams, all on one authenticated TCP
 * connection per peer inside the cluster's private network.
 *
 * The parts: `stack` assembles libp2p, `gate` admits one connection per peer, `dialer` and `addresses` find peers
 * and find them again, `links` and `passage` say who is reachable, `beats` and `exchanges` carry the direct traffic, `http-ports`
 * says where a member answers HTTP. This file starts and stops them together and turns what they see into events.
 */
import type {
  Clock,
  CountBytes,
  Identity,
  Logger,
  Lung,
  LungEffect,
  LungEvent,
  LungSink,
  ToldMember,
  TrafficKind,
} from '../../ports.ts';
import { MESSAGE_BYTES_MAX } from '../../ports.ts';
import { isNodeId } from '../../protocol/ids.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { DeadAddresses } from '../dead-addresses.ts';
import { AddressBook, parseAddress } from './addresses.ts';
import { Arrivals } from './arrivals.ts';
import type { Address, AddressOrigin } from './addresses.ts';
import { Beats } from './beats.ts';
import { dialOnce } from './dial.ts';
import type { DialModules } from './dial.ts';
import { Dialer } from './dialer.ts';
import { P2pStartError, reasonOf } from './errors.ts';
import { Exchanges } from './exchanges.ts';
import { Gate } from './gate.ts';
import { HttpPorts } from './http-ports.ts';
import type { HttpListen } from './http-ports.ts';
import { Links } from './links.ts';
import { atOnce, patienceMs, SlowAnswers } from '../pace.ts';
import type { Strain } from '../pace.ts';
import type { P2pKnobs, P2pOptions, P2pSettings } from './options.ts';
import { P2P_DEFAULTS } from './options.ts';
import { goesSecond } from './pairs.ts';
import { Passage } from './passage.ts';
import { dialablePlaces, hostOf, isLoopback } from './places.ts';
import { assembleStack, startStack } from './stack.ts';
import { Tellings } from './tellings.ts';
import type { Stack } from './types.ts';

export interface P2pModules {
  readonly identity: Identity;
  readonly logger: Logger;
  readonly clock: Clock;
  /** in [0, 1) */
  readonly rng: () => number;
  /**
   * Payload, without framing and encryption. A gossip message counts when it is published, once per peer that it goes to, and
   * when it arrives for the first time; gossipsub's own relaying, duplicates and control messages are not seen here.
   */
  readonly onBytes?: CountBytes;
  /** where this node answers HTTP, told to members that ask; null or absent: nowhere */
  readonly httpListen?: () => HttpListen | null;
  /** whom this node knows, told to members that ask; absent: nobody */
  readonly tell?: () => readonly ToldMember[];
}

/** Gossip and exchanges are evidence too, but one `heard` per peer and this many ms is enough of it. */
const HEARD_EVERY_MS = 50;

/** Connections in a row that pass nothing large before it is told. */
const NARROW_TIMES = 2;

/** One report per host of strangers and broken handshakes in this many ms: a wrong key redials for ever. */
const STRANGER_EVERY_MS = 10_000;
const STRANGERS_KEPT_MAX = 256;

/** Two round trips and some mathematics. */
const ARRIVAL_TURN_MS = 500;

const TAG = 'LATTICE_P2P';

interface Running {
  readonly stack: Stack;
  readonly links: Links;
  readonly beats: Beats;
  readonly exchanges: Exchanges;
  readonly httpPorts: HttpPorts;
  readonly tellings: Tellings;
  readonly dialer: Dialer;
}

export class P2pLung implements Lung {
  readonly name = 'p2p';
  readonly #modules: P2pModules;
  readonly #options: P2pOptions;
  readonly #book: AddressBook;
  readonly #gate: Gate;
  readonly #stop = new AbortController();
  readonly #heardMs = new Map<NodeId, number>();
  readonly #toldMs = new Map<NodeId, number>();
  readonly #strangersMs = new Map<string, number>();
  /** what a peer last said of itself before it was a link here: it was one there a moment earlier */
  readonly #dead: DeadAddresses;
  readonly #early = new Map<NodeId, LungEvent>();
  readonly #answers = new SlowAnswers();
  readonly #arrivals: Arrivals;
  #sink: LungSink | null = null;
  #running: Running | null = null;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(modules: P2pModules, options: P2pSettings & Partial<P2pKnobs>) {
    this.#modules = modules;
    this.#options = { ...P2P_DEFAULTS, ...options };
    this.#dead = new DeadAddresses(modules, TAG);
    this.#book = new AddressBook(modules.identity.id, modules.rng, this.#options, (place) =>
      goesSecond(this.#ownPlaces(), place),
    );
    this.#arrivals = new Arrivals({
      clock: modules.clock,
      atOnce: () => atOnce(this.#options.dialsMax, this.#strain()),
      turnMs: () => patienceMs(ARRIVAL_TURN_MS, this.#strain()),
    });
    this.#gate = new Gate(
      {
        own: modules.identity.id,
        clock: modules.clock,
        lastHeardMs: (peer) => this.#heardMs.get(peer) ?? null,
        onOccupied: (address, peer) => this.#book.proven(address, peer, modules.clock.monotonicMs(), null),
        onArrived: (raw) => this.#arrivals.leave(raw),
        onStranger: (address, reason) => this.#stranger(address, reason),
      },
      {
        raceMs: this.#options.dialTimeoutsMs[0] * 2,
        aliveMs: this.#options.aliveMs,
        stretched: (ms) => patienceMs(ms, this.#strain()),
      },
    );
    for (const address of this.#options.bootstrap) this.#add(address, 'fixed');
  }

  /** Rejects with P2pStartError; nothing is left running then. */
  async start(sink: LungSink): Promise<void> {
    if (this.#starting !== null) throw new P2pStartError('p2p_start_failed', 'started twice');
    this.#sink = sink;
    const opening = this.#open();
    this.#starting = opening.then(
      () => undefined,
      () => undefined,
    );
    let cancel = (): void => undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      const { startTimeoutMs } = this.#options;
      cancel = this.#modules.clock.after(startTimeoutMs, () => {
        reject(new P2pStartError('p2p_start_timeout', `not started within ${startTimeoutMs} ms`));
      });
    });
    try {
      await Promise.race([opening, timeout]);
    } catch (error) {
      this.#quiet();
      opening.catch(() => undefined);
      throw error instanceof P2pStartError
        ? error
        : new P2pStartError('p2p_start_failed', reasonOf(error), error);
    } finally {
      cancel();
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  perform(effect: LungEffect): void {
    const running = this.#running;
    switch (effect.type) {
      case 'publish':
        this.#publish(running, effect.bytes);
        return;
      case 'beat':
        running?.beats.beat(effect.peer, effect.beacon);
        return;
      case 'ask':
        if (running === null) {
          const { peer, exchange } = effect;
          this.#later(() => this.#emit({ type: 'unanswered', peer, exchange, reason: 'not started' }));
        } else {
          this.#count('out', 'exchange', effect.bytes.length);
          void running.exchanges.ask(effect);
        }
        return;
      case 'poll':
        this.#later(() =>
          this.#emit({ type: 'silent', peer: effect.peer, reason: 'the p2p lung does not poll' }),
        );
        return;
      case 'reset':
        // connections tell of their end while they are aborted
        this.#later(() => this.#reset(effect.peer));
        return;
    }
  }

  addAddress(address: string, isTold = false): void {
    this.#add(address, isTold ? 'told' : 'found');
    this.#running?.dialer.wake();
  }

  /** With our id, as others may dial us; empty until started. */
  listenMultiaddrs(): readonly string[] {
    return this.#running?.stack.getMultiaddrs().map((address) => address.toString()) ?? [];
  }

  /**
   * Where a linked member answers HTTP, asked of itself.
   *
   * @returns a base URL, none when it has nothing for us; null when it did not answer
   */
  async httpUrlsOf(peer: NodeId): Promise<readonly string[] | null> {
    return (await this.#running?.httpPorts.ask(peer)) ?? null;
  }

  /** Whom a linked member knows; only what may be reached from here. Null when it did not answer. */
  async membersOf(peer: NodeId): Promise<readonly ToldMember[] | null> {
    const seenAt = this.#running?.links.connectionTo(peer)?.remoteAddr.toString();
    const told = seenAt === undefined ? null : await this.#running?.tellings.ask(peer);
    if (told === null || told === undefined || seenAt === undefined) return null;
    return told.map(({ peer: member, addresses }) => ({
      peer: member,
      addresses: addresses.filter((address) => isLoopback(address) === isLoopback(seenAt)),
    }));
  }

  /** Where this member said that it listens, or was found. */
  addressesOf(peer: NodeId): readonly string[] {
    const found = this.#book.list().flatMap((address) => (address.peer === peer ? [address.text] : []));
    // where it was before is of less use
    return found.toReversed();
  }

  /** Peers that gossip reaches, grafted or flooded to. */
  meshPeers(): readonly NodeId[] {
    const peers = this.#running?.stack.services.gossip.getSubscribers(this.#options.topic) ?? [];
    return peers.map((peer) => peer.toString()).filter(isNodeId);
  }

  knownAddresses(): readonly Address[] {
    return this.#book.list();
  }

  async #open(): Promise<void> {
    const { identity, clock } = this.#modules;
    const onRefusedMessage = (peer: string, reason: string): void => this.#refused(peer, reason);
    const stack = await assembleStack(
      { identity, gater: this.#gate.hooks(), arrivals: this.#arrivals, onRefusedMessage },
      this.#options,
    );
    this.#stop.signal.throwIfAborted();
    const passage = new Passage(stack);
    const links = new Links(
      {
        stack,
        clock,
        onUp: (peer, address) => this.#up(peer, address),
        onDown: (peer, reason) => this.#emit({ type: 'link', peer, state: 'down', reason }),
        onGone: (peer) => this.#gone(peer),
        passage: (connection) => passage.proveOn(connection),
        onNarrow: (peer, times) => this.#narrow(peer, times),
        strain: () => this.#strain(),
      },
      this.#options,
    );
    const connectionTo = links.connectionTo.bind(links);
    const beats = new Beats(
      {
        stack,
        clock,
        connectionTo,
        onBytes: (direction, bytes) => this.#count(direction, 'beat', bytes),
        onHeard: (peer, rttMs, beacon) => {
          this.#heardMs.set(peer, clock.monotonicMs());
          const heard: LungEvent = { type: 'heard', peer, rttMs, beacon };
          if (links.isUp(peer)) this.#emit(heard);
          else if (links.isConnected(peer)) this.#early.set(peer, heard);
        },
        onRefused: onRefusedMessage,
      },
      this.#options,
    );
    const exchanges = new Exchanges(
      {
        stack,
        clock,
        connectionTo,
        onAsked: (peer, bytes, answer) => {
          this.#received(peer, 'exchange', bytes);
          this.#asked(peer, bytes, answer);
        },
        onAnswered: (peer, exchange, bytes, rttMs) => {
          this.#received(peer, 'exchange', bytes);
          this.#emit({ type: 'answered', peer, exchange, bytes, rttMs });
        },
        onUnanswered: (peer, exchange, reason) => this.#emit({ type: 'unanswered', peer, exchange, reason }),
        onRefused: onRefusedMessage,
        onProgress: (peer) => this.#stirred(peer),
      },
      this.#options,
    );
    const { httpListen = () => null, tell = () => [] } = this.#modules;
    const tellings = new Tellings({ stack, connectionTo, tell }, this.#options);
    const httpPorts = new HttpPorts({ stack, connectionTo, listen: httpListen }, this.#options);
    const dialling: DialModules = {
      stack,
      clock,
      stop: this.#stop.signal,
      onStranger: (address, reason) => this.#stranger(address, reason),
      strain: () => this.#strain(),
    };
    const dialer = new Dialer(
      {
        clock,
        book: this.#book,
        dial: (address, accepted) => dialOnce(dialling, address, this.#options, accepted),
        onAnswered: (answeredMs) => this.#answers.saw(answeredMs, clock.monotonicMs()),
        connected: (peer) => links.isConnected(peer),
        becoming: () => links.becoming + this.#arrivals.underWay,
        links: () => links.upCount,
        strain: () => this.#strain(),
        onFailed: (address, reason) => this.#dialFailed(address, reason),
        onMet: ({ text }) => this.#dead.answered(text),
      },
      this.#options,
    );
    this.#listenToGossip(stack);
    await beats.start();
    await exchanges.start();
    await httpPorts.start();
    await passage.start();
    await tellings.start();
    links.start();
    try {
      await startStack(stack);
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      links.stop();
      await stack.stop();
      throw error;
    }
    stack.services.gossip.subscribe(this.#options.topic);
    this.#running = { stack, links, beats, exchanges, httpPorts, tellings, dialer };
    dialer.start();
    this.#modules.logger.info('p2p lung listens', { tag: TAG, addresses: this.listenMultiaddrs() });
  }

  #listenToGossip(stack: Stack): void {
    stack.services.gossip.addEventListener('gossipsub:message', (event) => {
      const peer = event.detail.propagationSource.toString();
      const { topic, data } = event.detail.msg;
      if (topic !== this.#options.topic || !isNodeId(peer)) return;
      this.#received(peer, 'gossip', data);
      this.#emit({ type: 'gossip', peer, bytes: data });
    });
    stack.addEventListener('peer:identify', (event) => {
      const { peerId, listenAddrs, connection } = event.detail;
      const peer = peerId.toString();
      if (isNodeId(peer)) this.#learn(peer, listenAddrs.map(String), connection.remoteAddr.toString());
    });
  }

  #publish(running: Running | null, bytes: Uint8Array): void {
    if (bytes.length > MESSAGE_BYTES_MAX) {
      const reason = `publish of ${bytes.length} bytes is too large`;
      this.#later(() => this.#emit({ type: 'refused', peer: null, what: 'message', reason }));
      return;
    }
    if (running === null) return;
    running.stack.services.gossip.publish(this.#options.topic, bytes).then(
      ({ recipients }) => this.#count('out', 'gossip', bytes.length * recipients.length),
      (error: unknown) => this.#modules.logger.debug('publish failed', { tag: TAG, reason: reasonOf(error) }),
    );
  }

  #reset(peer: NodeId): void {
    this.#running?.links.abort(peer, 'reset');
    this.#book.hurry(peer, this.#modules.clock.monotonicMs(), this.#strain());
    this.#running?.dialer.wake();
  }

  #asked(peer: NodeId, bytes: Uint8Array, answer: (bytes: Uint8Array | null) => void): void {
    let answered = false;
    this.#emit({
      type: 'asked',
      peer,
      bytes,
      answer: (reply) => {
        if (answered) return;
        answered = true;
        this.#count('out', 'exchange', reply?.length ?? 0);
        answer(reply);
      },
    });
  }

  #up(peer: NodeId, address: string): void {
    this.#emit({ type: 'link', peer, state: 'up', address });
    const early = this.#early.get(peer);
    this.#early.delete(peer);
    if (early !== undefined) this.#emit(early);
    // one way works again, so others may: do not wait out the long delays
    this.#book.hurry(null, this.#modules.clock.monotonicMs(), this.#strain());
    this.#running?.dialer.wake();
  }

  #gone(peer: NodeId): void {
    this.#heardMs.delete(peer);
    this.#toldMs.delete(peer);
    this.#early.delete(peer);
    this.#running?.beats.forget(peer);
    this.#book.hurry(peer, this.#modules.clock.monotonicMs(), this.#strain());
    this.#running?.dialer.wake();
  }

  /** Once in a row: the second time, as the first may be a moment's loss. */
  #narrow(peer: NodeId, times: number): void {
    const { logger } = this.#modules;
    if (times === 0) logger.info('large messages pass again', { tag: TAG, peer });
    if (times === NARROW_TIMES)
      logger.warn('a member connects, but large messages do not pass: check the MTU on the way', {
        tag: TAG,
        peer,
      });
  }

  #received(peer: NodeId, kind: TrafficKind, bytes: Uint8Array): void {
    this.#count('in', kind, bytes.length);
    this.#stirred(peer);
  }

  /** Something of this peer came, be it a part of a message only. */
  #stirred(peer: NodeId): void {
    const now = this.#modules.clock.monotonicMs();
    this.#heardMs.set(peer, now);
    if (this.#running?.links.isUp(peer) !== true) return;
    if (now - (this.#toldMs.get(peer) ?? -Infinity) < HEARD_EVERY_MS) return;
    this.#toldMs.set(peer, now);
    this.#emit({ type: 'heard', peer, rttMs: null, beacon: null });
  }

  #learn(peer: NodeId, told: readonly string[], seenAt: string): void {
    const now = this.#modules.clock.monotonicMs();
    const places = dialablePlaces(told, seenAt, this.#options.addressesPerPeerMax);
    for (const place of places) this.#book.add(place, 'found', now, peer);
  }

  #add(address: string, origin: AddressOrigin): void {
    const outcome = this.#book.add(address, origin, this.#modules.clock.monotonicMs());
    if (origin !== 'told' && (outcome === 'malformed' || outcome === 'full')) {
      this.#modules.logger.warn('address not used', {
        tag: TAG,
        address: address.slice(0, 200),
        why: outcome,
      });
    }
  }

  #dialFailed({ text: address, origin }: Address, reason: string): void {
    this.#modules.logger.debug('dial failed', { tag: TAG, address, reason });
    if (origin === 'fixed') this.#dead.failed(address, reason);
  }

  #refused(peer: string, reason: string): void {
    this.#emit({ type: 'refused', peer: isNodeId(peer) ? peer : null, what: 'message', reason });
  }

  #stranger(address: string, reason: string): void {
    const host = hostOf(address);
    const now = this.#modules.clock.monotonicMs();
    if (now - (this.#strangersMs.get(host) ?? -Infinity) < STRANGER_EVERY_MS) return;
    if (this.#strangersMs.size >= STRANGERS_KEPT_MAX) this.#strangersMs.clear();
    this.#strangersMs.set(host, now);
    this.#emit({
      type: 'refused',
      peer: null,
      what: 'peer',
      reason: `handshake with ${address} failed: ${reason}`,
    });
  }

  #ownPlaces(): readonly string[] {
    return this.listenMultiaddrs().flatMap((address) => parseAddress(address)?.place ?? []);
  }

  #strain(): Strain {
    const { clock } = this.#modules;
    return { lagMs: clock.lagMs?.() ?? 0, answerMs: this.#answers.ms(clock.monotonicMs()) };
  }

  #count(direction: 'in' | 'out', kind: TrafficKind, bytes: number): void {
    if (bytes > 0) this.#modules.onBytes?.(direction, kind, bytes);
  }

  /** In a turn of its own, unless the lung stops first. */
  #later(run: () => void): void {
    setImmediate(() => {
      if (this.#sink !== null) run();
    });
  }

  #emit(event: LungEvent): void {
    this.#sink?.(event);
  }

  /** From here on nothing is told and nothing new begins. */
  #quiet(): void {
    this.#sink = null;
    this.#stop.abort(new P2pStartError('p2p_stopped', 'stopped before it had started'));
  }

  async #close(): Promise<void> {
    this.#quiet();
    await this.#starting;
    const running = this.#running;
    this.#running = null;
    if (running === null) return;
    running.dialer.stop();
    running.exchanges.stop();
    running.links.stop();
    const { stack } = running;
    await Promise.all(
      stack.getConnections().map(async (connection) => {
        try {
          await connection.close({ signal: AbortSignal.timeout(this.#options.closeTimeoutMs) });
        } catch (error) {
          connection.abort(error instanceof Error ? error : new Error('stopping'));
        }
      }),
    );
    await stack.stop();
  }
}
