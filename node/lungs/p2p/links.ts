/**
 * When a connected peer counts as a link: it is subscribed to our topic, our gossip has a stream to it, and large messages
 * pass on that connection (`Passage`). A peer that is connected for too long without that, or loses its gossip, gets a fresh
 * connection, because gossipsub does not open a stream again on an old one.
 *
 * It happens where connections of one peer meet: gossipsub had its stream on the one that was closed, or hears of the old
 * one's end when it already knows the new one, and forgets that as well. So patience is short at first, and grows with each
 * connection in vain: a starved machine is slow, not broken.
 */
import type { Clock } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { isNodeId } from '../../protocol/ids.ts';
import { patienceMs } from '../pace.ts';
import type { Strain } from '../pace.ts';
import type { Connection, Stack } from './types.ts';

export interface LinksModules {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly onUp: (peer: NodeId, address: string) => void;
  readonly onDown: (peer: NodeId, reason: string) => void;
  /** the last connection of a peer is gone, whether it was a link or not */
  readonly onGone: (peer: NodeId) => void;
  /** resolves when large messages pass on this connection; rejects when it ends before */
  readonly passage: (connection: Connection) => Promise<void>;
  /** so many connections in a row came up on which small messages pass and large ones do not; 0: they pass again */
  readonly onNarrow: (peer: NodeId, times: number) => void;
  readonly strain: () => Strain;
}

export interface LinksOptions {
  readonly topic: string;
  readonly gossipTimeoutMinMs: number;
  readonly gossipTimeoutMaxMs: number;
}

interface Member {
  readonly connections: Set<Connection>;
  readonly openedAt: number;
  /** connections on which gossip came up, and whether large messages were seen to pass there */
  readonly passages: Map<Connection, 'asked' | 'passed'>;
  /** monotonic ms since when it is waited for */
  waitedSince: number;
  /** ms that it is waited for at least */
  leastMs: number;
  up: boolean;
  downReason: string | null;
}

/** How often a connection that is not yet a link is looked at. Opening our own gossip stream is not announced by an event. */
const SETTLE_MS = 25;
/** A guess: it was measured by handshakes that wait for more than the way there and back. */
const PASSAGE_PATIENCE = 3;
const GOSSIP_PROTOCOLS = '/meshsub/';

export class Links {
  readonly #modules: LinksModules;
  readonly #options: LinksOptions;
  readonly #members = new Map<NodeId, Member>();
  /** connections in a row on which gossip did not come up */
  readonly #inVain = new Map<NodeId, number>();
  /** the same, where gossip did and large messages did not pass */
  readonly #narrow = new Map<NodeId, number>();
  readonly #unlisten: (() => void)[] = [];
  #cancelSettle: (() => void) | null = null;

