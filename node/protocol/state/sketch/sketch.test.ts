import { TEST_SALT } from '../test-records.ts';
import { Decoder } from './decoder.ts';
import { Sketch, SKETCH_DEFAULTS } from './sketch.ts';
import { testId } from './test-ids.ts';

describe('sketch', () => {
  it('tells two nodes what they differ in: guess, ask for so many cells, read them', () => {
    const [ours, theirs] = [sketch(), sketch()];
    for (let n = 0; n < 3_000; n++) for (const one of [ours, theirs]) one.add(testId('both', n));
    for (let n = 0; n < 100; n++) ours.add(testId('ours', n));
    for (let n = 0; n < 50; n++) theirs.remove(testId('both', n));
    const estimate = ours.estimator.estimate(theirs.estimator);
    expect(Math.abs(estimate - 150)).toBeLessThan(45);
    const decoder = new Decoder(ours.symbols);
    decoder.add(theirs.symbols.slice(0, Sketch.cellsFor(estimate)));
    expect(decoder.isDone).toBe(true);
    const expected = [
      ...Array.from({ length: 100 }, (_, n) => ours.shortOf(testId('ours', n))),
      ...Array.from({ length: 50 }, (_, n) => ours.shortOf(testId('both', n))),
    ];
    expect(decoder.differences().toSorted()).toEqual(expected.toSorted());
  });

  it('asks for enough cells at first, but in one case of twenty', () => {
    for (const [differences, trials] of [
      [1, 100],
      [5, 300],
      [20, 300],
      [100, 100],
      [1_000, 15],
    ] as const) {
      let enough = 0;
      const [ours, theirs] = [sketch(), sketch()];
      for (let trial = 0; trial < trials; trial++) {
        const ids = Array.from({ length: differences }, (_, n) => testId(`${differences}/${trial}`, n));
        for (const id of ids) theirs.add(id);
        const decoder = new Decoder(ours.symbols);
        decoder.add(theirs.symbols.slice(0, Sketch.cellsFor(ours.estimator.estimate(theirs.estimator))));
        enough += Number(decoder.isDone);
        for (const id of ids) theirs.remove(id);
      }
      expect(enough / trials).toBeGreaterThan(0.9);
    }
  });

  it('asks for few cells where the guess is small, and as many as there are where it is not', () => {
    expect([0, 1, 10, 100, 1_000].map((estimate) => Sketch.cellsFor(estimate))).toEqual([
      4, 8, 27, 184, 1_668,
    ]);
  });

  it('is empty again once everything went', () => {
    const one = sketch();
    for (let n = 0; n < 100; n++) one.add(testId('gone', n));
    for (let n = 99; n >= 0; n--) one.remove(testId('gone', n));
    expect(one.symbols.copy()).toEqual(sketch().symbols.copy());
    expect(one.estimator.encode()).toEqual(sketch().estimator.encode());
  });
});

function sketch(): Sketch {
  return new Sketch(TEST_SALT, { ...SKETCH_DEFAULTS, cellsMax: 2_048 });
}
