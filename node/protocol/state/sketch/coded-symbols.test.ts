import fc from 'fast-check';
import { CELLS_MAX } from './cell-walk.ts';
import { CELL_BYTES, CodedSymbols } from './coded-symbols.ts';
import { testShorts } from './test-ids.ts';

describe('coded symbols', () => {
  it('are those of the set, whatever the order in which ids came and went', () => {
    const pool = testShorts('order', 40);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 100 }), (toggles) => {
        const symbols = symbolsOf(toggles);
        const set = pool.filter((short) => toggles.filter((one) => one === short).length % 2 === 1);
        expect(symbols.slice(0, 64)).toEqual(symbolsOf(set).slice(0, 64));
        expect(symbols.slice(0, 64)).toEqual(symbolsOf(set.toReversed()).slice(0, 64));
      }),
    );
  });

  it('are on the wire as u48 ids and u32 checksums', () => {
    const symbols = symbolsOf([0x0102_0304_0506]);
    expect(Buffer.from(symbols.slice(0, 2)).toString('hex')).toBe('0102030405065c2b6256'.repeat(2));
  });

  it('are the beginning of longer ones', () => {
    const shorts = testShorts('prefix', 100);
    const [few, many] = [new CodedSymbols(50), new CodedSymbols(500)];
    for (const short of shorts) {
      few.toggle(short);
      many.toggle(short);
    }
    expect(few.slice(0, 50)).toEqual(many.slice(0, 50));
  });

  it('are cut where they are asked for, and at their end', () => {
    const symbols = symbolsOf(testShorts('cut', 30));
    const all = symbols.slice(0, 64);
    expect(all).toHaveLength(64 * CELL_BYTES);
    expect(Buffer.concat([symbols.slice(0, 7), symbols.slice(7, 57)]).equals(all)).toBe(true);
    expect(symbols.slice(60, 10)).toHaveLength(4 * CELL_BYTES);
    expect(symbols.slice(64, 10)).toHaveLength(0);
    expect(symbols.slice(100, 10)).toHaveLength(0);
  });

  it('are copied as they were', () => {
    const symbols = symbolsOf(testShorts('copy', 5));
    const copy = symbols.copy();
    symbols.toggle(1);
    expect(copy).not.toEqual(symbols.copy());
    symbols.toggle(1);
    expect(copy).toEqual(symbols.copy());
  });

  it('refuse a number of cells beyond the limits', () => {
    for (const cells of [0, -1, 1.5, CELLS_MAX + 1, Number.NaN])
      expect(() => new CodedSymbols(cells)).toThrow(RangeError);
  });
});

function symbolsOf(shorts: readonly number[]): CodedSymbols {
  const symbols = new CodedSymbols(64);
  for (const short of shorts) symbols.toggle(short);
  return symbols;
}
