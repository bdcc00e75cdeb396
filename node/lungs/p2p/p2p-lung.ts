/**
 * The first lung: gossip over gossipsub, heartbeats and exchanges over direct streams, all on one authenticated TCP
 * connection per peer inside the cluster's private network.
 *
 * The parts: `stack` assembles libp2p, `gate` admits one connection per peer, `dialer` and `addresses` find peers
 * and find them again, `links` says who is reachable, `beats` and `exchanges` carry the direct traffic. This file
 * starts and stops them together and turns what they see into events.
 */
import type { Clock, Identity, Logger, Lung, LungEffect, LungEvent, LungSink } from '../../ports.ts';
import { MESSAGE_BYTES_MAX } from '../../ports.ts';
import { isNodeId } from '../../protocol/ids.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { AddressBook, parseAddress } from './addresses.ts';
import type { Address } from './addresses.ts';
import { Beats } from './beats.ts';
import { Dialer } from './dialer.ts';
import type { DialOutcome } from './dialer.ts';
import { P2pStartError, reasonOf } from './errors.ts';
import { Exchanges } from './exchanges.ts';
import { Gate } from './gate.ts';
import { Links } from './links.ts';
import type { P2pKnobs, P2pOptions, P2pSettings } from './options.ts';
import { P2P_DEFAULTS } from './options.ts';
import { assembleStack, startStack } from './stack.ts';
import type { Stack } from './types.ts';

export interface P2pModules {
  readonly identity: Identity;
  readonly logger: Logger;
  readonly clock: Clock;
  /** in [0, 1) */
  readonly rng: () => number;
}

/** Payload bytes, without framing and encryption; a gossip message counts once however many peers it goes to. */
export interface P2pTraffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Gossip and exchanges are evidence too, but one `heard` per peer and this many ms is enough of it. */
const HEARD_EVERY_MS = 50;

/** One report per host of strangers and broken handshakes in this many ms: a wrong key redials for ever. */
const STRANGER_EVERY_MS = 10_000;
const STRANGERS_KEPT_MAX = 256;

/** A dial of our own address looks like a stranger at our door: wait this long to know. */
const STRANGER_DELAY_MS = 50;
const TAG = 'LATTICE_P2P';

