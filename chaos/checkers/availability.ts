/**
 * A node that runs answers: also when it is cut off from all others, reads and writes go on at it. Judged is the longest
 * time in which no read, or no write, at a node succeeded although somebody tried; left out is what the lab itself had
 * struck down, slowed or filled up.
 */
import type { HistoryLine } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge } from './checker.ts';
import { Stalls } from './stalls.ts';
import type { Late } from './stalls.ts';
import { FaultWindows, isBlurred, mayRefuse } from './windows.ts';

export const availability: Checker = {
  name: 'availability',
  claim: 'every node that runs takes reads and writes',
  begin: () => new Availability(),
};

/** Unavailable for longer than this, a node has failed. A cut costs a node nothing here: its own disk and memory answer. */
const UNAVAILABLE_MS_MAX = 2_000;
/** After a node is back, caches are cold and others catch up with it. */
const AFTERMATH_MS = 2_000;
const OPERATIONS_MIN = 10;

type Kind = 'reads' | 'writes';

interface Attempt {
  readonly kind: Kind;
  readonly at: number;
}

/** A time without success that somebody noticed. */
interface Outage {
  readonly kind: Kind;
  readonly node: string;
  readonly from: number;
  readonly to: number;
}

class Availability implements Judge {
  readonly #windows = new FaultWindows();
  readonly #stalls = new Stalls();
  readonly #attempts = new Map<number, Attempt>();
  /** by node and kind: since when nothing succeeded */
  readonly #since = new Map<string, number>();
  readonly #outages: Outage[] = [];
  readonly #counts: Record<Kind, number> = { reads: 0, writes: 0 };
  readonly #slowest: Record<Kind, number> = { reads: 0, writes: 0 };

  take(line: HistoryLine): void {
    this.#windows.take(line);
    this.#stalls.take(line);
    if (line.type === 'invoke')
      this.#attempts.set(line.op, {
        kind: line.f === 'write' || line.f === 'batch' ? 'writes' : 'reads',
        at: line.at,
      });
    if (line.type !== 'ok' && line.type !== 'fail' && line.type !== 'info') return;
    const attempt = this.#attempts.get(line.op);
    this.#attempts.delete(line.op);
    if (attempt === undefined) return;
    const place = `${attempt.kind} ${line.node}`;
    if (line.type !== 'ok') {
      // A 4xx of a condition is an answer; what is refused for want of a listener is none.
      if (!this.#since.has(place)) this.#since.set(place, attempt.at);
      return;
    }
    this.#counts[attempt.kind] += 1;
    const from = Math.min(this.#since.get(place) ?? attempt.at, attempt.at);
    this.#since.delete(place);
    this.#outages.push(...this.#worthKeeping({ kind: attempt.kind, node: line.node, from, to: line.at }));
  }

  verdict(): Finding {
    if (this.#counts.reads < OPERATIONS_MIN || this.#counts.writes < OPERATIONS_MIN)
      return unknown(`only ${this.#counts.reads} reads and ${this.#counts.writes} writes succeeded`);
    const own = this.#outages.filter((outage) => !this.#isExcused(outage));
    const lates: Late[] = [];
    for (const outage of own) {
      const { kind, node, from, to } = outage;
      this.#slowest[kind] = Math.max(this.#slowest[kind], to - from);
      if (to - from > UNAVAILABLE_MS_MAX)
        lates.push({
          violation: { text: `no ${kind} at ${node} for ${Math.round(to - from)} ms`, at: from, node },
          from,
          to,
          limitMs: UNAVAILABLE_MS_MAX,
        });
    }
    const { reads, writes } = this.#slowest;
    return this.#stalls.judge(
      [],
      lates,
      `longest without reads ${Math.round(reads)} ms, without writes ${Math.round(writes)} ms, on nodes that run`,
      { unavailable_reads_ms_max: reads, unavailable_writes_ms_max: writes },
    );
  }

  /** Almost all are as short as one answer: those that can be no node's longest are forgotten at once. */
  #worthKeeping(outage: Outage): readonly Outage[] {
    return outage.to - outage.from > SHORT_MS ? [outage] : [];
  }

  #isExcused({ kind, node, from, to }: Outage): boolean {
    const strikes = kind === 'writes' ? mayRefuse : isBlurred;
    return strikes(this.#windows.all, node, from - AFTERMATH_MS, to);
  }
}

/** Longer than this, a time without an answer is worth remembering. */
const SHORT_MS = 100;
