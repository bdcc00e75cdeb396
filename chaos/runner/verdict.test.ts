import { EXIT_CODES, verdictOf, worstOf } from './verdict.ts';
import type { Findings } from './verdict.ts';

const good: Findings = {
  checks: [{ checker: 'well', claim: 'all is well', verdict: 'pass', detail: '', violations: [] }],
  proofs: [
    {
      what: 'the cut bites',
      at: 1,
      evidence: { ok: true, checks: [{ claim: 'packets', holds: true }], dropped: 3, droppedBytes: 180 },
    },
  ],
  troubles: [],
  leftovers: [],
  strikes: 0,
  interrupted: false,
};
const broken: Findings['checks'] = [
  {
    checker: 'lost',
    claim: 'nothing is lost',
    verdict: 'fail',
    detail: '1 lost',
    violations: [{ text: 'k', at: 1, node: 'a' }],
  },
];
const unproven: Findings['proofs'] = [
  {
    what: 'the cut bites',
    at: 1,
    evidence: { ok: false, checks: [{ claim: 'packets', holds: false }], dropped: 0, droppedBytes: 0 },
  },
];
/** Nothing speaks against it, and nothing for it. */
const empty: Findings['proofs'] = [
  { what: 'the cut bites', at: 1, evidence: { ok: true, checks: [], dropped: 0, droppedBytes: 0 } },
];

describe('the verdict', () => {
  it.each([
    ['pass', {}],
    ['fail', { checks: broken }],
    ['fail', { checks: broken, proofs: unproven }],
    ['inconclusive', { proofs: unproven }],
    ['inconclusive', { checks: [] }],
    ['pass', { strikes: 1, proofs: [...good.proofs, ...good.proofs] }],
    ['inconclusive', { strikes: 1, proofs: [] }],
    ['inconclusive', { strikes: 1 }],
    ['inconclusive', { strikes: 2, proofs: [...good.proofs, ...good.proofs] }],
    ['inconclusive', { proofs: empty }],
    [
      'inconclusive',
      { checks: [{ checker: 'x', claim: 'x', verdict: 'unknown', detail: 'too little', violations: [] }] },
    ],
    ['inconclusive', { troubles: ['inconclusive: a rule could not be lifted'] }],
    ['unsupported', { checks: [], proofs: [], troubles: ['unsupported: no disk to fill'] }],
    ['error', { troubles: ['harness: no disk'] }],
    ['error', { leftovers: ['container x'] }],
    ['interrupted', { interrupted: true, checks: [] }],
  ] satisfies readonly (readonly [string, Partial<Findings>])[])('is %s for %j', (verdict, change) => {
    const found = verdictOf({ ...good, ...change });
    expect(found.verdict).toBe(verdict);
    expect(found.reasons.length > 0).toBe(verdict !== 'pass' && verdict !== 'interrupted');
  });

  it('is green in one case only', () => {
    expect(Object.entries(EXIT_CODES).filter(([, code]) => code === 0)).toEqual([['pass', 0]]);
  });
});

describe('the verdict of several runs', () => {
  it.each([
    ['pass', ['pass', 'pass']],
    ['inconclusive', ['pass', 'inconclusive']],
    ['fail', ['inconclusive', 'fail', 'pass']],
    ['error', ['fail', 'error']],
    ['pass', ['pass', 'unsupported']],
    ['inconclusive', ['unsupported', 'pass', 'unsupported']],
    ['fail', ['unsupported', 'fail', 'unsupported']],
    ['inconclusive', ['unsupported']],
    ['inconclusive', []],
  ] as const)('is %s for %j', (worst, verdicts) => {
    expect(worstOf(verdicts)).toBe(worst);
  });
});
