/**
 * P4: one lung is enough. While a partition takes one lung from two nodes, what either acknowledges becomes readable on the
 * other before the partition is lifted.
 */
import type { HistoryLine } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge } from './checker.ts';
import { Writes } from './operations.ts';
import { Stalls } from './stalls.ts';
import type { Late } from './stalls.ts';
import { cutsLink, FaultWindows, isBlurred, isReachable } from './windows.ts';
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
  readonly #stalls = new Stalls();
  readonly #writes = new Writes();
  readonly #facts: { readonly key: string; readonly node: string; readonly at: number }[] = [];
  /** by key: when it was readable, by node */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    this.#windows.take(line);
    this.#stalls.take(line);
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
    if (windows.length === 0) return unknown('no lung was provably cut alone');
    const lates: Late[] = [];
    let arrivals = 0;
    for (const window of windows) {
      for (const fact of this.#facts) {
        const isWithin = fact.at > window.completeAt && fact.at <= window.liftingAt - GRACE_MS;
        if (!isWithin) continue;
        for (const reader of this.#nodes.filter((other) => other !== fact.node)) {
          if (!this.#mustCross(window, fact.node, reader, fact.at)) continue;
          const at = this.#seen.get(fact.key)?.get(reader);
          if (at !== undefined && at <= window.liftedAt) arrivals += 1;
          else lates.push(late(fact, reader, window.liftedAt));
        }
      }
    }
    if (lates.length === 0 && arrivals < ARRIVALS_MIN) return unknown(`only ${arrivals} arrivals across`);
    return this.#stalls.judge([], lates, `${arrivals} arrivals across`);
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
      [at, ...times].every((time) => isReachable(all, writer, reader, left, time) === true) &&
      !isBlurred(all, writer, at, window.liftedAt) &&
      !isBlurred(all, reader, at, window.liftedAt)
    );
  }
}

function late(
  { key, at }: { readonly key: string; readonly at: number },
  reader: string,
  liftedAt: number,
): Late {
  const text = `${key}, acknowledged ${Math.round(liftedAt - at)} ms before the heal, was not on ${reader} by then`;
  return { violation: { text, at, node: reader }, from: at, to: liftedAt, limitMs: GRACE_MS };
}

function isOpen({ liftedAt }: FaultWindow): boolean {
  return liftedAt === Infinity;
}
