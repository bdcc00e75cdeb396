/**
 * Who is a neighbour at the moment, and whose turn it is among the others. The chosen ones follow from the names of all members that
 * are known, so that a cut is noticed and its heal too, and once more from those that are not dead, so that the rest stays connected.
 * A member that watches us is a neighbour as well: views differ for a while. So is, for a while, one that owes us an answer.
 */
import type { NodeId } from '../ids.ts';
import type { Peer } from '../peers.ts';
import { NEIGHBOURS_MAX, neighboursOf, placesOf, type Places } from './neighbours.ts';

export class Watch {
  readonly #places: Places;
  readonly #isPresent: (peer: Peer) => boolean;
  #isStale = true;
  #strays: readonly Peer[] = [];
  #turn = 0;

  constructor(self: NodeId, isPresent: (peer: Peer) => boolean) {
    this.#places = placesOf(self);
    this.#isPresent = isPresent;
  }

  /** Somebody came, went, died or revived: neighbours are chosen anew at the next look. */
  noteChange(): void {
    this.#isStale = true;
  }

  /** @returns those that have become a neighbour, or ceased to be one */
  look(peers: ReadonlyMap<NodeId, Peer>, now: number): readonly Peer[] {
    if (this.#isStale) this.#choose([...peers.values()]);
    else if (peers.size <= NEIGHBOURS_MAX) return [];
    const changed: Peer[] = [];
    for (const peer of peers.values()) {
      const isNeighbour = peer.isChosen || now < peer.watchesUntil || now < peer.doubtedUntil;
      if (isNeighbour === peer.isNeighbour) continue;
      peer.isNeighbour = isNeighbour;
      changed.push(peer);
    }
    if (this.#isStale || changed.length > 0)
      this.#strays = [...peers.values()].filter((peer) => !peer.isNeighbour);
    this.#isStale = false;
    return changed;
  }

  /** Known members that are no neighbours. */
  get strayCount(): number {
    return this.#strays.length;
  }

  /** The next one in turn to which there is a P2P link. */
  nextStray(): Peer | null {
    for (let tries = this.#strays.length; tries > 0; tries -= 1) {
      this.#turn = (this.#turn + 1) % this.#strays.length;
      const peer = this.#strays[this.#turn];
      if (peer?.linked.p2p === true) return peer;
    }
    return null;
  }

  #choose(peers: readonly Peer[]): void {
    const chosen = neighboursOf(this.#places, peers);
    const present = neighboursOf(
      this.#places,
      peers.filter((peer) => this.#isPresent(peer)),
    );
    for (const peer of peers) peer.isChosen = chosen.has(peer.id) || present.has(peer.id);
  }
}
