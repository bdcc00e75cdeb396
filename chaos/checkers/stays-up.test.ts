import type { HistoryLine } from '../history/line.ts';
import { staysUp } from './stays-up.ts';
import { judge } from './testing/judge.ts';

const STEADY: HistoryLine = { type: 'mark', at: 1_000, mark: 'steady', node: '' };

describe('a node that ends by itself', () => {
  it('is none where nodes ended only by faults', () => {
    expect(judge(staysUp, [STEADY]).verdict).toBe('pass');
  });

  it('fails the run, with when it was, how it ended and what it said last', () => {
    const died: HistoryLine = { type: 'died', at: 9_000, node: 'node2', exitCode: 134, said: 'malloc()' };
    const { verdict, violations } = judge(staysUp, [STEADY, died]);
    expect(verdict).toBe('fail');
    expect(violations).toEqual([
      { text: 'node2 ended by itself with exit code 134: malloc()', at: 9_000, node: 'node2' },
    ]);
  });

  it('fails it before the steady state, too, and says so where it was a signal', () => {
    const died: HistoryLine = { type: 'died', at: 100, node: 'node1', exitCode: null, said: '' };
    expect(judge(staysUp, [died]).violations[0]?.text).toContain('by a signal');
  });
});
