/**
 * P2: the nodes converge, with progress. In the end all roots are equal, and the state under them contains a write that
 * was acknowledged after the heal: equal old roots would be no recovery.
 */
import type { HistoryLine } from '../history/history.ts';
import { judged, unknown } from './checker.ts';
import type { CheckResult } from './checker.ts';

const CLAIM = 'equal roots everywhere, containing a write made after the heal';

export function checkConvergence(history: readonly HistoryLine[], nodes: readonly string[]): CheckResult {
  const finals = history.filter((line) => line.type === 'final');
  const unread = nodes.filter((node) => !finals.some((final) => final.node === node));
  if (unread.length > 0) return unknown(CLAIM, `no final read of ${unread.join(', ')}`);

  const healedAt = history.findLast(
    (line) => line.type === 'mark' && (line.mark === 'lifted' || line.mark === 'restarted'),
  )?.at;
  if (healedAt === undefined) return unknown(CLAIM, 'nothing was healed');
  const fresh = history.flatMap((line) =>
    line.type === 'mark' && line.mark === 'fresh' && line.at >= healedAt && line.key !== undefined
      ? [line.key]
      : [],
  );
  if (fresh.length === 0) return unknown(CLAIM, 'no write was acknowledged after the heal');

  const roots = new Set(finals.map((final) => final.root));
  const violations = [
    ...(roots.size > 1
      ? [
          `${roots.size} different roots: ${finals.map((final) => `${final.node} ${final.root.slice(0, 12)}`).join(', ')}`,
        ]
      : []),
    ...finals.flatMap((final) =>
      fresh
        .filter((key) => !Object.hasOwn(final.entries, key))
        .map((key) => `${final.node} lacks ${key}, written after the heal`),
    ),
  ];
  const [root = ''] = roots;
  return judged(
    CLAIM,
    violations,
    `root ${root.slice(0, 12)}… on ${nodes.length} nodes, ${fresh.length} fresh writes in it`,
  );
}
