import type { HistoryLine } from '../history/line.ts';
import { limits } from './limits.ts';
import { judge } from './testing/judge.ts';

const STEADY: HistoryLine = { type: 'mark', at: 1_000, mark: 'steady', node: '' };
const LIMIT: HistoryLine = {
  type: 'limit',
  at: 16_000,
  what: 'equal roots',
  limitMs: 15_000,
  seen: 'two roots',
};

describe('hard limits', () => {
  it('hold where nobody waited in vain', () => {
    expect(judge(limits, [STEADY]).verdict).toBe('pass');
  });

  it('fail with what was waited for, when it was given up, and what was seen instead', () => {
    const { verdict, violations } = judge(limits, [STEADY, LIMIT]);
    expect(verdict).toBe('fail');
    expect(violations).toEqual([
      { text: 'equal roots did not happen within 15 s; two roots', at: 16_000, node: null },
    ]);
  });

  it('fail before the steady state, too', () => {
    expect(judge(limits, [LIMIT]).verdict).toBe('fail');
  });

  it('are unknown where a machine too busy never let it begin', () => {
    const busy = Array.from({ length: 17 }, (_, i): HistoryLine => ({
      type: 'lag',
      at: 1_000 * i,
      loopMs: 5,
      stalledMs: 990,
    }));
    expect(judge(limits, [...busy, LIMIT]).verdict).toBe('unknown');
    expect(judge(limits, [STEADY, ...busy, LIMIT]).verdict).toBe('fail');
  });

  it('are unknown where nothing began', () => {
    expect(judge(limits, []).verdict).toBe('unknown');
  });
});