interface Running {
  readonly stack: Stack;
  readonly links: Links;
  readonly beats: Beats;
  readonly exchanges: Exchanges;
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
  readonly #cancelStrangers = new Set<() => void>();
  #sink: LungSink | null = null;
  #running: Running | null = null;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #selfDialMs = -Infinity;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(modules: P2pModules, options: P2pSettings & Partial<P2pKnobs>) {
    this.#modules = modules;
    this.#options = { ...P2P_DEFAULTS, ...options };
    this.#book = new AddressBook(modules.identity.id, modules.rng, this.#options);
    this.#gate = new Gate(
      {
        own: modules.identity.id,
        clock: modules.clock,
        lastHeardMs: (peer) => this.#heardMs.get(peer) ?? null,
        onOccupied: (address, peer) => this.#book.proven(address, peer, modules.clock.monotonicMs()),
        onStranger: (address, reason) => this.#stranger(address, reason),
      },
      { raceMs: this.#options.dialTimeoutMs * 2, aliveMs: this.#options.aliveMs },
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
      throw error instanceof P2pStartError ? error : new P2pStartError('p2p_start_failed', reasonOf(error), error);
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
        if (running === null) this.#emit({ type: 'unanswered', peer: effect.peer, exchange: effect.exchange, reason: 'not started' });
        else {
          this.#bytesOut += effect.bytes.length;
          void running.exchanges.ask(effect);
        }
        return;
      case 'poll':
        this.#emit({ type: 'silent', peer: effect.peer, reason: 'the p2p lung does not poll' });
        return;
      case 'reset':
        running?.links.abort(effect.peer, 'reset');
        this.#book.hurry(effect.peer, this.#modules.clock.monotonicMs());
        running?.dialer.wake();
        return;
    }
  }

  addAddress(address: string): void {
    this.#add(address, 'found');
    this.#running?.dialer.wake();
  }

  /** With our id, as others may dial us; empty until started. */
  listenMultiaddrs(): readonly string[] {
    return this.#running?.stack.getMultiaddrs().map((address) => address.toString()) ?? [];
  }

  /** Peers that gossip reaches, grafted or flooded to. */
  meshPeers(): readonly NodeId[] {
    const peers = this.#running?.stack.services.gossip.getSubscribers(this.#options.topic) ?? [];
    return peers.map((peer) => peer.toString()).filter(isNodeId);
  }

  knownAddresses(): readonly Address[] {
    return this.#book.list();
  }

  traffic(): P2pTraffic {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  async #open(): Promise<void> {
    const { identity, clock } = this.#modules;
    const onRefusedMessage = (peer: string, reason: string): void => this.#refused(peer, reason);
    const stack = await assembleStack({ identity, gater: this.#gate.hooks(), onRefusedMessage }, this.#options);
    this.#stop.signal.throwIfAborted();
    const links = new Links(
      {
        stack,
        clock,
        onUp: (peer, address) => this.#up(peer, address),
        onDown: (peer, reason) => this.#emit({ type: 'link', peer, state: 'down', reason }),
        onGone: (peer) => this.#gone(peer),
      },
      this.#options,
    );
    const connectionTo = links.connectionTo.bind(links);
    const beats = new Beats(
      {
        stack,
        clock,
        connectionTo,
        onHeard: (peer, rttMs, beacon) => {
          this.#heardMs.set(peer, clock.monotonicMs());
          this.#emit({ type: 'heard', peer, rttMs, beacon });
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
          this.#received(peer, bytes);
          this.#asked(peer, bytes, answer);
        },
        onAnswered: (peer, exchange, bytes, rttMs) => {
          this.#received(peer, bytes);
          this.#emit({ type: 'answered', peer, exchange, bytes, rttMs });
        },
        onUnanswered: (peer, exchange, reason) => this.#emit({ type: 'unanswered', peer, exchange, reason }),
        onRefused: onRefusedMessage,
      },
      this.#options,
    );
    const dialer = new Dialer(
      {
        clock,
        book: this.#book,
        dial: (address) => this.#dial(stack, address),
        connected: (peer) => links.isConnected(peer),
        onFailed: (address, reason) => this.#modules.logger.debug('dial failed', { tag: TAG, address: address.text, reason }),
      },
      this.#options,
    );
    this.#listenToGossip(stack);
    await beats.start();
    await exchanges.start();
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
    this.#running = { stack, links, beats, exchanges, dialer };
    dialer.start();
    this.#modules.logger.info('p2p lung listens', { tag: TAG, addresses: this.listenMultiaddrs() });
  }

  #listenToGossip(stack: Stack): void {
    stack.services.gossip.addEventListener('gossipsub:message', (event) => {
      const peer = event.detail.propagationSource.toString();
      const { topic, data } = event.detail.msg;
      if (topic !== this.#options.topic || !isNodeId(peer)) return;
      this.#received(peer, data);
      this.#emit({ type: 'gossip', peer, bytes: data });
    });
    stack.addEventListener('peer:identify', (event) => {
      const { peerId, listenAddrs, connection } = event.detail;
      const peer = peerId.toString();
      if (isNodeId(peer)) this.#learn(peer, listenAddrs.map(String), connection.remoteAddr.toString());
    });
  }

  async #dial(stack: Stack, address: Address): Promise<DialOutcome> {
    const { clock } = this.#modules;
    const { dialTimeoutMs, handshakeTimeoutMs } = this.#options;
    const abort = new AbortController();
    const giveUp = (): void => abort.abort(new Error('dial timed out'));
    let cancel = clock.after(dialTimeoutMs, giveUp);
    this.#stop.signal.addEventListener('abort', giveUp);
    try {
      const { multiaddr } = await import('@multiformats/multiaddr');
      const connection = await stack.dial(multiaddr(address.text), {
        signal: abort.signal,
        onProgress: (event) => {
          if (event.type !== 'upgrader:encrypt-outbound-connection') return;
          cancel();
          cancel = clock.after(handshakeTimeoutMs, giveUp);
        },
      });
      const peer = connection.remotePeer.toString();
      return isNodeId(peer) ? { kind: 'member', peer } : { kind: 'failed', reason: `${peer} is no Ed25519 peer` };
    } catch (error) {
      const reason = reasonOf(error);
      if (/dial self/i.test(reason)) {
        this.#selfDialMs = clock.monotonicMs();
        return { kind: 'self' };
      }
      if (error instanceof Error && error.name === 'EncryptionFailedError') this.#stranger(address.text, reason);
      return { kind: 'failed', reason };
    } finally {
      cancel();
      this.#stop.signal.removeEventListener('abort', giveUp);
    }
  }

  #publish(running: Running | null, bytes: Uint8Array): void {
    if (bytes.length > MESSAGE_BYTES_MAX) {
      this.#emit({ type: 'refused', peer: null, what: 'message', reason: `publish of ${bytes.length} bytes is too large` });
      return;
    }
    if (running === null) return;
    this.#bytesOut += bytes.length;
    running.stack.services.gossip.publish(this.#options.topic, bytes).catch((error: unknown) => {
      this.#modules.logger.debug('publish failed', { tag: TAG, reason: reasonOf(error) });
    });
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
        this.#bytesOut += reply?.length ?? 0;
        answer(reply);
      },
    });
  }

  #up(peer: NodeId, address: string): void {
    this.#emit({ type: 'link', peer, state: 'up', address });
    // one way works again, so others may: do not wait out the long delays
    this.#book.hurry(null, this.#modules.clock.monotonicMs());
    this.#running?.dialer.wake();
  }

  #gone(peer: NodeId): void {
    this.#heardMs.delete(peer);
    this.#toldMs.delete(peer);
    this.#running?.beats.forget(peer);
    this.#book.hurry(peer, this.#modules.clock.monotonicMs());
    this.#running?.dialer.wake();
  }

  #received(peer: NodeId, bytes: Uint8Array): void {
    const now = this.#modules.clock.monotonicMs();
    this.#bytesIn += bytes.length;
    this.#heardMs.set(peer, now);
    if (now - (this.#toldMs.get(peer) ?? -Infinity) < HEARD_EVERY_MS) return;
    this.#toldMs.set(peer, now);
    this.#emit({ type: 'heard', peer, rttMs: null, beacon: null });
  }

  /** Takes from what a peer says of itself the places where we could dial it: the host we see it on first, loopback only on loopback. */
  #learn(peer: NodeId, texts: readonly string[], seenAt: string): void {
    const host = hostOf(seenAt);
    const places = texts
      .map((text) => parseAddress(text))
      .filter((parsed) => parsed !== null)
      .map((parsed) => parsed.place)
      .filter((place) => !isUnspecified(place) && isLoopback(place) === isLoopback(seenAt))
      .sort((a, b) => Number(hostOf(b) === host) - Number(hostOf(a) === host));
    const now = this.#modules.clock.monotonicMs();
    for (const place of places.slice(0, this.#options.addressesPerPeerMax)) this.#book.add(place, 'found', now, peer);
  }

  #add(address: string, origin: 'fixed' | 'found'): void {
    const outcome = this.#book.add(address, origin, this.#modules.clock.monotonicMs());
    if (outcome === 'malformed' || outcome === 'full') {
      this.#modules.logger.warn('address not used', { tag: TAG, address: address.slice(0, 200), why: outcome });
    }
  }

  #refused(peer: string, reason: string): void {
    this.#emit({ type: 'refused', peer: isNodeId(peer) ? peer : null, what: 'message', reason });
  }

  #stranger(address: string, reason: string): void {
    const { clock } = this.#modules;
    const host = hostOf(address);
    const now = clock.monotonicMs();
    if (this.#sink === null || now - (this.#strangersMs.get(host) ?? -Infinity) < STRANGER_EVERY_MS) return;
    const cancel = clock.after(STRANGER_DELAY_MS, () => {
      this.#cancelStrangers.delete(cancel);
      const toldMs = this.#strangersMs.get(host) ?? -Infinity;
      if (this.#selfDialMs > now - this.#options.dialTimeoutMs || clock.monotonicMs() - toldMs < STRANGER_EVERY_MS) return;
      if (this.#strangersMs.size >= STRANGERS_KEPT_MAX) this.#strangersMs.clear();
      this.#strangersMs.set(host, clock.monotonicMs());
      this.#emit({ type: 'refused', peer: null, what: 'peer', reason: `handshake with ${address} failed: ${reason}` });
    });
    this.#cancelStrangers.add(cancel);
  }

  #emit(event: LungEvent): void {
    this.#sink?.(event);
  }

  /** From here on nothing is told and nothing new begins. */
  #quiet(): void {
    this.#sink = null;
    for (const cancel of this.#cancelStrangers) cancel();
    this.#cancelStrangers.clear();
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

function hostOf(multiaddr: string): string {
  return multiaddr.split('/')[2] ?? multiaddr;
}

function isLoopback(multiaddr: string): boolean {
  const host = hostOf(multiaddr);
  return host.startsWith('127.') || host === '::1' || host === 'localhost';
}

function isUnspecified(multiaddr: string): boolean {
  const host = hostOf(multiaddr);
  return host === '0.0.0.0' || host === '::';
}
