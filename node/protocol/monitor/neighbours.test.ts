import type { NodeId } from '../ids.ts';
import { NEIGHBOURS_MAX, neighboursOf, placesOf, type Placed } from './neighbours.ts';

describe('neighbours', () => {
  it('are all others in a small cluster', () => {
    for (const members of [2, 5, NEIGHBOURS_MAX + 1]) {
      for (const watched of graphOf(members).values()) expect(watched.size).toBe(members - 1);
    }
  });

  it.each([10, 30, 300])('of %i members: at most eight each, mutual, and few hops to everyone', (members) => {
    const graph = graphOf(members);
    for (const [id, watched] of graph) {
      expect(watched.size).toBeLessThanOrEqual(NEIGHBOURS_MAX);
      expect(watched.size).toBeGreaterThanOrEqual(NEIGHBOURS_MAX / 2);
      expect(watched.has(id)).toBe(false);
      for (const other of watched) expect(graph.get(other)?.has(id)).toBe(true);
    }
    expect(hopsToAll(graph)).toBeLessThanOrEqual(5);
  });

  it('change for few when a member leaves', () => {
    const before = graphOf(100);
    const after = graphOf(99);
    const changed = [...after].filter(([id, watched]) =>
      [...watched].some((other) => before.get(id)?.has(other) !== true),
    );
    expect(changed.length).toBeLessThanOrEqual(NEIGHBOURS_MAX);
  });

  it('keep a half that is cut off connected, and many of them are in the other half', () => {
    const graph = graphOf(200);
    const half = new Set([...graph.keys()].slice(0, 100));
    const crossing = [...half].flatMap((id) =>
      [...(graph.get(id) ?? [])].filter((other) => !half.has(other)),
    );
    expect(crossing.length).toBeGreaterThan(200);
  });
});

type Graph = ReadonlyMap<NodeId, ReadonlySet<NodeId>>;

function graphOf(members: number): Graph {
  const placed: readonly Placed[] = Array.from({ length: members }, (_, i) => {
    const id = `12D3KooW${i}` as NodeId;
    return { id, places: placesOf(id) };
  });
  return new Map(
    placed.map(({ id, places }) => [
      id,
      neighboursOf(
        places,
        placed.filter((other) => other.id !== id),
      ),
    ]),
  );
}

/** From the first, or Infinity. */
function hopsToAll(graph: Graph): number {
  const [start] = graph.keys();
  if (start === undefined) return 0;
  const hops = new Map([[start, 0]]);
  for (const [id, at] of hops)
    for (const other of graph.get(id) ?? []) if (!hops.has(other)) hops.set(other, at + 1);
  return hops.size === graph.size ? Math.max(...hops.values()) : Infinity;
}
