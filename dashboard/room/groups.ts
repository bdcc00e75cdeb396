/**
 * Which nodes hold the same state: the colours of the graph.
 *
 * While clients write, a root lives for some milliseconds, and nodes are rarely caught with the same one at the same
 * instant. Nodes therefore belong together when both had one root within the last `LAG_MS`: they are the same state, at
 * most that far apart. A node cut off from the others leaves their group that much later.
 */
import type { ClusterView, NodeView } from '../view.ts';

/** Far above what a write needs to arrive (DESIGN: 1 s at worst with one lung cut), short enough to be seen at once. */
const LAG_MS = 3000;

export interface Group {
  readonly nodes: readonly string[];
}

/** Of the nodes that answer; the largest first, and among equals the one with the first node. */
export function groupsOf(view: ClusterView): readonly Group[] {
  const answering = view.nodes.filter((node) => node.reach === 'up' && node.said !== null);
  const parents = answering.map((_, index) => index);
  const find = (index: number): number => {
    let at = index;
    while (parents[at] !== at) at = parents[at] ?? at;
    return at;
  };
  const firstWith = new Map<string, number>();
  for (const [index, node] of answering.entries()) {
    for (const root of lately(node, view.now)) {
      const first = firstWith.get(root);
      if (first === undefined) firstWith.set(root, index);
      else parents[find(index)] = find(first);
    }
  }
  const groups = new Map<number, string[]>();
  for (const [index, node] of answering.entries()) {
    const root = find(index);
    groups.set(root, [...(groups.get(root) ?? []), node.name]);
  }
  const order = new Map(answering.map((node, index) => [node.name, index]));
  const first = (nodes: readonly string[]): number => order.get(nodes[0] ?? '') ?? 0;
  return [...groups.values()]
    .toSorted((a, b) => b.length - a.length || first(a) - first(b))
    .map((nodes) => ({ nodes }));
}

/** A root was there until the next one came; the last one still is. */
function lately(node: NodeView, now: number): readonly string[] {
  return node.roots
    .filter((_, index) => (node.roots[index + 1]?.at ?? now) >= now - LAG_MS)
    .map(({ root }) => root);
}
