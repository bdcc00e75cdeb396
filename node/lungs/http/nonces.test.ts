import fc from 'fast-check';
import { Nonces } from './nonces.ts';

const SKEW = 120_000;
const T = 1_800_000_000_000;

describe('Nonces', () => {
  it('admits each nonce once', () => {
    const nonces = new Nonces({ skewMsMax: SKEW, noncesMax: 100 });
    expect(nonces.admit(T, 'a', T)).toBe('fresh');
    expect(nonces.admit(T, 'b', T)).toBe('fresh');
    expect(nonces.admit(T, 'a', T + 1)).toBe('replayed');
  });

  it('admits times up to the allowed skew, both ways', () => {
    const nonces = new Nonces({ skewMsMax: SKEW, noncesMax: 100 });
    expect(nonces.admit(T - SKEW, 'a', T)).toBe('fresh');
    expect(nonces.admit(T + SKEW, 'b', T)).toBe('fresh');
    expect(nonces.admit(T - SKEW - 1, 'c', T)).toBe('stale');
    expect(nonces.admit(T + SKEW + 1, 'd', T)).toBe('stale');
  });

  it('forgets what can no longer be fresh', () => {
    const nonces = new Nonces({ skewMsMax: SKEW, noncesMax: 100_000 });
    for (let n = 0; n < 1000; n += 1) nonces.admit(T + n * 1000, String(n), T + n * 1000);
    expect(nonces.size).toBeLessThanOrEqual(200);
  });

  it('never admits one request twice, whatever the times and however little it may remember', () => {
    const request = fc.record({
      skew: fc.integer({ min: -SKEW, max: SKEW }),
      nonce: fc.integer({ min: 0, max: 20 }),
    });
    const play = fc.array(
      fc.record({ request, replayAfter: fc.integer({ min: 0, max: 400_000 }), wait: fc.nat(20_000) }),
    );
    fc.assert(
      fc.property(play, fc.integer({ min: 1, max: 30 }), (steps, noncesMax) => {
        const nonces = new Nonces({ skewMsMax: SKEW, noncesMax });
        let now = T;
        const admitted = new Set<string>();
        for (const { request: asked, wait, replayAfter } of steps) {
          now += wait;
          const time = now + asked.skew;
          const name = `${time} ${asked.nonce}`;
          const verdict = nonces.admit(time, String(asked.nonce), now);
          expect(verdict === 'fresh' && admitted.has(name)).toBe(false);
          if (verdict === 'fresh') admitted.add(name);
          expect(nonces.size).toBeLessThanOrEqual(noncesMax);
          now += replayAfter;
          expect(nonces.admit(time, String(asked.nonce), now)).not.toBe('fresh');
        }
      }),
    );
  });
});
