import fc from 'fast-check';
import { CodedSymbols, CELL_BYTES } from './coded-symbols.ts';
import { Decoder } from './decoder.ts';
import type { ShortId } from './short-id.ts';
import { testShorts } from './test-ids.ts';

const CELLS = 256;

describe('decoder', () => {
  it('finds exactly what one side has and the other has not, in whatever portions cells come', () => {
    const pool = testShorts('pool', 60);
    const sides = fc.array(fc.constantFrom('neither', 'ours', 'theirs', 'both'), { maxLength: 60 });
    const portions = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sides, portions, (where, sizes) => {
        const of = (...names: readonly string[]): readonly ShortId[] =>
          pool.filter((_, i) => names.includes(where[i] ?? 'neither'));
        const decoder = new Decoder(symbolsOf(of('ours', 'both')));
        feed(decoder, symbolsOf(of('theirs', 'both')), sizes);
        expect(decoder.isStuck).toBe(false);
        expect(decoder.isDone).toBe(true);
        expect(decoder.differences().toSorted()).toEqual(of('ours', 'theirs').toSorted());
      }),
      { numRuns: 300 },
    );
  });

  it('needs about 1.4 cells per difference', () => {
    for (const [differences, perDifferenceMax] of [
      [100, 1.9],
      [1_000, 1.5],
      [5_000, 1.45],
    ] as const) {
      const theirs = symbolsOf(testShorts('many', differences), 8_192);
      const decoder = new Decoder(symbolsOf([], 8_192));
      feed(decoder, theirs, [differences, Math.ceil(differences / 100)]);
      expect(decoder.isDone).toBe(true);
      expect(decoder.differences()).toHaveLength(differences);
      expect(decoder.cells).toBeLessThan(perDifferenceMax * differences);
    }
  });

  it('is done by one cell where there is no difference, and not before', () => {
    const symbols = symbolsOf(testShorts('same', 50));
    const decoder = new Decoder(symbols);
    expect(decoder.isDone).toBe(false);
    decoder.add(symbols.slice(0, 1));
    expect(decoder.isDone).toBe(true);
    expect(decoder.differences()).toEqual([]);
  });

  it('is not done while differences are left, but tells those it found', () => {
    const shorts = testShorts('left', 100);
    const decoder = new Decoder(symbolsOf([]));
    decoder.add(symbolsOf(shorts).slice(0, 80));
    expect(decoder.isDone).toBe(false);
    expect(decoder.isStuck).toBe(false);
    for (const short of decoder.differences()) expect(shorts).toContain(short);
  });

  it('goes on from the own set as it was, though that changes meanwhile', () => {
    const [ours, theirs] = [testShorts('ours', 40), testShorts('theirs', 30)];
    const own = symbolsOf(ours);
    const decoder = new Decoder(own);
    const peer = symbolsOf(theirs);
    decoder.add(peer.slice(0, 20));
    for (const short of testShorts('later', 200)) own.toggle(short);
    feed(decoder, peer, [CELLS]);
    expect(decoder.isDone).toBe(true);
    expect(decoder.differences().toSorted()).toEqual([...ours, ...theirs].toSorted());
  });

  it('does not decode a peer whose set changes between two replies', () => {
    const peer = symbolsOf(testShorts('moving', 100));
    const decoder = new Decoder(symbolsOf([]));
    decoder.add(peer.slice(0, 60));
    for (const short of testShorts('moved', 20)) peer.toggle(short);
    feed(decoder, peer, [CELLS]);
    expect(decoder.isDone).toBe(false);
  });

  it('takes any bytes, is never done by garbage, and ends', () => {
    const own = symbolsOf(testShorts('own', 20));
    const portions = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 * CELL_BYTES }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(portions, (garbage) => {
        const decoder = new Decoder(own);
        for (const bytes of garbage) {
          decoder.add(bytes);
          decoder.add(bytes.subarray(0, bytes.length - (bytes.length % CELL_BYTES)));
        }
        expect(decoder.isDone).toBe(false);
        expect(decoder.differences().length).toBeLessThanOrEqual(decoder.cells);
      }),
      { numRuns: 300 },
    );
  });

  it('sticks when honest cells are changed on the way, or is right all the same', () => {
    const shorts = testShorts('changed', 30);
    const cells = symbolsOf(shorts).slice(0, 100);
    fc.assert(
      fc.property(fc.nat(cells.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Uint8Array.from(cells, (byte, i) => (i === at ? byte ^ change : byte));
        const decoder = new Decoder(symbolsOf([]));
        decoder.add(bytes);
        expect(decoder.isDone).toBe(false);
      }),
    );
  });

  it('sticks on an id that shows up twice: its cells are no set’s', () => {
    const [short = 0] = testShorts('twice', 1);
    const bytes = new Uint8Array(50 * CELL_BYTES);
    bytes.set(symbolsOf([short]).slice(0, 1));
    const decoder = new Decoder(symbolsOf([]));
    decoder.add(bytes);
    expect(decoder.isStuck).toBe(true);
    expect(decoder.isDone).toBe(false);
  });

  it('does not take a cell for one id that has no business in it', () => {
    const [short = 0] = testShorts('elsewhere', 1);
    const home = symbolsOf([short]).slice(0, 1);
    const own = symbolsOf([short]);
    const free = Array.from({ length: CELLS }, (_, cell) => cell).filter((cell) =>
      own.slice(cell, 1).every((byte) => byte === 0),
    );
    const decoder = new Decoder(symbolsOf([]));
    const bytes = new Uint8Array(CELLS * CELL_BYTES);
    for (const cell of free) bytes.set(home, cell * CELL_BYTES);
    decoder.add(bytes);
    expect(decoder.differences()).toEqual([]);
    expect(decoder.isDone).toBe(false);
  });

  it('refuses a part of a cell, no cells, and more than it has own ones', () => {
    const bytes = symbolsOf([]).slice(0, CELLS);
    for (const wrong of [
      bytes.subarray(0, 9),
      bytes.subarray(0, 0),
      new Uint8Array(bytes.length + CELL_BYTES),
    ]) {
      const decoder = new Decoder(symbolsOf([]));
      decoder.add(wrong);
      expect(decoder.isStuck).toBe(true);
      decoder.add(bytes);
      expect(decoder.isDone).toBe(false);
      expect(decoder.cells).toBe(0);
    }
  });
});

function symbolsOf(shorts: readonly ShortId[], cells = CELLS): CodedSymbols {
  const symbols = new CodedSymbols(cells);
  for (const short of shorts) symbols.toggle(short);
  return symbols;
}

/** Until it is done or there is no more. @param sizes of the portions, the last one again and again */
function feed(decoder: Decoder, peer: CodedSymbols, sizes: readonly number[]): void {
  for (let at = 0; !decoder.isDone && !decoder.isStuck && decoder.cells < peer.cells; at++)
    decoder.add(peer.slice(decoder.cells, sizes[at] ?? sizes.at(-1) ?? 1));
}
