import { renderSummary } from './summary.ts';
import { sampleResults } from './testing/sample.ts';

describe('the summary of a CI job', () => {
  const text = renderSummary({
    version: 1,
    gateId: 'gate-1',
    world: 'containers',
    nodes: 5,
    seed: 7,
    startedAt: '2026-01-01T12:00:00.000Z',
    tookMs: 61_000,
    verdict: 'inconclusive',
    runs: [
      {
        scenario: 'p2p-cut',
        directory: 'run-1',
        verdict: 'inconclusive',
        reasons: ['a | b\n| <img src=x> [link](javascript:x)'],
        tookMs: 15_000,
        acknowledged: 80,
      },
    ],
    environment: sampleResults().environment,
  });

  it('says the verdict, why, and how to repeat it', () => {
    expect(text).toContain('## ⚠️ INCONCLUSIVE: 5 containers, seed 7');
    expect(text).toContain('npm run chaos -- --cluster containers --seed 7');
  });

  it('is one row per scenario, whatever a reason holds', () => {
    const row = text.split('\n').find((line) => line.startsWith('| p2p-cut')) ?? '';
    expect(row.split('|')).toHaveLength(7);
    expect(text).not.toContain('<img');
    expect(text).not.toContain('[link]');
  });
});
