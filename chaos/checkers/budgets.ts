/**
 * The budgets of DESIGN section 8 are met. Each is the p99 of many rounds on a quiet machine; a run that misses one fails
 * all the same, since one miss in a handful of rounds is no p99. Except where the lab itself was held up while it measured:
 * its own timers tell, and then nobody knows.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const budgets: Checker = {
  name: 'budgets',
  claim: 'every budget is met',
  begin: () => new Budgets(),
};

/** The lab's own timers may come too late by this share of a budget before a miss is put down to the machine. */
const LAG_SHARE_MAX = 0.1;
const LAG_MS_MIN = 20;
/** A line of lag tells of the second before it. */
const LAG_LINE_MS = 1_000;

type Measured = LineOf<'measured'>;

class Budgets implements Judge {
  readonly #measured: Measured[] = [];
  readonly #lags: LineOf<'lag'>[] = [];

  take(line: HistoryLine): void {
    if (line.type === 'measured' && line.budgetMs !== null) this.#measured.push(line);
    if (line.type === 'lag') this.#lags.push(line);
  }

  verdict(): Finding {
    if (this.#measured.length === 0) return unknown('nothing with a budget was measured');
    const missed = this.#measured.filter(({ ms, budgetMs }) => ms === null || ms > (budgetMs ?? Infinity));
    const excused = missed.filter((one) => this.#lagDuring(one) > boundOf(one));
    const violations = missed.filter((one) => !excused.includes(one)).map(violation);
    const met = `${this.#measured.length - missed.length} of ${this.#measured.length} met`;
    if (violations.length > 0 || missed.length === 0) return judged(violations, met, this.#numbers());
    const lagMs = Math.round(Math.max(...excused.map((one) => this.#lagDuring(one))));
    return {
      ...unknown(
        `${met}; the rest while the lab's own timers were up to ${lagMs} ms late: the machine was too busy to judge`,
      ),
      violations: excused.map(violation),
      numbers: this.#numbers(),
    };
  }

  #lagDuring({ from, ms, at }: Measured): number {
    const to = ms === null ? at : from + ms;
    const during = this.#lags.filter((lag) => lag.at >= from && lag.at <= to + LAG_LINE_MS);
    return Math.max(0, ...during.map(({ loopMs }) => loopMs));
  }

  #numbers(): Readonly<Record<string, number>> {
    return { lag_ms_max: Math.max(0, ...this.#lags.map(({ loopMs }) => loopMs)) };
  }
}

function boundOf({ budgetMs }: Measured): number {
  return Math.max(LAG_MS_MIN, LAG_SHARE_MAX * (budgetMs ?? Infinity));
}

function violation({ what, ms, budgetMs, from }: Measured): Violation {
  const took = ms === null ? 'never happened' : `took ${Math.round(ms)} ms`;
  return { text: `${what} ${took}, budget ${budgetMs ?? 0} ms`, at: from, node: null };
}
