/**
 * Everything happens within its hard limit. A scenario that waits in vain notes it and ends there; limits are generous, so
 * that they tell a broken node from a slow machine.
 */
import type { HistoryLine } from '../history/history.ts';
import { judged, unknown } from './checker.ts';
import type { CheckResult } from './checker.ts';

const CLAIM = 'everything happens within its hard limit';

export function checkLimits(history: readonly HistoryLine[]): CheckResult {
  const exceeded = history.filter((line) => line.type === 'limit');
  if (exceeded.length === 0 && !history.some((line) => line.type === 'mark' && line.mark === 'steady'))
    return unknown(CLAIM, 'a steady state was never reached');
  return judged(
    CLAIM,
    exceeded.map(
      ({ what, limitMs, seen, at }) =>
        `${what} did not happen within ${limitMs / 1000} s, at ${Math.round(at)} ms; ${seen}`,
    ),
    'no wait was in vain',
  );
}
