import fc from 'fast-check';
import { compareStamps, COUNTER_MAX, isTooFarAhead, observe, tick, type Stamp } from './clock.ts';

const wall = fc.integer({ min: 0, max: 5 });
const stamp: fc.Arbitrary<Stamp> = fc.record({
  wallMs: wall,
  counter: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(COUNTER_MAX)),
});

describe('clock', () => {
  it('gives every write a stamp above the last, wherever the wall clock goes', () => {
    fc.assert(
      fc.property(stamp, wall, (last, wallMs) => {
        const next = tick(last, wallMs);
        expect(compareStamps(next, last)).toBeGreaterThan(0);
        expect(next.wallMs).toBeGreaterThanOrEqual(wallMs);
        expect(next.counter).toBeLessThanOrEqual(COUNTER_MAX);
      }),
    );
  });

  it('gives a write a stamp above everything heard before', () => {
    fc.assert(
      fc.property(stamp, stamp, wall, wall, (last, remote, heardAt, writtenAt) => {
        const next = tick(observe(last, remote, heardAt), writtenAt);
        expect(compareStamps(next, last)).toBeGreaterThan(0);
        expect(compareStamps(next, remote)).toBeGreaterThan(0);
      }),
    );
  });

  it('hears the same thing twice as once, in either order', () => {
    fc.assert(
      fc.property(stamp, stamp, stamp, wall, (last, a, b, wallMs) => {
        const heard = observe(observe(last, a, wallMs), b, wallMs);
        expect(observe(observe(last, b, wallMs), a, wallMs)).toEqual(heard);
        expect(observe(heard, a, wallMs)).toEqual(heard);
      }),
    );
  });

  it('moves the wall part on when the counter is full', () => {
    expect(tick({ wallMs: 10, counter: COUNTER_MAX }, 3)).toEqual({ wallMs: 11, counter: 0 });
  });

  it.each([
    [1000, false],
    [1060, false],
    [1061, true],
  ])('bounds how far ahead a stamp may be: %d at 1000 with 60 allowed', (wallMs, isRefused) => {
    expect(isTooFarAhead({ wallMs, counter: 7 }, 1000, 60)).toBe(isRefused);
  });
});
