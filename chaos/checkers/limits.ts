/**
 * Everything happens within its hard limit. A scenario that waits in vain notes it and ends there; limits are generous, so
 * that they tell a broken node from a slow machine.
 */
import type { HistoryLine } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const limits: Checker = {
  name: 'limits',
  claim: 'everything happens within its hard limit',
  begin: () => new Limits(),
};

class Limits implements Judge {
  readonly #violations: Violation[] = [];
  #isSteady = false;

  take(line: HistoryLine): void {
    if (line.type === 'mark' && line.mark === 'steady') this.#isSteady = true;
    if (line.type !== 'limit') return;
    const { what, limitMs, seen, at } = line;
    this.#violations.push({
      text: `${what} did not happen within ${limitMs / 1000} s; ${seen}`,
      at,
      node: null,
    });
  }

  verdict(): Finding {
    if (this.#violations.length === 0 && !this.#isSteady) return unknown('a steady state was never reached');
    const isKept = this.#violations.length === 0;
    return judged(this.#violations, isKept ? 'no wait was in vain' : 'the scenario ended there');
  }
}
