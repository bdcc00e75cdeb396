/**
 * From what was seen to one word. Stronger words first: trouble of the lab itself, then a promise broken, then proof
 * missing; a pass is what is left.
 */
import type { CheckResult } from '../checkers/checker.ts';
import type { Proof, Verdict } from '../reports/results.ts';

export const EXIT_CODES: Readonly<Record<Verdict, number>> = {
  pass: 0,
  fail: 1,
  inconclusive: 2,
  unsupported: 2,
  error: 3,
  interrupted: 130,
};

export interface Findings {
  readonly checks: readonly CheckResult[];
  readonly proofs: readonly Proof[];
  /** `harness: …`, `unsupported: …` or `inconclusive: …` */
  readonly troubles: readonly string[];
  readonly leftovers: readonly string[];
  /** faults that have struck, by the history */
  readonly strikes: number;
  readonly interrupted: boolean;
}

export function verdictOf(findings: Findings): {
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
} {
  const errors = [
    ...findings.troubles.filter((trouble) => trouble.startsWith('harness: ')),
    ...findings.leftovers.map((leftover) => `left behind: ${leftover}`),
  ];
  const broken = findings.checks
    .filter((check) => check.verdict === 'fail')
    .flatMap((check) => [`${check.claim}: ${check.detail}`, ...check.violations.map(({ text }) => text)]);
  const unproven = [
    ...findings.troubles.filter((trouble) => trouble.startsWith('inconclusive: ')),
    ...findings.checks
      .filter((check) => check.verdict === 'unknown')
      .map((check) => `${check.claim}: ${check.detail}`),
    ...findings.proofs.flatMap(unprovenBy),
    ...missingProofs(findings),
    ...(findings.checks.length === 0 ? ['nothing was checked'] : []),
  ];
  const reasons = [...errors, ...broken, ...unproven];
  if (findings.interrupted)
    return {
      verdict: 'interrupted',
      reasons: findings.leftovers.map((leftover) => `left behind: ${leftover}`),
    };
  if (errors.length > 0) return { verdict: 'error', reasons };
  const unsupported = findings.troubles.filter((trouble) => trouble.startsWith('unsupported: '));
  if (unsupported.length > 0) return { verdict: 'unsupported', reasons: unsupported };
  if (broken.length > 0) return { verdict: 'fail', reasons };
  return unproven.length > 0 ? { verdict: 'inconclusive', reasons } : { verdict: 'pass', reasons: [] };
}

function unprovenBy({ what, evidence: { checks } }: Proof): readonly string[] {
  if (checks.length === 0) return [`${what}: nothing shows it`];
  return checks.filter((check) => !check.holds).map((check) => `${what}: not so: ${check.claim}`);
}

/** Each fault is proven twice: that it bit, and that it is gone. */
function missingProofs({ strikes, proofs }: Findings): readonly string[] {
  const needed = 2 * strikes;
  return proofs.length >= needed
    ? []
    : [`${strikes} faults have struck, and of ${needed} proofs there are ${proofs.length}`];
}

const FROM_WORST = [
  'interrupted',
  'error',
  'fail',
  'inconclusive',
  'pass',
] as const satisfies readonly Verdict[];

/** What cannot be played here is no better and no worse than the rest; a pass takes half of all: with fewer too little was seen. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  const worst = FROM_WORST.find((verdict) => verdicts.includes(verdict)) ?? 'inconclusive';
  const passed = verdicts.filter((verdict) => verdict === 'pass').length;
  return worst === 'pass' && 2 * passed < verdicts.length ? 'inconclusive' : worst;
}
