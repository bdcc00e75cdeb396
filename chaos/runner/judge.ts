/** The claims of a scenario, checked on a history: the same when the run ends, and offline whenever anybody asks again. */
import type { CheckResult } from '../checkers/checker.ts';
import { checkLimits } from '../checkers/limits.ts';
import type { HistoryLine } from '../history/history.ts';
import type { Scenario } from '../scenarios/scenario.ts';

export function judge(
  scenario: Pick<Scenario, 'checkers'>,
  history: readonly HistoryLine[],
  nodes: readonly string[],
): readonly CheckResult[] {
  return [...scenario.checkers, checkLimits].map((checker) => checker(history, nodes));
}
