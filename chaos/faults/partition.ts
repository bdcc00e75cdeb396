/**
 * Who shall not hear whom: partitions as pure functions from node names to grudges. A grudge maps a node to those whose
 * packets it drops; drops stand at both ends unless the partition is one-way.
 */

export type Grudges = ReadonlyMap<string, ReadonlySet<string>>;

/** One node against all others, both ways. */
export function isolate(nodes: readonly string[], victim: string): Grudges {
  return grudgesOf(nodes, victim, (node, other) => node === victim || other === victim);
}

/** One node hears nobody any more; all others still hear it, until it waits for their answers. */
export function deafen(nodes: readonly string[], victim: string): Grudges {
  return grudgesOf(nodes, victim, (node) => node === victim);
}

/** true when no packet of the pair arrives at one end at least */
export function isCut(grudges: Grudges, a: string, b: string): boolean {
  return (grudges.get(a)?.has(b) ?? false) || (grudges.get(b)?.has(a) ?? false);
}

function grudgesOf(
  nodes: readonly string[],
  victim: string,
  drops: (node: string, other: string) => boolean,
): Grudges {
  if (!nodes.includes(victim)) throw new RangeError(`${victim} is not among the nodes`);
  return new Map(
    nodes.map((node) => [node, new Set(nodes.filter((other) => other !== node && drops(node, other)))]),
  );
}
