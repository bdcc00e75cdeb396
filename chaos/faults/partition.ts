/**
 * Who shall not hear whom: partitions as pure functions from node names to grudges, as plain data. Grudges stand at both
 * ends unless the partition is one-way. Every node has its entry, in the order of the names.
 */
import type { Grudges } from './spec.ts';

/** One node against all others, both ways. */
export function isolate(nodes: readonly string[], victim: string): Grudges {
  known(nodes, victim);
  return grudgesOf(nodes, (node, other) => node === victim || other === victim);
}

/** One node hears nobody any more; all others still hear it, until it waits for their answers. */
export function deafen(nodes: readonly string[], victim: string): Grudges {
  known(nodes, victim);
  return grudgesOf(nodes, (node) => node === victim);
}

/** Groups that hear nobody but themselves. Who is in no group hears nobody and is heard by nobody. */
export function split(nodes: readonly string[], groups: readonly (readonly string[])[]): Grudges {
  const groupOf = new Map(groups.flatMap((group, i) => group.map((node) => [node, i] as const)));
  for (const node of groupOf.keys()) known(nodes, node);
  return grudgesOf(nodes, (node, other) => {
    const group = groupOf.get(node);
    return group === undefined || group !== groupOf.get(other);
  });
}

/** Two halves in the given order; of an odd number the second is the larger. */
export function halves(nodes: readonly string[]): Grudges {
  const middle = Math.floor(nodes.length / 2);
  return split(nodes, [nodes.slice(0, middle), nodes.slice(middle)]);
}

/** The first third, rounded down but never nobody, against all others. */
export function minorityThird(nodes: readonly string[]): Grudges {
  const third = Math.max(1, Math.floor(nodes.length / 3));
  return split(nodes, [nodes.slice(0, third), nodes.slice(third)]);
}

/**
 * Everybody hears a majority, and no two hear the same one: each node hears its nearest neighbours on a ring in the
 * given order (Jepsen's majorities-ring). Needs four nodes: of three, the neighbours are everybody.
 */
export function majoritiesRing(nodes: readonly string[]): Grudges {
  if (nodes.length < 4) throw new RangeError(`a ring of majorities needs 4 nodes, not ${nodes.length}`);
  const reach = Math.ceil(Math.floor(nodes.length / 2) / 2);
  return grudgesOf(nodes, (node, other) => {
    const steps = Math.abs(nodes.indexOf(node) - nodes.indexOf(other));
    return Math.min(steps, nodes.length - steps) > reach;
  });
}

/** Two halves that do not hear each other, and one node between them that hears and is heard by all. */
export function bridge(nodes: readonly string[], between: string): Grudges {
  known(nodes, between);
  const rest = nodes.filter((node) => node !== between);
  const left = new Set(rest.slice(0, Math.floor(rest.length / 2)));
  return grudgesOf(
    nodes,
    (node, other) => node !== between && other !== between && left.has(node) !== left.has(other),
  );
}

/** true when `node` takes no packet of `other` */
export function holdsGrudge(grudges: Grudges, node: string, other: string): boolean {
  return Object.hasOwn(grudges, node) && grudges[node]?.includes(other) === true;
}

/** true when no packet of the pair arrives at one end at least */
export function isCut(grudges: Grudges, a: string, b: string): boolean {
  return holdsGrudge(grudges, a, b) || holdsGrudge(grudges, b, a);
}

/** true when nobody holds a grudge that is not returned */
export function isMutual(grudges: Grudges): boolean {
  return Object.entries(grudges).every(([node, others]) =>
    others.every((other) => holdsGrudge(grudges, other, node)),
  );
}

function known(nodes: readonly string[], name: string): void {
  if (!nodes.includes(name)) throw new RangeError(`${name} is not among the nodes`);
}

function grudgesOf(nodes: readonly string[], drops: (node: string, other: string) => boolean): Grudges {
  return Object.fromEntries(
    nodes.map((node) => [node, nodes.filter((other) => other !== node && drops(node, other))]),
  );
}