  constructor(modules: LinksModules, options: LinksOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  start(): void {
    const { stack } = this.#modules;
    const { gossip } = stack.services;
    const onOpen = (event: CustomEvent<Connection>): void => this.#opened(event.detail);
    const onClose = (event: CustomEvent<Connection>): void => this.#closed(event.detail);
    const onGossip = (): void => this.#settle();
    stack.addEventListener('connection:open', onOpen);
    stack.addEventListener('connection:close', onClose);
    gossip.addEventListener('subscription-change', onGossip);
    gossip.addEventListener('gossipsub:heartbeat', onGossip);
    this.#unlisten.push(() => {
      stack.removeEventListener('connection:open', onOpen);
      stack.removeEventListener('connection:close', onClose);
      gossip.removeEventListener('subscription-change', onGossip);
      gossip.removeEventListener('gossipsub:heartbeat', onGossip);
    });
  }

  /** Silent from here on: no event is told any more. */
  stop(): void {
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
    this.#cancelSettle?.();
    this.#cancelSettle = null;
    this.#members.clear();
  }

  isUp(peer: NodeId): boolean {
    return this.#members.get(peer)?.up ?? false;
  }

  /** connections that are not links yet */
  get becoming(): number {
    let count = 0;
    for (const { up } of this.#members.values()) if (!up) count += 1;
    return count;
  }

  get upCount(): number {
    return this.#members.size - this.becoming;
  }

  isConnected(peer: NodeId): boolean {
    return this.#members.has(peer);
  }

  connectionTo(peer: NodeId): Connection | null {
    for (const connection of this.#members.get(peer)?.connections ?? []) {
      if (connection.status === 'open') return connection;
    }
    return null;
  }

  /** Ends all connections of this peer at once, without the goodbyes that a dead path would swallow. */
  abort(peer: NodeId, reason: string): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    member.downReason ??= reason;
    for (const connection of member.connections) connection.abort(new Error(reason));
  }

  #opened(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (!isNodeId(peer) || connection.status !== 'open') return;
    const member = this.#members.get(peer);
    if (member !== undefined) member.connections.add(connection);
    else {
      const openedAt = this.#modules.clock.monotonicMs();
      this.#members.set(peer, {
        connections: new Set([connection]),
        passages: new Map(),
        openedAt,
        waitedSince: openedAt,
        leastMs: 0,
        up: false,
        downReason: null,
      });
    }
    this.#settle();
  }

  #closed(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (!isNodeId(peer)) return;
    const member = this.#members.get(peer);
    if (member === undefined || !member.connections.delete(connection)) return;
    member.passages.delete(connection);
    if (member.connections.size > 0) {
      // What gossip had on the closed one it must get anew.
      member.waitedSince = this.#modules.clock.monotonicMs();
      return;
    }
    this.#members.delete(peer);
    if (member.up) this.#modules.onDown(peer, member.downReason ?? 'connection closed');
    this.#modules.onGone(peer);
  }

  #patienceMs(peer: NodeId): number {
    const { gossipTimeoutMinMs, gossipTimeoutMaxMs } = this.#options;
    const ms = Math.min(gossipTimeoutMinMs * 2 ** (this.#inVain.get(peer) ?? 0), gossipTimeoutMaxMs);
    return patienceMs(ms, this.#modules.strain());
  }

  /** Looks at every connected peer, and again soon while one of them is not a link yet. */
  #settle(): void {
    this.#cancelSettle?.();
    this.#cancelSettle = null;
    const { stack, clock } = this.#modules;
    if (this.#members.size === 0) return;
    const now = clock.monotonicMs();
    const subscribers = new Set(
      stack.services.gossip.getSubscribers(this.#options.topic).map((peer) => peer.toString()),
    );
    let waiting = false;
    for (const [peer, member] of this.#members) {
      const carrier = subscribers.has(peer) ? [...member.connections].find(carriesGossip) : undefined;
      if (member.up) {
        if (carrier === undefined) this.abort(peer, 'gossip stream lost');
      } else if (carrier !== undefined && member.passages.get(carrier) === 'passed') {
        this.#linked(peer, member, carrier);
      } else if (carrier !== undefined && !member.passages.has(carrier)) {
        this.#askPassage(member, carrier);
        waiting = true;
      } else if (now > member.waitedSince + Math.max(this.#patienceMs(peer), member.leastMs)) {
        this.#giveUp(peer, carrier !== undefined);
      } else {
        waiting = true;
      }
    }
    if (waiting) this.#cancelSettle = clock.after(SETTLE_MS, () => this.#settle());
  }

  #linked(peer: NodeId, member: Member, carrier: Connection): void {
    member.up = true;
    this.#inVain.delete(peer);
    if (this.#narrow.delete(peer)) this.#modules.onNarrow(peer, 0);
    this.#modules.onUp(peer, carrier.remoteAddr.toString());
  }

  /** Gossip took some round trips to come up; this takes two, so a far member is given as long again as that took, thrice. */
  #askPassage(member: Member, carrier: Connection): void {
    const now = this.#modules.clock.monotonicMs();
    member.waitedSince = now;
    member.leastMs = PASSAGE_PATIENCE * (now - member.openedAt);
    member.passages.set(carrier, 'asked');
    this.#modules.passage(carrier).then(
      () => {
        if (!member.passages.has(carrier)) return;
        member.passages.set(carrier, 'passed');
        this.#settle();
      },
      // Whatever it was, nothing has passed: the connection is given up in time.
      () => undefined,
    );
  }

  #giveUp(peer: NodeId, isNarrow: boolean): void {
    this.#inVain.set(peer, (this.#inVain.get(peer) ?? 0) + 1);
    if (isNarrow) {
      const times = (this.#narrow.get(peer) ?? 0) + 1;
      this.#narrow.set(peer, times);
      this.#modules.onNarrow(peer, times);
    }
    this.abort(peer, isNarrow ? 'large messages do not pass' : 'gossip did not come up');
  }
}

function carriesGossip(connection: Connection): boolean {
  return (
    connection.status === 'open' &&
    connection.streams.some(
      (stream) =>
        stream.direction === 'outbound' &&
        stream.status === 'open' &&
        stream.protocol.startsWith(GOSSIP_PROTOCOLS),
    )
  );
}
