import type { HistoryLine } from '../history/history.ts';
import { checkLimits } from './limits.ts';

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
    expect(checkLimits([STEADY]).verdict).toBe('pass');
  });

  it('fail with what was waited for, when it was given up, and what was seen instead', () => {
    const { verdict, violations } = checkLimits([STEADY, LIMIT]);
    expect(verdict).toBe('fail');
    expect(violations).toEqual(['equal roots did not happen within 15 s, at 16000 ms; two roots']);
  });

  it('fail before the steady state, too', () => {
    expect(checkLimits([LIMIT]).verdict).toBe('fail');
  });

  it('are unknown where nothing began', () => {
    expect(checkLimits([]).verdict).toBe('unknown');
  });
});
