import { sampleResults } from '../testing/sample.ts';
import { renderGateReport } from './gate-report.ts';

const { environment } = sampleResults();

const GATE = {
  version: 1,
  gateId: 'gate-1',
  world: 'containers',
  nodes: 5,
  seed: 7,
  startedAt: '2026-01-01T12:00:00.000Z',
  tookMs: 61_000,
  verdict: 'fail',
  runs: [
    {
      scenario: 'p2p-cut',
      directory: 'run-1',
      verdict: 'pass',
      reasons: [],
      tookMs: 15_000,
      acknowledged: 80,
    },
    {
      scenario: '<b>',
      directory: '"><script>',
      verdict: 'fail',
      reasons: ['<img src=x>'],
      tookMs: 9_000,
      acknowledged: 3,
    },
  ],
  environment,
} as const;

describe("the gate's report", () => {
  it('says how many passed, and leads to the report of each', () => {
    const text = renderGateReport(GATE);
    expect(text).toContain('1 of 2 scenarios passed, in 61 s.');
    expect(text).toContain('href="run-1/report.html"');
  });

  it('escapes what a scenario or a reason calls itself', () => {
    const text = renderGateReport(GATE);
    expect(text).not.toContain('<b>');
    expect(text).not.toContain('<img');
    expect(text.match(/<script/g)).toHaveLength(1);
  });
});
