/**
 * Who is linked with whom. A small cluster is a full mesh on both lungs. In a large one gossip is a partial mesh, as
 * gossipsub's, and over HTTP each host knows a few others: a ring, so that all are connected, and random chords.
 */
import { below, rngOf, type Rng } from './rng.ts';

export interface Topology {
  /** by host, ascending; symmetric */
  readonly p2p: readonly (readonly number[])[];
  readonly http: readonly (readonly number[])[];
}

/**
 * Over HTTP a host knows those that it is linked with: of a member that gossip reaches through others only, the core takes HTTP for
 * the lung that serves it, and polls it eagerly for ever.
 *
 * @param degree links per host on average, at least 2; null: every two hosts are linked
 */
export function topologyOf(seed: number, nodes: number, degree: number | null): Topology {
  if (degree === null) return fullMesh(nodes);
  // A stream of numbers of its own, beside that of the world and that of the schedule.
  const { p2p } = partialMesh(nodes, degree, 2, rngOf(seed * 4 + 2));
  return { p2p, http: p2p };
}

/** The first hosts that a flood from this one over P2P reaches, ascending: a connected part. */
export function neighbourhood({ p2p }: Topology, from: number, size: number): readonly number[] {
  const reached = new Set([from]);
  for (const host of reached) {
    for (const other of p2p[host] ?? []) if (reached.size < size) reached.add(other);
    if (reached.size >= size) break;
  }
  return [...reached].sort((a, b) => a - b);
}

function fullMesh(nodes: number): Topology {
  const all = Array.from({ length: nodes }, (_, host) =>
    Array.from({ length: nodes }, (__, other) => other).filter((other) => other !== host),
  );
  return { p2p: all, http: all };
}

export function partialMesh(nodes: number, p2pDegree: number, httpDegree: number, rng: Rng): Topology {
  return { p2p: ringWithChords(nodes, p2pDegree, rng), http: ringWithChords(nodes, httpDegree, rng) };
}

/** The ring runs through the hosts in a random order: neighbours by number are no neighbours in it. */
function ringWithChords(nodes: number, degree: number, rng: Rng): readonly (readonly number[])[] {
  const links = Array.from({ length: nodes }, () => new Set<number>());
  const join = (a: number, b: number): boolean => {
    const ofA = links[a];
    const ofB = links[b];
    if (a === b || ofA === undefined || ofB === undefined || ofA.has(b)) return false;
    ofA.add(b);
    ofB.add(a);
    return true;
  };
  const order = shuffled(nodes, rng);
  order.forEach((host, i) => join(host, order[(i + 1) % nodes] ?? host));
  const perHost = Math.min(degree, nodes - 1);
  let missing = Math.floor((nodes * (perHost - 2)) / 2);
  // A chord that exists already is drawn again; four tries each are plenty below a quarter of all pairs.
  for (let tries = 4 * missing; missing > 0 && tries > 0; tries -= 1) {
    if (join(below(rng, nodes), below(rng, nodes))) missing -= 1;
  }
  return links.map((others) => [...others].sort((a, b) => a - b));
}

function shuffled(count: number, rng: Rng): readonly number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = below(rng, i + 1);
    const a = order[i];
    const b = order[j];
    if (a === undefined || b === undefined) continue;
    order[i] = b;
    order[j] = a;
  }
  return order;
}
