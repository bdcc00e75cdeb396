/**
 * What a watcher knows of a cluster, and how each thing it learns changes that: one pure function.
 *
 * The terminal table of the demo draws a ClusterView; so can a page, and the server behind it: they share this reduce,
 * so they cannot disagree. Times are the watcher's wall clock in ms since the epoch, given with every event.
 */
import type { Cause, DatedEvent, LinkState, SyncMode } from '../node/protocol/events.ts';

/** The part of `GET /api/lattice/p2p/status` that a view shows; the whole reply fits. */
export interface StatusSnapshot {
  readonly peer_id: string;
  readonly sync_mode: SyncMode;
  readonly forced_mode: 'P2P' | 'HTTP' | null;
  readonly merkle_root: string;
  readonly state_size: number;
  readonly peers: readonly {
    readonly peer_id: string;
    readonly p2p: { readonly state: LinkState };
    readonly http: { readonly state: LinkState };
  }[];
}

/** `unknown`: nothing tried yet. */
type Reach = 'unknown' | 'up' | 'down';

export interface NodeView {
  readonly name: string;
  readonly url: string;
  readonly reach: Reach;
  /** null until the node was heard; afterwards the last thing it said, also while it is down */
  readonly said: NodeSaid | null;
  readonly lastSwitch: ModeSwitch | null;
  /** what it had lately, oldest first, the last one is what it has now; at most `ROOTS_KEPT` */
  readonly roots: readonly DatedRoot[];
  /** how records came to it, counted since it was first seen */
  readonly arrivals: Readonly<Record<Cause, number>>;
  readonly writes: WriteCount;
  /** names of the faults that are in force on this node, oldest first */
  readonly faults: readonly string[];
  /** of the newest lattice event taken from this node's process */
  readonly lastEventId: number | null;
}

interface DatedRoot {
  readonly root: string;
  /** when it was first seen there */
  readonly at: number;
}

/** What one node hears of another, per lung. */
interface LinkView {
  readonly peerId: string;
  readonly p2p: LinkState;
  readonly http: LinkState;
}

interface NodeSaid {
  readonly peerId: string | null;
  readonly mode: SyncMode;
  readonly forcedMode: 'P2P' | 'HTTP' | null;
  readonly root: string;
  readonly size: number;
  /** members that each lung hears */
  readonly aliveP2p: number;
  readonly aliveHttp: number;
  readonly links: readonly LinkView[];
}

interface ModeSwitch {
  readonly from: SyncMode;
  readonly to: SyncMode;
  readonly reason: string;
  readonly at: number;
}

interface WriteCount {
  readonly acknowledged: number;
  readonly failed: number;
}

/** One line of the lab's story: what is being tried, or what came of it. */
export interface StoryLine {
  readonly at: number;
  readonly kind: 'step' | 'result' | 'problem';
  readonly text: string;
}

export interface ClusterView {
  readonly startedAt: number;
  /** time of the newest event */
  readonly now: number;
  /** in the order in which they were announced */
  readonly nodes: readonly NodeView[];
  readonly writes: WriteCount;
  /** oldest first, at most `STORY_LINES_MAX` */
  readonly story: readonly StoryLine[];
}

export type ViewEvent = { readonly at: number } & (
  | { readonly type: 'node'; readonly node: string; readonly url: string }
  | { readonly type: 'status'; readonly node: string; readonly status: StatusSnapshot }
  | { readonly type: 'lattice'; readonly node: string; readonly dated: DatedEvent }
  | { readonly type: 'reach'; readonly node: string; readonly reach: 'up' | 'down' }
  | { readonly type: 'write'; readonly node: string; readonly outcome: 'acknowledged' | 'failed' }
  | {
      readonly type: 'fault';
      readonly node: string;
      readonly fault: string;
      readonly state: 'injected' | 'healed';
    }
  | { readonly type: 'story'; readonly kind: StoryLine['kind']; readonly text: string }
  | { readonly type: 'clock' }
);

export const STORY_LINES_MAX = 200;

/** As many as a node with thirty writes a second has in two seconds. */
const ROOTS_KEPT = 64;
const ROOTS_KEPT_MS = 4000;

export function emptyView(startedAt: number): ClusterView {
  return { startedAt, now: startedAt, nodes: [], writes: NO_WRITES, story: [] };
}

