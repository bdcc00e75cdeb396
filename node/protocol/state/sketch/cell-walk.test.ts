import { CELLS_MAX, CellWalk } from './cell-walk.ts';
import { testShorts } from './test-ids.ts';

describe('cell walk', () => {
  it('is the same at every member', () => {
    expect(cellsOf(0xabcd_1234_5678, 1_000)).toEqual([
      0, 1, 2, 3, 4, 12, 21, 28, 41, 48, 121, 256, 309, 439, 873,
    ]);
    expect(new CellWalk(0xabcd_1234_5678).checksum >>> 0).toBe(0x163b_c436);
  });

  it('passes cell i with probability 1 / (1 + i/2)', () => {
    const walks = 4_000;
    const times = new Map<number, number>();
    for (const short of testShorts('density', walks))
      for (const cell of cellsOf(short, 400)) times.set(cell, (times.get(cell) ?? 0) + 1);
    for (const cell of [0, 1, 2, 3, 5, 9, 20, 50, 100, 399]) {
      const expected = walks / (1 + cell / 2);
      const sigma = Math.sqrt(expected * (1 - expected / walks));
      expect(Math.abs((times.get(cell) ?? 0) - expected)).toBeLessThanOrEqual(4 * sigma);
    }
  });

  it('goes forward, whatever the short id', () => {
    for (const short of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1, ...testShorts('forward', 500)]) {
      const cells = cellsOf(short, CELLS_MAX);
      expect(cells[0]).toBe(0);
      expect(cells.every((cell, at) => at === 0 || cell > (cells[at - 1] ?? 0))).toBe(true);
    }
  });

  it('tells whether it passes a cell', () => {
    const [short = 0] = testShorts('passes', 1);
    const cells = new Set(cellsOf(short, 300));
    for (let cell = 0; cell < 300; cell++) expect(new CellWalk(short).passes(cell)).toBe(cells.has(cell));
  });
});

function cellsOf(short: number, end: number): readonly number[] {
  const cells: number[] = [];
  for (const walk = new CellWalk(short); walk.index < end; walk.step()) cells.push(walk.index);
  return cells;
}
