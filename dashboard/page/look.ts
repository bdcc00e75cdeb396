/** How a node looks, from what is known of it: the same for the graph, the table and the bank. */
import { groupsOf } from '../room/groups.ts';
import { faultsInForce } from '../room/reduce.ts';
import type { CutLung, RoomView } from '../room/model.ts';
import type { NodeView } from '../view.ts';
import type { PageWords } from './words.ts';

export interface Look {
  readonly node: NodeView;
  /** which state it has: 0 is that of most nodes; null: it says nothing */
  readonly group: number | null;
  readonly condition: keyof PageWords['conditions'] | null;
  /** it takes no part: killed, frozen, starting or out of reach */
  readonly isOut: boolean;
}

const LETTERS = 'ABCDEFGHIJ';
/** Groups beyond are drawn like the last one; their letter still tells them apart. */
export const COLOURS = 5;

export function looksOf(view: RoomView): readonly Look[] {
  const groups = groupsOf(view.cluster);
  const groupOf = new Map(groups.flatMap((group, index) => group.nodes.map((name) => [name, index])));
  return view.cluster.nodes.map((node) => {
    const condition = conditionOf(view, node);
    const isOut =
      condition === 'killed' || condition === 'frozen' || condition === 'down' || condition === 'starting';
    return { node, group: isOut ? null : (groupOf.get(node.name) ?? null), condition, isOut };
  });
}

export function letterOf(group: number | null): string {
  return group === null ? '' : (LETTERS[group] ?? '?');
}

/** The worst that is known of it. */
function conditionOf(view: RoomView, node: NodeView): Look['condition'] {
  const lungs = new Set<CutLung>();
  for (const { deed } of faultsInForce(view)) {
    if (deed.kind === 'kill' && deed.node === node.name) return 'killed';
    if (deed.kind === 'freeze' && deed.node === node.name) return 'frozen';
    if (deed.kind === 'cut' && deed.nodes.includes(node.name)) lungs.add(deed.lung);
  }
  if (node.reach === 'down') return 'down';
  if (node.said === null) return 'starting';
  if (lungs.has('both') || (lungs.has('p2p') && lungs.has('http'))) return 'cutBoth';
  if (lungs.has('p2p')) return 'cutP2p';
  return lungs.has('http') ? 'cutHttp' : null;
}
