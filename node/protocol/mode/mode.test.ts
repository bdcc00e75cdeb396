import fc from 'fast-check';
import type { SyncMode } from '../events.ts';
import { INITIAL_MODE, isSteady, nextMode, type ModeState } from './mode.ts';

const OPTIONS = { returnAfterMs: 300, returnMaxMs: 5_000, steadyMs: 5_000 };
type Row = readonly [from: SyncMode, p2p: number, http: number, forced: 'P2P' | 'HTTP' | null, to: SyncMode];

describe('the mode table', () => {
  // p2pSince is long ago wherever gossip reaches somebody, so hysteresis does not speak here.
  const table: readonly Row[] = [
    ['NONE', 0, 0, null, 'NONE'],
    ['NONE', 0, 1, null, 'HTTP'],
    ['NONE', 1, 0, null, 'P2P'],
    ['NONE', 1, 1, null, 'P2P'],
    ['HTTP', 0, 0, null, 'NONE'],
    ['HTTP', 0, 1, null, 'HTTP'],
    ['HTTP', 1, 0, null, 'P2P'],
    ['HTTP', 1, 1, null, 'P2P'],
    ['P2P', 0, 0, null, 'NONE'],
    ['P2P', 0, 1, null, 'HTTP'],
    ['P2P', 1, 0, null, 'P2P'],
    ['P2P', 4, 4, null, 'P2P'],
    ['P2P', 1, 1, 'HTTP', 'HTTP'],
    ['P2P', 1, 0, 'HTTP', 'NONE'],
    ['HTTP', 1, 1, 'P2P', 'P2P'],
    ['HTTP', 0, 1, 'P2P', 'NONE'],
    ['HTTP', 0, 1, 'HTTP', 'HTTP'],
    ['NONE', 0, 0, 'P2P', 'NONE'],
  ];

  it.each(table)(
    'from %s with p2p=%i http=%i forced=%s goes to %s',
    (mode, p2pReached, httpReached, forced, to) => {
      const state: ModeState = { ...INITIAL_MODE, mode, forced, p2pSince: p2pReached > 0 ? 0 : null };
      const step = nextMode(state, { p2pReached, httpReached }, 10_000, OPTIONS);
      expect(step.state.mode).toBe(to);
      expect(step.reason === null).toBe(mode === to);
    },
  );
});

describe('hysteresis', () => {
  const http: ModeState = { ...INITIAL_MODE, mode: 'HTTP' };

  it('comes back to P2P only after gossip has reached somebody for long enough', () => {
    const first = nextMode(http, { p2pReached: 1, httpReached: 1 }, 1_000, OPTIONS);
    expect(first.state.mode).toBe('HTTP');
    expect(nextMode(first.state, { p2pReached: 1, httpReached: 1 }, 1_299, OPTIONS).state.mode).toBe('HTTP');
    expect(nextMode(first.state, { p2pReached: 1, httpReached: 1 }, 1_300, OPTIONS).state.mode).toBe('P2P');
  });

  it('does not flicker with a lung that flickers every 200 ms', () => {
    let state = http;
    for (let now = 0; now < 10_000; now += 200) {
      const p2pReached = (now / 200) % 2;
      state = nextMode(state, { p2pReached, httpReached: 1 }, now, OPTIONS).state;
      expect(state.mode).toBe('HTTP');
    }
  });

  it('settles for HTTP when gossip comes for a second and goes for a second', () => {
    let state = http;
    let switches = 0;
    for (let now = 0; now < 60_000; now += 100) {
      const p2pReached = Math.floor(now / 1_000) % 2;
      const step = nextMode(state, { p2pReached, httpReached: 1 }, now, OPTIONS);
      if (step.reason !== null) switches += 1;
      state = step.state;
    }
    expect(switches).toBeLessThanOrEqual(4);
    expect(state.mode).toBe('HTTP');
  });

  it('is quick again after P2P has carried for a while', () => {
    let state: ModeState = { ...http, flaps: 6 };
    for (let now = 0; now < 20_000; now += 100)
      state = nextMode(state, { p2pReached: 1, httpReached: 1 }, now, OPTIONS).state;
    expect(state.mode).toBe('P2P');
    state = nextMode(state, { p2pReached: 0, httpReached: 1 }, 20_000, OPTIONS).state;
    state = nextMode(state, { p2pReached: 1, httpReached: 1 }, 21_000, OPTIONS).state;
    expect(nextMode(state, { p2pReached: 1, httpReached: 1 }, 21_300, OPTIONS).state.mode).toBe('P2P');
  });

  it('takes any breath at once when nothing else carries', () => {
    expect(nextMode(http, { p2pReached: 1, httpReached: 0 }, 5, OPTIONS).state.mode).toBe('P2P');
    expect(nextMode(INITIAL_MODE, { p2pReached: 1, httpReached: 1 }, 5, OPTIONS).state.mode).toBe('P2P');
  });
});

describe('a steady mode', () => {
  it('is what judging it again by the same evidence leaves as it is, whenever that is', () => {
    const evidence = fc.record({ p2pReached: fc.nat(1), httpReached: fc.nat(1) });
    const step = fc.record({
      evidence,
      forced: fc.constantFrom(null, null, 'P2P' as const, 'HTTP' as const),
      afterMs: fc.constantFrom(0, 100, 400, 6_000),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        let state = INITIAL_MODE;
        let now = 0;
        for (const { evidence: found, forced, afterMs } of steps) {
          now += afterMs;
          state = nextMode({ ...state, forced }, found, now, OPTIONS).state;
          if (!isSteady(state, found)) continue;
          for (const later of [0, 50, 10_000])
            expect(nextMode(state, found, now + later, OPTIONS)).toEqual({ state, reason: null });
        }
      }),
    );
  });

  it('is none that gossip has come back to and that waits', () => {
    const waiting: ModeState = { ...INITIAL_MODE, mode: 'HTTP', p2pSince: 0 };
    expect(isSteady(waiting, { p2pReached: 1, httpReached: 1 })).toBe(false);
    expect(isSteady(waiting, { p2pReached: 0, httpReached: 1 })).toBe(true);
  });
});
