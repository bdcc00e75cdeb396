import fc from 'fast-check';
import { DifferenceEstimator, ESTIMATOR_BYTES } from './estimator.ts';
import type { ShortId } from './short-id.ts';
import { testShorts } from './test-ids.ts';

describe('difference estimator', () => {
  it('errs by some 9 % at any difference', () => {
    for (const difference of [10, 100, 1_000, 10_000]) {
      const trials = difference > 1_000 ? 40 : 200;
      const errors = Array.from({ length: trials }, (_, n) => {
        const ids = testShorts(`${difference}/${n}`, difference);
        const ours = estimatorOf(ids.filter((_id, i) => i % 3 === 0));
        const theirs = estimatorOf(ids.filter((_id, i) => i % 3 !== 0));
        return ours.estimate(theirs) / difference - 1;
      });
      const mean = errors.reduce((sum, error) => sum + error, 0) / trials;
      const sigma = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / trials);
      expect(Math.abs(mean)).toBeLessThan(0.05);
      expect(sigma).toBeGreaterThan(0.06);
      expect(sigma).toBeLessThan(0.12);
    }
  });

  it('does not see what both have, however much that is', () => {
    const both = testShorts('both', 20_000);
    const ours = estimatorOf([...both, ...testShorts('only ours', 1)]);
    expect(ours.estimate(estimatorOf(both))).toBe(1);
    expect(ours.estimate(ours)).toBe(0);
  });

  it('says too little beyond its range, but more than cells can carry', () => {
    const empty = new DifferenceEstimator();
    expect(empty.estimate(estimatorOf(testShorts('beyond', 60_000)))).toBeGreaterThan(30_000);
  });

  it('forgets what went, in any order', () => {
    const pool = testShorts('pool', 20);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 300 }), (toggles) => {
        const estimator = new DifferenceEstimator();
        const set = new Set<ShortId>();
        for (const short of toggles) {
          estimator.toggle(short, set.has(short) ? -1 : 1);
          if (!set.delete(short)) set.add(short);
        }
        expect(estimator.encode()).toEqual(estimatorOf([...set]).encode());
      }),
    );
  });

  it('guesses the same from what came over the wire, of which any 192 bytes are one', () => {
    const wire = fc.uint8Array({ minLength: ESTIMATOR_BYTES, maxLength: ESTIMATOR_BYTES });
    const own = estimatorOf(testShorts('own', 500));
    fc.assert(
      fc.property(wire, (bytes) => {
        const decoded = DifferenceEstimator.decode(bytes);
        expect(decoded?.encode()).toEqual(bytes);
        const estimate = own.estimate(decoded ?? own);
        expect(Number.isInteger(estimate) && estimate > 0 && estimate <= 256 * 32 ** 2).toBe(true);
      }),
    );
    const other = estimatorOf(testShorts('other', 700));
    expect(own.estimate(DifferenceEstimator.decode(other.encode()) ?? own)).toBe(own.estimate(other));
    expect(own.estimate(other)).toBe(other.estimate(own));
  });

  it('refuses another number of bytes', () => {
    for (const length of [0, 1, ESTIMATOR_BYTES - 1, ESTIMATOR_BYTES + 1, 10_000])
      expect(DifferenceEstimator.decode(new Uint8Array(length))).toBeNull();
  });
});

function estimatorOf(shorts: readonly ShortId[]): DifferenceEstimator {
  const estimator = new DifferenceEstimator();
  for (const short of shorts) estimator.toggle(short, 1);
  return estimator;
}
