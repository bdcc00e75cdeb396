/**
 * One connection per peer, decided at the door.
 *
 * Gossipsub keeps one stream per peer and direction and forgets a peer when any of its streams breaks, so a second
 * connection, or a dead one that lingers beside a live one, silently ends gossip with that peer. libp2p asks this
 * gate after each handshake, when the peer is authenticated and before anybody hears of the connection:
 *
 *   there is none                                → admit
 *   the other is younger than `raceMs`           → both sides dialled at once: keep the one dialled by the smaller id
 *   the other is older, and this one is ours     → an address turned out to be a connected member: refuse
 *   the other is older, and this one is theirs   → a peer does not dial who it is connected to, so it has lost the
 *                                                  other: replace it, unless something was heard just now
 *
 * The gate also sees who fails to get in: strangers without the cluster's key.
 */
import type { Clock } from '../../ports.ts';
import { isNodeId } from '../../protocol/ids.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { isHandshakeFailure, reasonOf } from './errors.ts';
import type { Gater, PeerId, RawConnection } from './types.ts';

export interface GateModules {
  readonly own: NodeId;
  readonly clock: Clock;
  /** monotonic ms when something of this peer was last heard, null when never */
  readonly lastHeardMs: (peer: NodeId) => number | null;
  /** our dial of this address ended at a member that is connected already */
  readonly onOccupied: (address: string, peer: NodeId) => void;
  /** the handshake of an inbound connection is over */
  readonly onArrived: (raw: RawConnection) => void;
  /** an inbound connection failed in its handshake */
  readonly onStranger: (address: string, reason: string) => void;
}

export interface GateOptions {
  readonly raceMs: number;
  readonly aliveMs: number;
  /** how much longer these are where this node is strained; default: as they are */
  readonly stretched?: (ms: number) => number;
}

type Direction = 'inbound' | 'outbound';

interface Seat {
  readonly raw: RawConnection;
  readonly direction: Direction;
  readonly sinceMs: number;
}

export class Gate {
  readonly #modules: GateModules;
  readonly #options: GateOptions;
  readonly #seats = new Map<NodeId, Seat>();

  constructor(modules: GateModules, options: GateOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  hooks(): Gater {
    return {
      denyInboundConnection: (raw) => {
        this.#watchHandshake(raw);
        return false;
      },
      denyInboundUpgradedConnection: (peer, raw) => {
        this.#modules.onArrived(raw);
        return this.#denies(peer, 'inbound', raw);
      },
      denyOutboundUpgradedConnection: (peer, raw) => this.#denies(peer, 'outbound', raw),
    };
  }

  #denies(peerId: PeerId, direction: Direction, raw: RawConnection): boolean {
    const peer = peerId.toString();
    if (!isNodeId(peer) || raw.status !== 'open') return true;
    const seat = this.#seats.get(peer);
    if (seat !== undefined && seat.raw.status === 'open') {
      if (!this.#replaces(peer, seat, direction)) {
        if (direction === 'outbound') this.#modules.onOccupied(raw.remoteAddr.toString(), peer);
        return true;
      }
      seat.raw.abort(new Error('replaced by a newer connection of the same peer'));
    }
    const taken: Seat = { raw, direction, sinceMs: this.#modules.clock.monotonicMs() };
    this.#seats.set(peer, taken);
    raw.addEventListener('close', () => {
      if (this.#seats.get(peer) === taken) this.#seats.delete(peer);
    });
    return false;
  }

  #replaces(peer: NodeId, seat: Seat, direction: Direction): boolean {
    const now = this.#modules.clock.monotonicMs();
    const { raceMs, aliveMs, stretched = (ms) => ms } = this.#options;
    if (now - seat.sinceMs < stretched(raceMs)) {
      if (seat.direction === direction) return false;
      const isOurs = direction === 'outbound';
      const oursWins = this.#modules.own < peer;
      return isOurs === oursWins;
    }
    if (direction === 'outbound') return false;
    const heardMs = this.#modules.lastHeardMs(peer);
    return heardMs === null || now - heardMs > stretched(aliveMs);
  }

  /** A peer that merely goes away in the middle is nothing to report, and neither is a dial of our own address. */
  #watchHandshake(raw: RawConnection): void {
    raw.addEventListener('close', (event) => {
      if (isHandshakeFailure(event.error))
        this.#modules.onStranger(raw.remoteAddr.toString(), reasonOf(event.error));
    });
  }
}
