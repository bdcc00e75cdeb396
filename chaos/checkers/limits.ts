/**
 * Everything happens within its hard limit. A scenario that waits in vain notes it and ends there; limits are generous, so
 * that they tell a broken node from a slow machine. Only where a machine too busy never let it come to the steady state
 * nothing has been tried, and nobody knows.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge } from './checker.ts';
import { Stalls } from './stalls.ts';

export const limits: Checker = {
  name: 'limits',
  claim: 'everything happens within its hard limit',
  begin: () => new Limits(),
};

class Limits implements Judge {
  readonly #exceeded: LineOf<'limit'>[] = [];
  readonly #stalls = new Stalls();
  #isSteady = false;

  take(line: HistoryLine): void {
    this.#stalls.take(line);
    if (line.type === 'mark' && line.mark === 'steady') this.#isSteady = true;
    if (line.type === 'limit') this.#exceeded.push(line);
  }

  verdict(): Finding {
    if (this.#exceeded.length === 0 && !this.#isSteady) return unknown('a steady state was never reached');
    const lates = this.#exceeded.map(({ what, limitMs, seen, at }) => ({
      violation: { text: `${what} did not happen within ${limitMs / 1000} s; ${seen}`, at, node: null },
      from: at - limitMs,
      to: at,
      limitMs,
    }));
    if (lates.length === 0) return this.#stalls.judge([], [], 'no wait was in vain');
    const firm = this.#isSteady ? lates.map(({ violation }) => violation) : [];
    return this.#stalls.judge(firm, this.#isSteady ? [] : lates, 'the scenario ended there');
  }
}
