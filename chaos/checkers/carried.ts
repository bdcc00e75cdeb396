/**
 * P4: one lung is enough. While a partition takes one lung from two nodes, what either acknowledges becomes readable on the
 * other before the partition is lifted.
 */
import type { HistoryLine } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { Writes } from './operations.ts';
import { cutsLink, FaultWindows, isDown, isLinkCut } from './windows.ts';
import type { FaultWindow } from './windows.ts';

export const carried: Checker = {
  name: 'carried',
  claim: 'writes cross on the lung that is left',
  begin: (nodes) => new Carried(nodes),
};

/** Written by the workload that looks for every write on every node. */
export const FACT_PREFIX = 'fact/';
/** Fewer arrivals than this prove little. */
const ARRIVALS_MIN = 6;
/** A write acknowledged this shortly before the end of the cut may still be under way. */
const GRACE_MS = 1_000;

class Carried implements Judge {
  readonly #nodes: readonly string[];
  readonly #windows = new FaultWindows();
  readonly #writes = new Writes();
  readonly #facts: { readonly key: string; readonly node: string; readonly at: number }[] = [];
  /** by key: when it was readable, by node */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    this.#windows.take(line);
    for (const { key, node, endedAt, outcome } of this.#writes.take(line)) {
      // What was written without a fault needs no memory.
      const isInteresting = key.startsWith(FACT_PREFIX) && outcome === 'ok' && this.#windows.all.some(isOpen);
      if (isInteresting) this.#facts.push({ key, node, at: endedAt });
    }
    if (line.type !== 'seen' || !line.key.startsWith(FACT_PREFIX) || !this.#windows.all.some(isOpen)) return;
    const seen = this.#seen.get(line.key) ?? new Map<string, number>();
    this.#seen.set(line.key, seen.set(line.node, line.at));
  }

  verdict(): Finding {
    const windows = this.#windows.all.filter(
      ({ spec, isProven }) => isProven && spec.kind === 'partition' && spec.scope !== 'both',
    );
    if (windows.length === 0) return unknown('no lung was cut alone');
    const violations: Violation[] = [];
    let arrivals = 0;
    for (const window of windows) {
      for (const fact of this.#facts) {
        const isWithin = fact.at > window.completeAt && fact.at <= window.liftedAt - GRACE_MS;
        if (!isWithin) continue;
        for (const reader of this.#nodes.filter((other) => other !== fact.node)) {
          if (!this.#mustCross(window, fact.node, reader, fact.at)) continue;
          const at = this.#seen.get(fact.key)?.get(reader);
          if (at !== undefined && at <= window.liftedAt) arrivals += 1;
          else violations.push(late(fact, reader, window.liftedAt));
        }
      }
    }
    if (violations.length === 0 && arrivals < ARRIVALS_MIN)
      return unknown(`only ${arrivals} arrivals across`);
    return judged(violations, `${arrivals} arrivals across`);
  }

  /** The window stands between the two, the other lung is open all the time, and both run. */
  #mustCross(window: FaultWindow, writer: string, reader: string, at: number): boolean {
    const cut = (['p2p', 'http'] as const).filter((lung) => cutsLink(window, writer, reader, lung));
    const [lung] = cut;
    if (lung === undefined || cut.length > 1) return false;
    const all = this.#windows.all;
    const left = lung === 'p2p' ? 'http' : 'p2p';
    const times = all.flatMap(({ begunAt }) => (begunAt > at && begunAt < window.liftedAt ? [begunAt] : []));
    return (
      [at, ...times].every((time) => !isLinkCut(all, writer, reader, left, time)) &&
      !isDown(all, writer, at, window.liftedAt) &&
      !isDown(all, reader, at, window.liftedAt)
    );
  }
}

function late(
  { key, at }: { readonly key: string; readonly at: number },
  reader: string,
  liftedAt: number,
): Violation {
  const beforeMs = Math.round(liftedAt - at);
  return {
    text: `${key}, acknowledged ${beforeMs} ms before the heal, was not on ${reader} by then`,
    at,
    node: reader,
  };
}

function isOpen({ liftedAt }: FaultWindow): boolean {
  return liftedAt === Infinity;
}
