import fc from 'fast-check';
import type { NodeId } from '../../protocol/ids.ts';
import { Nonces, type Freshness } from './nonces.ts';

const SKEW = 120_000;
const T = 1_800_000_000_000;

const FLOODER = 'flooder' as NodeId;
const OTHER = 'other' as NodeId;

describe('Nonces', () => {
  it('admits each nonce once', () => {
    const nonces = noncesOf(100);
    expect(nonces.admit(by(OTHER, T, 'a'), T)).toBe('fresh');
    expect(nonces.admit(by(OTHER, T, 'b'), T)).toBe('fresh');
    expect(nonces.admit(by(OTHER, T, 'a'), T + 1)).toBe('replayed');
  });

  it('admits times up to the allowed skew, both ways', () => {
    const nonces = noncesOf(100);
    expect(nonces.admit(by(OTHER, T - SKEW, 'a'), T)).toBe('fresh');
    expect(nonces.admit(by(OTHER, T + SKEW, 'b'), T)).toBe('fresh');
    expect(nonces.admit(by(OTHER, T - SKEW - 1, 'c'), T)).toBe('stale');
    expect(nonces.admit(by(OTHER, T + SKEW + 1, 'd'), T)).toBe('stale');
  });

  it('turns away the member that asks too much, and no other', () => {
    const nonces = new Nonces({ skewMsMax: SKEW, noncesMax: 100, noncesPerMemberMax: 60 });
    for (let n = 0; n < 60; n += 1) expect(nonces.admit(by(FLOODER, T, `f${n}`), T)).toBe('fresh');
    for (let n = 60; n < 500; n += 1) expect(nonces.admit(by(FLOODER, T, `f${n}`), T)).toBe('crowded');
    expect(nonces.admit(by(FLOODER, T, 'f0'), T)).toBe('replayed');
    for (let n = 0; n < 40; n += 1) expect(nonces.admit(by(OTHER, T, `o${n}`), T)).toBe('fresh');
    const later = T + SKEW + 2000;
    expect(nonces.admit(by(FLOODER, later, 'f'), later)).toBe('fresh');
  });

  it('is open again a moment after all together asked too much', () => {
    const nonces = noncesOf(100);
    for (let n = 0; n <= 100; n += 1) nonces.admit(by(OTHER, T, String(n)), T);
    expect(nonces.admit(by(OTHER, T, 'same second'), T)).toBe('stale');
    expect(nonces.admit(by(OTHER, T + 1000, 'next second'), T + 1000)).toBe('fresh');
  });

  it('forgets what can no longer be fresh', () => {
    const nonces = noncesOf(100_000);
    for (let n = 0; n < 1000; n += 1) nonces.admit(by(OTHER, T + n * 1000, String(n)), T + n * 1000);
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
        const nonces = noncesOf(noncesMax);
        let now = T;
        const admitted = new Set<string>();
        for (const { request: asked, wait, replayAfter } of steps) {
          now += wait;
          const time = now + asked.skew;
          const name = `${time} ${asked.nonce}`;
          const verdict = nonces.admit(by(OTHER, time, String(asked.nonce)), now);
          expect(verdict === 'fresh' && admitted.has(name)).toBe(false);
          if (verdict === 'fresh') admitted.add(name);
          expect(nonces.size).toBeLessThanOrEqual(noncesMax);
          now += replayAfter;
          expect(nonces.admit(by(OTHER, time, String(asked.nonce)), now)).not.toBe('fresh');
        }
      }),
    );
  });
});

function noncesOf(noncesMax: number): Nonces {
  return new Nonces({ skewMsMax: SKEW, noncesMax, noncesPerMemberMax: noncesMax + 1 });
}

function by(member: NodeId, time: number, nonce: string): Freshness {
  return { member, time, nonce };
}
