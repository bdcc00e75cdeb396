/**
 * P1: no acknowledged write is lost. Every write that was acknowledged must be among the final reads of every node, with
 * its value; one that was certainly refused must be on none. What ended as `info` may be there or not.
 */
import type { HistoryLine } from '../history/history.ts';
import { judged, unknown } from './checker.ts';
import type { CheckResult } from './checker.ts';

const CLAIM = 'no acknowledged write is lost';

export function checkLostWrites(history: readonly HistoryLine[], nodes: readonly string[]): CheckResult {
  const written = new Map<string, string>();
  const acked: string[] = [];
  const refused: string[] = [];
  const finals = new Map<string, Readonly<Record<string, unknown>>>();
  for (const line of history) {
    if (line.type === 'invoke') written.set(line.key, line.value);
    if (line.type === 'ok') acked.push(line.key);
    if (line.type === 'fail') refused.push(line.key);
    if (line.type === 'final') finals.set(line.node, line.entries);
  }
  const unread = nodes.filter((node) => !finals.has(node));
  if (unread.length > 0) return unknown(CLAIM, `no final read of ${unread.join(', ')}`);
  if (acked.length === 0) return unknown(CLAIM, 'no write was acknowledged');

  const violations: string[] = [];
  for (const [node, entries] of finals) {
    for (const key of acked) {
      if (!Object.hasOwn(entries, key)) violations.push(`${key} was acknowledged and is not on ${node}`);
      else if (entries[key] !== written.get(key)) violations.push(`${key} has another value on ${node}`);
    }
    for (const key of refused) {
      if (Object.hasOwn(entries, key)) violations.push(`${key} was refused and is on ${node}`);
    }
  }
  return judged(CLAIM, violations, `${acked.length} acknowledged, looked for on ${nodes.length} nodes`);
}
