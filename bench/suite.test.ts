import { median, takeTurns } from './measure.ts';
import { renderBars, renderTable, verdictOf } from './report.ts';
import { judge, ratioOf } from './suite.ts';
import type { Bar, Row } from './suite.ts';

const insert: Row = { what: 'insert', unit: 'µs', better: 'lower', ours: 10, peers: { okra: 500, mst: 300 } };
const writes: Row = { what: 'writes', unit: '1/s', better: 'higher', ours: 600, peers: { constant: 1000 } };

describe('bench', () => {
  it('calls twice as fast a ratio of 2, whichever way the unit goes', () => {
    expect(ratioOf(insert, 'okra')).toBe(50);
    expect(ratioOf(writes, 'constant')).toBe(0.6);
    expect(() => ratioOf(insert, 'nobody')).toThrow(RangeError);
  });

  it.each<readonly [Bar, boolean]>([
    [{ what: 'insert', against: 'okra', limit: { atLeast: 40 } }, true],
    [{ what: 'insert', against: 'mst', limit: { atLeast: 40 } }, false],
    [{ what: 'writes', against: 'constant', limit: { atLeast: 0.5 } }, true],
    [{ what: 'writes', against: null, limit: { atLeast: 601 } }, false],
    [{ what: 'insert', against: null, limit: { atMost: 10 } }, true],
  ])('judges %j', (bar, isMet) => {
    const judged = judge([bar], [insert, writes]);
    expect(judged.map((one) => one.isMet)).toEqual([isMet]);
    expect(renderBars(judged)).toMatch(isMet ? /^met/ : /^MISSED/);
    expect(verdictOf('s', judged)).toMatch(isMet ? /all 1 bars met/ : /1 of 1 bars missed: /);
  });

  it('does not pass over a bar for something that was not measured', () => {
    expect(() => judge([{ what: 'reads', against: null, limit: { atLeast: 1 } }], [insert])).toThrow(
      RangeError,
    );
  });

  it('shows every peer with its ratio, and how we stand to the baseline', () => {
    const machine = { cpu: 'c', cores: 2, memoryGib: 1, platform: 'p', node: 'v', packages: {} };
    const baseline = { machine, n: 1, rows: [{ ...insert, ours: 20 }] };
    const lines = renderTable([insert, writes], baseline).split('\n');
    expect(lines[0]).toMatch(/ours +okra +ratio +mst +ratio +constant +ratio +vs baseline/);
    expect(lines[1]).toMatch(/^insert +µs +10\.0 +500 +50\.0× +300 +30\.0× +2\.00×$/);
    expect(lines[2]).toMatch(/^writes +1\/s +600 +1,000 +0\.600× +-$/);
  });

  it('gives everybody a turn in every round, and takes the median', async () => {
    const order: string[] = [];
    const counts = { a: 0, b: 0 };
    const turn = (name: 'a' | 'b') => () => {
      order.push(name);
      counts[name] += 1;
      return counts[name] === 1 ? 1000 : counts[name];
    };
    expect(await takeTurns({ a: turn('a'), b: turn('b') }, 3)).toEqual({ a: 3, b: 3 });
    expect(order.join('')).toBe('ababab');
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
