/**
 * When the machine was too busy for its times to mean anything: the lab's own timers came too late, something waited for
 * a processor nearly all the time, or the disk held up the lab's own block for as long as something was too late. What was late
 * then is no proof against the nodes, and no proof for them: nobody knows.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Finding, Violation } from './checker.ts';

/** The lab's own timers may come too late by this share of a limit before a miss is put down to the machine. */
const LAG_SHARE_MAX = 0.1;
const LAG_MS_MIN = 20;
/** Something waited for a processor for so much of the time: a lab and five nodes on two quiet cores stay far below. */
const STALLED_SHARE_MAX = 0.9;
/** Less than this a disk takes that has only the nodes to serve; seen on the reference machine: 0.4 ms mostly, 590 ms at times. */
const HELD_MS_MIN = 100;
/** A line of lag tells of the second before it. */
const LINE_MS = 1_000;

/** Something that took too long, or did not happen in time. */
export interface Late {
  readonly violation: Violation;
  readonly from: number;
  readonly to: number;
  /** what it was held against, in ms */
  readonly limitMs: number;
}

export class Stalls {
  readonly #lags: LineOf<'lag'>[] = [];

  take(line: HistoryLine): void {
    if (line.type === 'lag') this.#lags.push(line);
  }

  /** What is late fails, but for what was late on a machine that was too busy. @param firm fails on any machine */
  judge(
    firm: readonly Violation[],
    lates: readonly Late[],
    detail: string,
    numbers: Readonly<Record<string, number>> = {},
  ): Finding {
    const excused = lates.filter((late) => this.#excuses(late));
    const own = lates.filter((late) => !excused.includes(late)).map(({ violation }) => violation);
    if (firm.length + own.length > 0 || excused.length === 0)
      return judged([...firm, ...own], detail, numbers);
    const reason = `${detail}; ${excused.length} too late, on a machine too busy to judge: timers up to ${this.lagMsMax} ms late, the disk held up for up to ${this.#heldMsMax} ms`;
    const finding = judged(
      excused.map(({ violation }) => violation),
      detail,
      numbers,
    );
    return { ...finding, ...unknown(reason), violations: finding.violations };
  }

  get lagMsMax(): number {
    return Math.max(0, ...this.#lags.map(({ loopMs }) => loopMs));
  }

  get #heldMsMax(): number {
    return Math.max(0, ...this.#lags.map(({ flushMs }) => flushMs ?? 0));
  }

  #excuses({ from, to, limitMs }: Late): boolean {
    const lags = this.#lags.filter((lag) => lag.at >= from && lag.at <= to + LINE_MS);
    if (lags.some(({ loopMs }) => loopMs > Math.max(LAG_MS_MIN, LAG_SHARE_MAX * limitMs))) return true;
    const heldMs = Math.max(0, ...lags.map(({ flushMs }) => flushMs ?? 0));
    if (heldMs >= Math.max(HELD_MS_MIN, to - from - limitMs)) return true;
    const stalledMs = lags.reduce((sum, lag) => sum + (lag.stalledMs ?? 0), 0);
    return lags.length > 0 && stalledMs > STALLED_SHARE_MAX * LINE_MS * lags.length;
  }
}
