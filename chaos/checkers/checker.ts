/**
 * A checker looks at a history and nothing else. It says `unknown` when it has seen too little to judge: a run in which
 * nothing was written has lost nothing, and proves nothing.
 */
import type { HistoryLine } from '../history/history.ts';

export interface CheckResult {
  readonly claim: string;
  readonly verdict: 'pass' | 'fail' | 'unknown';
  /** what was seen, in one line */
  readonly detail: string;
  /** what speaks against the claim, the first few */
  readonly violations: readonly string[];
}

export type Checker = (history: readonly HistoryLine[], nodes: readonly string[]) => CheckResult;

const VIOLATIONS_SHOWN = 10;

export function judged(claim: string, violations: readonly string[], detail: string): CheckResult {
  return {
    claim,
    verdict: violations.length === 0 ? 'pass' : 'fail',
    detail: violations.length === 0 ? detail : `${violations.length} against it; ${detail}`,
    violations: violations.slice(0, VIOLATIONS_SHOWN),
  };
}

export function unknown(claim: string, reason: string): CheckResult {
  return { claim, verdict: 'unknown', detail: reason, violations: [] };
}
