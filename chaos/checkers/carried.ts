/**
 * P4: one lung is enough. While a node is cut off on libp2p, what it acknowledges becomes readable on all others, and what
 * they acknowledge becomes readable on it, before the cut is lifted.
 */
import type { HistoryLine } from '../history/history.ts';
import { judged, unknown } from './checker.ts';
import type { CheckResult } from './checker.ts';

const CLAIM = 'writes on both sides reach all while P2P is cut';
/** Fewer than this in either direction proves little. */
const WRITES_MIN = 3;
/** A write acknowledged this shortly before the end of the cut may still be under way. */
const GRACE_MS = 1_000;

export function checkCarried(history: readonly HistoryLine[], nodes: readonly string[]): CheckResult {
  const marks = history.filter((line) => line.type === 'mark');
  const cuts = marks.filter((mark) => mark.mark === 'cut');
  if (cuts.length === 0) return unknown(CLAIM, 'nothing was cut');
  const seen = new Map<string, number>();
  for (const line of history) if (line.type === 'seen') seen.set(`${line.node} ${line.key}`, line.at);

  const violations: string[] = [];
  let outward = 0;
  let inward = 0;
  for (const cut of cuts) {
    const liftedAt = marks.find(
      (mark) => mark.mark === 'lifted' && mark.node === cut.node && mark.at > cut.at,
    )?.at;
    if (liftedAt === undefined) return unknown(CLAIM, 'the cut was not lifted');
    for (const write of history) {
      if (write.type !== 'ok' || write.at <= cut.at || write.at > liftedAt - GRACE_MS) continue;
      for (const reader of nodes) {
        // Only what has to cross the cut is of interest here.
        if (reader === write.node || (reader !== cut.node && write.node !== cut.node)) continue;
        const at = seen.get(`${reader} ${write.key}`);
        if (at === undefined || at > liftedAt) {
          violations.push(
            `${write.key}, acknowledged ${Math.round(liftedAt - write.at)} ms before the heal, was not on ${reader} by then`,
          );
        } else if (reader === cut.node) inward += 1;
        else outward += 1;
      }
    }
  }
  if (violations.length === 0 && (outward < WRITES_MIN || inward < WRITES_MIN)) {
    return unknown(CLAIM, `only ${outward} arrivals from the cut node and ${inward} at it`);
  }
  return judged(CLAIM, violations, `${outward} arrivals from the cut node, ${inward} at it`);
}
