/**
 * The faults of a history as windows of time, and what they mean for nodes and links: one table, so that every checker
 * excuses the same things.
 */
import { isCut } from '../faults/partition.ts';
import type { FaultKind, FaultSpec } from '../faults/spec.ts';
import type { HistoryLine, LineOf } from '../history/line.ts';

export interface FaultWindow {
  readonly id: number;
  readonly spec: FaultSpec;
  /** whose process, disk or clock it strikes; none for a partition, which strikes links */
  readonly nodes: readonly string[];
  readonly begunAt: number;
  /** in force everywhere; Infinity: never */
  readonly completeAt: number;
  /** from here on it may be gone somewhere already; Infinity: never */
  readonly liftingAt: number;
  /** lifted, or started again; Infinity: never */
  readonly liftedAt: number;
  /** seen to be gone; Infinity: never */
  readonly goneAt: number;
  /** false: nobody knows whether it was in force */
  readonly isProven: boolean;
}

export class FaultWindows {
  readonly #windows = new Map<number, FaultWindow>();

  get all(): readonly FaultWindow[] {
    return [...this.#windows.values()];
  }

  take(line: HistoryLine): void {
    if (line.type !== 'fault') return;
    const { id, phase, spec, nodes, at } = line;
    const known = this.#windows.get(id) ?? {
      id,
      spec,
      nodes,
      begunAt: at,
      completeAt: Infinity,
      liftingAt: Infinity,
      liftedAt: Infinity,
      goneAt: Infinity,
      isProven: true,
    };
    this.#windows.set(id, { ...known, ...timesOf(phase, at, known) });
  }
}

function timesOf(
  phase: LineOf<'fault'>['phase'],
  at: number,
  { liftingAt }: FaultWindow,
): Partial<FaultWindow> {
  switch (phase) {
    case 'begun':
      return { begunAt: at };
    case 'complete':
      return { completeAt: at };
    case 'lifting':
      return { liftingAt: at };
    case 'unproven':
      return { isProven: false };
    case 'lifted':
      return { liftingAt: Math.min(liftingAt, at), liftedAt: at };
    case 'gone':
      return { goneAt: at };
  }
}

/**
 * What a kind of fault does to the nodes that it strikes.
 * `down`: they do not answer, or may not, and take a while to be as before; others cannot reach them.
 * `blurred`: they answer, and nobody can say how well or over which lung.
 * `no-writes`: they answer and may refuse writes.
 * `links`: it strikes links, which `links cut` tells.
 */
const EFFECTS: Readonly<Record<FaultKind, 'down' | 'blurred' | 'no-writes' | 'links'>> = {
  partition: 'links',
  loss: 'blurred',
  latency: 'blurred',
  bandwidth: 'blurred',
  'cpu-hog': 'blurred',
  dns: 'blurred',
  kill: 'down',
  freeze: 'down',
  restart: 'down',
  'restart-elsewhere': 'down',
  corrupt: 'down',
  'lost-writes': 'down',
  scale: 'down',
  upgrade: 'down',
  clock: 'no-writes',
  'disk-full': 'no-writes',
};

/** Nobody can say over which lung it should be reached. */
export function isBlurred(windows: readonly FaultWindow[], node: string, from: number, to: number): boolean {
  return excuses(windows, node, 'reads').some(({ begunAt, goneAt }) => begunAt <= to && goneAt >= from);
}

/** A fault was on of which nobody knows whether it was in force: nothing can be expected of anybody. */
export function isAnythingUnproven(windows: readonly FaultWindow[], at: number): boolean {
  return windows.some(({ isProven, begunAt, goneAt }) => !isProven && begunAt <= at && goneAt >= at);
}

/** A node may have started in this time: until its new namespace has its rules, no cut of it is whole. */
export function isAnythingStarted(windows: readonly FaultWindow[], from: number, to: number): boolean {
  return windows.some(
    ({ spec, begunAt, goneAt }) =>
      EFFECTS[spec.kind] === 'down' && spec.kind !== 'freeze' && begunAt <= to && goneAt >= from,
  );
}

/** What strikes it so that it may rightly fail to answer such operations, or be slow with them. */
export function excuses(
  windows: readonly FaultWindow[],
  node: string,
  operations: 'reads' | 'writes',
): readonly FaultWindow[] {
  const effects = operations === 'reads' ? ['down', 'blurred'] : ['down', 'blurred', 'no-writes'];
  return windows.filter(({ spec, nodes }) => effects.includes(EFFECTS[spec.kind]) && nodes.includes(node));
}

/** Whether one can reach the other over this lung at this time; null: nobody can say. */
export function isReachable(
  windows: readonly FaultWindow[],
  from: string,
  to: string,
  lung: 'p2p' | 'http',
  at: number,
): boolean | null {
  const on = windows.filter(({ begunAt, goneAt }) => begunAt <= at && goneAt >= at);
  const isWhole = ({ completeAt, liftingAt }: FaultWindow): boolean => completeAt <= at && liftingAt > at;
  const cuts = on.filter((window) => cutsLink(window, from, to, lung) && window.liftedAt > at);
  const stops = on.filter(({ spec, nodes }) => EFFECTS[spec.kind] === 'down' && nodes.includes(to));
  if (cuts.some(isWhole) || stops.some((window) => STOPS.has(window.spec.kind) && isWhole(window)))
    return false;
  return cuts.length > 0 || isBlurred(windows, to, at, at) ? null : true;
}

/** Those that keep a node down, from when they are complete until they are lifted. */
const STOPS: ReadonlySet<FaultKind> = new Set(['kill', 'freeze', 'scale']);

/** This partition stands between the two on this lung. */
export function cutsLink({ spec }: FaultWindow, a: string, b: string, lung: 'p2p' | 'http'): boolean {
  if (spec.kind !== 'partition') return false;
  return (spec.scope === 'both' || spec.scope === lung) && isCut(spec.grudges, a, b);
}
