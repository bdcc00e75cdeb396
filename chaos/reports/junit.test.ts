import { renderJunit } from './junit.ts';
import { sampleProofs, sampleResults } from './testing/sample.ts';

const HOSTILE = '</testcase><script>alert(1)</script> & "\'\u0000\ud800 ]]>';

describe('junit.xml', () => {
  it('has a case per claim and per proof, and counts what is not green', () => {
    const text = renderJunit([{ results: sampleResults(), proofs: sampleProofs() }]);
    expect(text).toContain('<testsuites name="aethel chaos" tests="5" failures="1" errors="2" skipped="0"');
    expect(text).toContain('<failure message="1 against it; 40 acknowledged">');
  });

  it('never shows green what was interrupted, or left something behind', () => {
    const results = {
      ...sampleResults(),
      checks: [],
      interrupted: true,
      cleanUp: { leftovers: ['process 7'], removed: 1 },
    };
    expect(renderJunit([{ results, proofs: [] }])).toContain('errors="1" skipped="1"');
  });

  it('is no greener than the verdict', () => {
    const results = {
      ...sampleResults(),
      checks: [],
      verdict: 'inconclusive' as const,
      reasons: ['no proof'],
    };
    expect(renderJunit([{ results, proofs: [] }])).toContain('tests="1" failures="0" errors="1"');
    expect(renderJunit([{ results: { ...results, verdict: 'pass' }, proofs: [] }])).toContain('tests="0"');
  });

  it('escapes whatever a node or a run calls itself', () => {
    const results = {
      ...sampleResults(),
      scenario: HOSTILE,
      checks: [
        {
          checker: 'x',
          claim: HOSTILE,
          verdict: 'fail' as const,
          detail: HOSTILE,
          violations: [{ text: HOSTILE, at: null, node: HOSTILE }],
        },
      ],
    };
    const text = renderJunit([{ results, proofs: [] }]);
    expect(text).not.toContain('<script>');
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toContain('\u0000');
  });
});
