/**
 * Whom a node watches: a few members, however many there are, so that what an idle node costs does not grow with the cluster.
 *
 * All members stand on four rings, on each in another order, which follows from their names alone. A node's neighbours are those before
 * and behind it on each ring: eight at most. So whoever I watch watches me, eight watch each, every ring alone connects all, and the four
 * together are an expander: cutting off any part of the members cuts many of these pairs, and news crosses all in O(log n) hops. A member
 * that comes or goes changes eight pairs.
 *
 * @see Suresh et al.: Stable and Consistent Membership at Scale with Rapid, USENIX ATC 2018, section 4.1
 */
import type { NodeId } from '../ids.ts';

const RINGS = 4;

/** With so many others or fewer, everyone watches everyone. */
export const NEIGHBOURS_MAX = 2 * RINGS;

/** Where a member stands on each ring, from 0 to below 2^32. */
export type Places = readonly number[];

export interface Placed {
  readonly id: NodeId;
  readonly places: Places;
}

export function placesOf(id: NodeId): Places {
  return Array.from({ length: RINGS }, (_, ring) => hashOf(id, ring));
}

/** @param others without this node itself */
export function neighboursOf(self: Places, others: readonly Placed[]): ReadonlySet<NodeId> {
  if (others.length <= NEIGHBOURS_MAX) return new Set(others.map(({ id }) => id));
  const chosen = new Set<NodeId>();
  self.forEach((own, ring) => {
    for (const direction of [1, -1]) chosen.add(nearest(others, (place) => direction * (place - own), ring));
  });
  return chosen;
}

function nearest(others: readonly Placed[], ahead: (place: number) => number, ring: number): NodeId {
  const [first] = others;
  if (first === undefined) throw new RangeError('nobody is on the ring');
  let best = first.id;
  let least = CIRCUMFERENCE;
  for (const { id, places } of others) {
    const distance = (ahead(places[ring] ?? 0) + CIRCUMFERENCE) % CIRCUMFERENCE;
    if (distance > least || (distance === least && id >= best)) continue;
    best = id;
    least = distance;
  }
  return best;
}

const CIRCUMFERENCE = 2 ** 32;

/** FNV-1a over the ring's number and the name, and a finish that spreads the last characters over all bits (murmur3). */
function hashOf(id: NodeId, ring: number): number {
  let hash = Math.imul(0x811c_9dc5 ^ ring, 0x0100_0193);
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
