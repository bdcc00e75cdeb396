import { judgeClock } from './clocks.ts';

describe('the verdict on our own clock', () => {
  const table: readonly (readonly [string, readonly number[], boolean])[] = [
    ['alone', [], true],
    ['with a peer that agrees', [5], true],
    ['with one peer far behind us: we are ahead', [-90_000], false],
    ['with one peer far ahead of us: it is at fault', [90_000], true],
    ['with two peers that are both far behind', [-90_000, -91_000], false],
    ['with two peers that are both far ahead: we are behind', [90_000, 91_000], false],
    ['with one of two peers far behind', [-90_000, 3], true],
    ['with two of four peers far ahead', [90_000, 95_000, 1, -2], true],
    ['with three of four peers far behind', [-90_000, -95_000, -92_000, 1], false],
    ['just within the limit', [-60_000, -60_000], true],
  ];

  it.each(table)('%s', (_name, offsets, isSane) => {
    expect(judgeClock(offsets, 60_000).isSane).toBe(isSane);
  });

  it('says how far we are off', () => {
    expect(judgeClock([-90_000, -90_010], 60_000).offsetMs).toBe(90_000);
  });
});
