/**
 * The edges of the graph: for each pair of nodes, which lung connects them and which one carries, by what both say.
 *
 * A lung connects a pair when both ends hear each other over it. Gossip carries where it connects; where it does not, HTTP
 * does (docs/ARCHITECTURE.md, who carries a record): the pair's own evidence decides, whatever the mode of either node.
 */
import type { ClusterView, NodeView } from '../view.ts';

export interface PairLink {
  readonly a: string;
  readonly b: string;
  readonly p2p: boolean;
  readonly http: boolean;
  readonly carrier: 'p2p' | 'http' | null;
}

/** Pairs of nodes that answer, in the order of the nodes. */
export function linksOf(view: ClusterView): readonly PairLink[] {
  const answering = view.nodes.filter((node) => node.reach === 'up' && node.said !== null);
  const heard = new Map(answering.map((node) => [node, heardBy(node)]));
  const links: PairLink[] = [];
  for (const [index, a] of answering.entries()) {
    for (const b of answering.slice(index + 1)) {
      const [ofA, ofB] = [heard.get(a)?.get(b.said?.peerId ?? ''), heard.get(b)?.get(a.said?.peerId ?? '')];
      const p2p = ofA?.p2p === 'alive' && ofB?.p2p === 'alive';
      const http = ofA?.http === 'alive' && ofB?.http === 'alive';
      links.push({ a: a.name, b: b.name, p2p, http, carrier: p2p ? 'p2p' : http ? 'http' : null });
    }
  }
  return links;
}

function heardBy(node: NodeView): ReadonlyMap<string, { readonly p2p: string; readonly http: string }> {
  return new Map((node.said?.links ?? []).map((link) => [link.peerId, link]));
}
