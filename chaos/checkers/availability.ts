/**
 * A node that runs answers: also when it is cut off from all others, reads and writes go on at it. Judged is the longest
 * time in which no read, or no write, at a node succeeded although somebody tried, whether it ever did again or not; an
 * answer that takes as long while others are given is no better, and is called what it is. Left out is the time in which the lab
 * itself had struck the node down, slowed it or filled it up, and no more than that.
 */
import type { HistoryLine } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge } from './checker.ts';
import { Stalls } from './stalls.ts';
import type { Late } from './stalls.ts';
import { excuses, FaultWindows } from './windows.ts';

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
  /** what was asked after it has been answered */
  isOvertaken: boolean;
}

/** A time without success that somebody noticed. */
interface Outage {
  readonly kind: Kind;
  readonly node: string;
  readonly from: number;
  readonly to: number;
  /** others succeeded: it is one answer that took so long */
  readonly isAlone: boolean;
}

class Availability implements Judge {
  readonly #windows = new FaultWindows();
  readonly #stalls = new Stalls();
  readonly #attempts = new Map<number, Attempt>();
  /** by node and kind */
  readonly #waiting = new Map<string, Set<Attempt>>();
  /** by node and kind: the attempts in vain since the last success */
  readonly #vain = new Map<string, Outage>();
  readonly #outages: Outage[] = [];
  readonly #counts: Record<Kind, number> = { reads: 0, writes: 0 };
  readonly #slowest: Record<Kind, number> = { reads: 0, writes: 0 };

  take(line: HistoryLine): void {
    this.#windows.take(line);
    this.#stalls.take(line);
    if (line.type === 'invoke') {
      const kind: Kind = line.f === 'write' || line.f === 'batch' ? 'writes' : 'reads';
      const attempt = { kind, at: line.at, isOvertaken: false };
      this.#attempts.set(line.op, attempt);
      this.#waitingAt(`${kind} ${line.node}`).add(attempt);
    }
    if (line.type !== 'ok' && line.type !== 'fail' && line.type !== 'info') return;
    const attempt = this.#attempts.get(line.op);
    this.#attempts.delete(line.op);
    if (attempt === undefined) return;
    const { kind, at, isOvertaken } = attempt;
    const place = `${kind} ${line.node}`;
    const waiting = this.#waitingAt(place);
    waiting.delete(attempt);
    const vain = this.#vain.get(place);
    const from = Math.min(vain?.from ?? at, at);
    const outage = { kind, node: line.node, from, to: line.at, isAlone: vain === undefined && isOvertaken };
    if (line.type !== 'ok') {
      this.#vain.set(place, outage);
      return;
    }
    this.#counts[kind] += 1;
    this.#vain.delete(place);
    for (const other of waiting) if (other.at <= at) other.isOvertaken = true;
    this.#outages.push(...this.#worthKeeping(outage));
  }

  #waitingAt(place: string): Set<Attempt> {
    const known = this.#waiting.get(place);
    if (known !== undefined) return known;
    const waiting = new Set<Attempt>();
    this.#waiting.set(place, waiting);
    return waiting;
  }

  verdict(): Finding {
    if (this.#counts.reads < OPERATIONS_MIN || this.#counts.writes < OPERATIONS_MIN)
      return unknown(`only ${this.#counts.reads} reads and ${this.#counts.writes} writes succeeded`);
    const lates: Late[] = [];
    for (const outage of [...this.#outages, ...this.#vain.values()].flatMap((one) => this.#unexcused(one))) {
      const { kind, node, from, to, isAlone } = outage;
      this.#slowest[kind] = Math.max(this.#slowest[kind], to - from);
      if (to - from > UNAVAILABLE_MS_MAX)
        lates.push({
          violation: {
            text: isAlone
              ? `one of the ${kind} at ${node} was answered after ${Math.round(to - from)} ms, while others were sooner`
              : `no ${kind} at ${node} for ${Math.round(to - from)} ms`,
            at: from,
            node,
          },
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

  /** What is left of it without the times in which the node was struck, and right after. */
  #unexcused(outage: Outage): readonly Outage[] {
    const { kind, node } = outage;
    return excuses(this.#windows.all, node, kind).reduce<readonly Outage[]>(
      (left, { begunAt, goneAt }) =>
        left.flatMap((one) => {
          const to = Math.min(one.to, begunAt);
          const from = Math.max(one.from, goneAt + AFTERMATH_MS);
          return [...(one.from < to ? [{ ...one, to }] : []), ...(from < one.to ? [{ ...one, from }] : [])];
        }),
      [outage],
    );
  }
}

/** Longer than this, a time without an answer is worth remembering. */
const SHORT_MS = 100;