/** Events of nodes that were never announced change nothing but the time. */
export function reduce(view: ClusterView, event: ViewEvent): ClusterView {
  const dated = { ...view, now: Math.max(view.now, event.at) };
  switch (event.type) {
    case 'node':
      return view.nodes.some((node) => node.name === event.node)
        ? withNode(dated, event.node, (node) => ({ ...node, url: event.url }))
        : { ...dated, nodes: [...view.nodes, announced(event.node, event.url)] };
    case 'status':
      return withNode(dated, event.node, (node) => ({
        ...node,
        reach: 'up',
        said: saidBy(event.status),
        roots: withRoot(node.roots, { root: event.status.merkle_root, at: event.at }),
      }));
    case 'lattice':
      return withNode(dated, event.node, (node) => heardFrom(node, event.dated));
    case 'reach':
      return withNode(dated, event.node, (node) =>
        event.reach === 'up' ? backAgain(node) : { ...node, reach: 'down', lastEventId: null },
      );
    case 'write':
      return withNode({ ...dated, writes: counted(view.writes, event.outcome) }, event.node, (node) => ({
        ...node,
        writes: counted(node.writes, event.outcome),
      }));
    case 'fault':
      return withNode(dated, event.node, (node) => {
        const others = node.faults.filter((fault) => fault !== event.fault);
        return { ...node, faults: event.state === 'injected' ? [...others, event.fault] : others };
      });
    case 'story': {
      const line = { at: event.at, kind: event.kind, text: event.text };
      return { ...dated, story: [...view.story, line].slice(-STORY_LINES_MAX) };
    }
    case 'clock':
      return dated;
  }
}

/** Distinct roots of the nodes that answer: one means that the connected nodes hold the same records. */
export function rootsOf(view: ClusterView): readonly string[] {
  const roots = view.nodes.flatMap((node) =>
    node.reach === 'up' && node.said !== null ? [node.said.root] : [],
  );
  return [...new Set(roots)].sort();
}

const NO_WRITES: WriteCount = { acknowledged: 0, failed: 0 };
const NO_ARRIVALS = { write: 0, gossip: 0, push: 0, sync: 0 } as const;

function announced(name: string, url: string): NodeView {
  return {
    name,
    url,
    reach: 'unknown',
    said: null,
    lastSwitch: null,
    roots: [],
    arrivals: NO_ARRIVALS,
    writes: NO_WRITES,
    faults: [],
    lastEventId: null,
  };
}

function withNode(view: ClusterView, name: string, change: (node: NodeView) => NodeView): ClusterView {
  return { ...view, nodes: view.nodes.map((node) => (node.name === name ? change(node) : node)) };
}

function saidBy(status: StatusSnapshot): NodeSaid {
  return {
    peerId: status.peer_id,
    mode: status.sync_mode,
    forcedMode: status.forced_mode,
    root: status.merkle_root,
    size: status.state_size,
    aliveP2p: status.peers.filter((peer) => peer.p2p.state === 'alive').length,
    aliveHttp: status.peers.filter((peer) => peer.http.state === 'alive').length,
    links: status.peers.map((peer) => ({ peerId: peer.peer_id, p2p: peer.p2p.state, http: peer.http.state })),
  };
}

function withRoot(roots: readonly DatedRoot[], next: DatedRoot): readonly DatedRoot[] {
  if (roots.at(-1)?.root === next.root) return roots;
  const kept = roots.filter((_, index) => (roots[index + 1]?.at ?? next.at) > next.at - ROOTS_KEPT_MS);
  return [...kept, next].slice(-ROOTS_KEPT);
}

/**
 * A process that was out of reach may be another one: its event numbers start anew, and nothing that the old one said
 * is true of it.
 */
function backAgain(node: NodeView): NodeView {
  return node.reach === 'down'
    ? { ...node, reach: 'up', said: null, roots: [], lastEventId: null }
    : { ...node, reach: 'up' };
}

/** An event that was already taken, or is older than one that was, changes nothing: streams repeat after a reconnect. */
function heardFrom(node: NodeView, dated: DatedEvent): NodeView {
  if (node.lastEventId !== null && dated.id <= node.lastEventId) return node;
  const heard: NodeView = { ...backAgain(node), lastEventId: dated.id };
  const { event } = dated;
  switch (event.type) {
    case 'mode': {
      const lastSwitch = { from: event.from, to: event.to, reason: event.reason, at: dated.at };
      return said({ ...heard, lastSwitch }, (last) => ({ ...last, mode: event.to }));
    }
    case 'forced':
      return said(heard, (last) => ({ ...last, forcedMode: event.mode }));
    case 'root':
      return said(
        {
          ...heard,
          roots: heard.said === null ? [] : withRoot(heard.roots, { root: event.root, at: dated.at }),
          arrivals: { ...heard.arrivals, [event.cause]: heard.arrivals[event.cause] + 1 },
        },
        (last) => ({ ...last, root: event.root, size: event.size }),
      );
    case 'lung':
    case 'peer':
    case 'divergence':
    case 'rung':
    case 'hedged':
    case 'limited':
    case 'reconciliation':
    case 'conflict':
    case 'equivocation':
    case 'restored':
    case 'member':
    case 'collected':
    case 'stamps':
    case 'twin':
    case 'clock':
    case 'refused':
      return heard;
  }
}

/** Events change what a node said before; before its first snapshot there is nothing to change. */
function said(node: NodeView, change: (last: NodeSaid) => NodeSaid): NodeView {
  return node.said === null ? node : { ...node, said: change(node.said) };
}

function counted(count: WriteCount, outcome: 'acknowledged' | 'failed'): WriteCount {
  return { ...count, [outcome]: count[outcome] + 1 };
}
