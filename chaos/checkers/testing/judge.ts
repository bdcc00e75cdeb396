/** What one checker says of a made-up history. */
import type { HistoryLine } from '../../history/line.ts';
import type { Checker, Finding } from '../checker.ts';

export function judge(
  checker: Checker,
  lines: readonly HistoryLine[],
  nodes: readonly string[] = ['a', 'b', 'c'],
): Finding {
  const one = checker.begin(nodes);
  for (const line of lines) one.take(line);
  return one.verdict();
}
