/** From the lines of a history to its timeline, while they are written: bounded, however long the run. */
import { FACT_PREFIX } from '../checkers/carried.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { HistoryLine, LineOf } from '../history/line.ts';
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

interface GrowingBand {
  readonly id: number;
  readonly from: number;
  to: number | null;
  readonly label: string;
  readonly nodes: readonly string[];
}

/** So many changes of a lane are told apart; of more, every other one is left out, again and again: a page has fewer pixels. */
const CHANGES_MAX = 20_000;
/** Beyond, a write is not drawn: 20 a second for almost three hours. */
const WRITES_MAX = 200_000;

export class TimelineOf {
  readonly #lanes: ReadonlyMap<string, GrowingLane>;
  readonly #readers: number;
  readonly #asked = new Map<number, string>();
  readonly #writes = new Map<string, GrowingWrite>();
  readonly #bands: GrowingBand[] = [];
  readonly #marks: Mark[] = [];
  #from = Infinity;
  #to = -Infinity;

  constructor(nodes: readonly string[]) {
    this.#lanes = new Map(nodes.map((node) => [node, { node, modes: [], roots: [] }]));
    this.#readers = nodes.length - 1;
  }

  take(line: HistoryLine): void {
    this.#from = Math.min(this.#from, line.at);
    this.#to = Math.max(this.#to, line.at);
    switch (line.type) {
      case 'status':
        return change(this.#lanes.get(line.node)?.modes, line.at, line.mode);
      case 'unreachable':
        return change(this.#lanes.get(line.node)?.modes, line.at, 'down');
      case 'root':
        return change(this.#lanes.get(line.node)?.roots, line.at, line.root);
      case 'invoke':
        // Only of these is it known when they were readable where.
        if (line.f === 'write' && line.key.startsWith(FACT_PREFIX)) this.#asked.set(line.op, line.key);
        return;
      case 'ok':
        return this.#acknowledged(line);
      case 'fail':
      case 'info':
        this.#asked.delete(line.op);
        return;
      case 'seen':
        return seen(this.#writes.get(line.key), line.node, line.at);
      case 'fault':
        return this.#fault(line);
      case 'force':
        this.#marks.push({ at: line.at, label: `force ${line.mode ?? 'auto'}`, node: line.node });
        return;
      case 'mark':
        if (line.mark !== 'fresh') this.#marks.push({ at: line.at, label: line.mark, node: line.node });
        return;
      case 'died':
        this.#marks.push({ at: line.at, label: 'ended by itself', node: line.node });
        return;
      case 'limit':
        this.#marks.push({ at: line.at, label: line.what, node: '' });
        return;
      case 'run':
      case 'measured':
      case 'unmeasured':
      case 'lag':
      case 'entries':
      case 'intrusion':
      case 'final':
        return;
    }
  }

  timeline(): Timeline {
    return {
      from: Number.isFinite(this.#from) ? Math.max(0, this.#from) : 0,
      to: Number.isFinite(this.#to) ? this.#to : 1,
      lanes: [...this.#lanes.values()],
      bands: this.#bands,
      marks: this.#marks,
      writes: [...this.#writes.values()].map((write) => outcome(write, this.#readers)),
    };
  }

  #acknowledged({ op, node, at }: LineOf<'ok'>): void {
    const key = this.#asked.get(op);
    this.#asked.delete(op);
    if (key === undefined || this.#writes.size >= WRITES_MAX) return;
    this.#writes.set(key, { key, node, ackedAt: at, seenBy: new Set(), lastSeenAt: at });
  }

  #fault({ id, phase, at, spec, nodes }: LineOf<'fault'>): void {
    if (phase === 'begun')
      this.#bands.push({ id, from: at, to: null, label: labelOf(spec), nodes: struck(spec, nodes) });
    const open = this.#bands.findLast((band) => band.id === id);
    if (phase === 'lifted' && open !== undefined) open.to = at;
  }
}

function labelOf(spec: FaultSpec): string {
  return spec.kind === 'partition' ? `${spec.scope} cut` : spec.kind;
}

/** A partition strikes whom it holds apart from most; of two halves, everybody. */
function struck(spec: FaultSpec, nodes: readonly string[]): readonly string[] {
  if (spec.kind !== 'partition') return nodes;
  const counts = Object.entries(spec.grudges).map(([node, others]) => ({ node, count: others.length }));
  const most = Math.max(0, ...counts.map(({ count }) => count));
  return counts.filter(({ count }) => count === most && count > 0).map(({ node }) => node);
}

/** Only what is another value than before: a status line may change in something else. */
function change<T>(changes: Change<T>[] | undefined, at: number, value: T): void {
  if (changes === undefined || changes.at(-1)?.value === value) return;
  if (changes.length >= CHANGES_MAX) changes.splice(0, Infinity, ...changes.filter((_, i) => i % 2 === 0));
  changes.push({ at, value });
}

function seen(write: GrowingWrite | undefined, node: string, at: number): void {
  if (write === undefined) return;
  write.seenBy.add(node);
  write.lastSeenAt = Math.max(write.lastSeenAt, at);
}

function outcome({ key, node, ackedAt, seenBy, lastSeenAt }: GrowingWrite, readers: number): Write {
  return { key, node, ackedAt, tookMs: seenBy.size < readers ? null : lastSeenAt - ackedAt };
}
