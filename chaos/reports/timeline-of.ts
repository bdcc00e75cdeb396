/** From the lines of a history to its timeline. */
import type { HistoryLine } from '../history/history.ts';
import type { Change, Lane, LaneMode, Mark, Timeline, Write } from './timeline.ts';

interface GrowingLane extends Lane {
  readonly modes: Change<LaneMode>[];
  readonly roots: Change<string>[];
}

interface GrowingWrite {
  readonly key: string;
  readonly node: string;
  readonly ackedAt: number;
  readonly seenBy: Set<string>;
  lastSeenAt: number;
}

export function timelineOf(history: readonly HistoryLine[], nodes: readonly string[]): Timeline {
  const lanes = new Map<string, GrowingLane>(nodes.map((node) => [node, { node, modes: [], roots: [] }]));
  const writes = new Map<string, GrowingWrite>();
  const bands: { from: number; to: number | null; label: string; nodes: readonly string[] }[] = [];
  const marks: Mark[] = [];
  let from = Infinity;
  let to = -Infinity;
  for (const line of history) {
    from = Math.min(from, line.at);
    to = Math.max(to, line.at);
    switch (line.type) {
      case 'status':
        change(lanes.get(line.node)?.modes, line.at, line.mode);
        break;
      case 'unreachable':
        change(lanes.get(line.node)?.modes, line.at, 'down');
        break;
      case 'root':
        change(lanes.get(line.node)?.roots, line.at, line.root);
        break;
      case 'ok':
        writes.set(line.key, {
          key: line.key,
          node: line.node,
          ackedAt: line.at,
          seenBy: new Set(),
          lastSeenAt: line.at,
        });
        break;
      case 'seen':
        seen(writes.get(line.key), line.node, line.at);
        break;
      case 'mark':
        if (line.mark === 'cut' || line.mark === 'killed')
          bands.push({
            from: line.at,
            to: null,
            label: line.mark === 'cut' ? 'P2P cut' : 'killed',
            nodes: [line.node],
          });
        if (line.mark === 'lifted' || line.mark === 'restarted') {
          const open = bands.findLast((band) => band.to === null && band.nodes.includes(line.node));
          if (open !== undefined) open.to = line.at;
        }
        if (line.mark === 'steady') marks.push({ at: line.at, label: 'steady', node: line.node });
        break;
      case 'limit':
        marks.push({ at: line.at, label: line.what, node: '' });
        break;
      case 'invoke':
      case 'fail':
      case 'info':
      case 'final':
        break;
    }
  }
  return {
    from: Number.isFinite(from) ? Math.max(0, from) : 0,
    to: Number.isFinite(to) ? to : 1,
    lanes: [...lanes.values()],
    bands,
    marks,
    writes: [...writes.values()].map((write) => outcome(write, nodes.length - 1)),
  };
}

/** Only what is another value than before: a status line may change in something else. */
function change<T>(changes: Change<T>[] | undefined, at: number, value: T): void {
  if (changes !== undefined && changes.at(-1)?.value !== value) changes.push({ at, value });
}

function seen(write: GrowingWrite | undefined, node: string, at: number): void {
  if (write === undefined) return;
  write.seenBy.add(node);
  write.lastSeenAt = Math.max(write.lastSeenAt, at);
}

function outcome({ key, node, ackedAt, seenBy, lastSeenAt }: GrowingWrite, readers: number): Write {
  return { key, node, ackedAt, tookMs: seenBy.size < readers ? null : lastSeenAt - ackedAt };
}
