import { claimText, verdictOf } from './story.ts';
import type { Claim } from './story.ts';
import { DEMO_WORDS } from './words.ts';

const HELD: Claim = { name: 'failover', outcome: 'holds', tookMs: 1234, detail: null };
const FAILED: Claim = { name: 'nothingLost', outcome: 'fails', tookMs: null, detail: 'node3 lacks demo/1' };
const UNPROVEN: Claim = {
  name: 'cutBites',
  outcome: 'unproven',
  tookMs: null,
  detail: 'nothing was swallowed',
};

describe('the verdict of the demo', () => {
  it.each([
    ['passes when every claim holds', [HELD], 'pass'],
    ['fails when one claim fails, whatever the others', [HELD, FAILED, UNPROVEN], 'fail'],
    ['is never green over a fault without evidence', [HELD, UNPROVEN], 'inconclusive'],
    ['is never green over nothing', [], 'inconclusive'],
  ] as const)('%s', (_, claims, verdict) => {
    expect(verdictOf(claims)).toBe(verdict);
  });

  it('names the measured time, what is missing, and what could not be shown', () => {
    expect(claimText(HELD, DEMO_WORDS.en)).toBe('the cut node breathes HTTP: 1.23 s');
    expect(claimText(HELD, DEMO_WORDS.pt)).toBe('o nó cortado respira HTTP: 1,23 s');
    expect(claimText(FAILED, DEMO_WORDS.en)).toBe(
      'NOT SO: no acknowledged write is lost (node3 lacks demo/1)',
    );
    expect(claimText(UNPROVEN, DEMO_WORDS.en)).toBe('not proven: the cut bites (nothing was swallowed)');
  });
});
