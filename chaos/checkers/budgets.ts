/**
 * The budgets of DESIGN section 8 are met. Each is the p99 of many rounds on a quiet machine; a run that misses one fails
 * all the same, since one miss in a handful of rounds is no p99. One that could not be measured is not met. On a machine that was too busy meanwhile nobody knows.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { Stalls } from './stalls.ts';

export const budgets: Checker = {
  name: 'budgets',
  claim: 'every budget is met',
  begin: () => new Budgets(),
};

type Measured = LineOf<'measured'>;

class Budgets implements Judge {
  readonly #measured: (Measured & { readonly budgetMs: number })[] = [];
  readonly #unmeasured: LineOf<'unmeasured'>[] = [];
  readonly #stalls = new Stalls();

  take(line: HistoryLine): void {
    this.#stalls.take(line);
    if (line.type === 'unmeasured') this.#unmeasured.push(line);
    if (line.type === 'measured' && line.budgetMs !== null)
      this.#measured.push({ ...line, budgetMs: line.budgetMs });
  }

  verdict(): Finding {
    if (this.#measured.length === 0) return unknown('nothing with a budget was measured');
    const missed = this.#measured.filter(({ ms, budgetMs }) => ms === null || ms > budgetMs);
    const lates = missed.map((one) => ({
      violation: violation(one),
      from: one.from,
      to: one.ms === null ? one.at : one.from + one.ms,
      limitMs: one.budgetMs,
    }));
    const finding = this.#stalls.judge(
      [],
      lates,
      `${this.#measured.length - missed.length} of ${this.#measured.length} met`,
      {
        lag_ms_max: this.#stalls.lagMsMax,
      },
    );
    if (finding.verdict !== 'pass' || this.#unmeasured.length === 0) return finding;
    const open = this.#unmeasured.map(({ what, why }) => `${what}, since ${why}`);
    return { ...finding, verdict: 'unknown', detail: `${finding.detail}; not measured: ${open.join('; ')}` };
  }
}

function violation({ what, ms, budgetMs, from }: Measured): Violation {
  const took = ms === null ? 'never happened' : `took ${Math.round(ms)} ms`;
  return { text: `${what} ${took}, budget ${budgetMs ?? 0} ms`, at: from, node: null };
}
