import { renderComparison } from './compare.ts';
import { sampleResults } from './testing/sample.ts';

describe('runs side by side', () => {
  const sample = sampleResults();
  const [first, ...others] = sample.measurements;
  const other = {
    ...sample,
    runId: 'other',
    world: 'containers' as const,
    verdict: 'pass' as const,
    measurements: [...others, ...(first === undefined ? [] : [first, { ...first, ms: 1_200, round: 2 }])],
  };

  it('shows each world, verdict and claim in its column', () => {
    const text = renderComparison([sample, other]);
    expect(text).toMatch(/^world +3 processes +3 containers$/m);
    expect(text).toMatch(/^verdict +FAIL +PASS$/m);
    expect(text).toMatch(/^no acknowledged write is lost +fail +fail$/m);
  });

  it('shows a time, several as a span, and never', () => {
    const text = renderComparison([sample, other]);
    expect(text).toMatch(/^P2P dropped → sync_mode HTTP, ms +989 +989 – 1200$/m);
    expect(text).toMatch(/^lifted → back to P2P, ms +never +never$/m);
  });
});
