/** Version vectors for tests: a few dots of three authors. */
import fc from 'fast-check';
import { testIdentity } from './test-records.ts';
import { VersionVector } from './version-vector.ts';

const dots = fc.array(
  fc.record({ n: fc.integer({ min: 1, max: 3 }), sequence: fc.integer({ min: 1, max: 9 }) }),
  { maxLength: 8 },
);

export const vectors = dots.map((seen) => {
  const vector = new VersionVector();
  for (const { n, sequence } of seen) vector.add({ author: testIdentity(n).id, sequence });
  return vector;
});
