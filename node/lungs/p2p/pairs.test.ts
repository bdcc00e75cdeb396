import { goesSecond } from './pairs.ts';

const places = Array.from({ length: 20 }, (_, i) => `/ip4/172.18.0.${i + 2}/tcp/9000`);
const LOOPBACK = '/ip4/127.0.0.1/tcp/9000';

describe('of a pair', () => {
  it('one dials first, and the other second', () => {
    for (const one of places) {
      for (const other of places) {
        if (one !== other) expect(goesSecond([LOOPBACK, one], other)).toBe(!goesSecond([other], one));
      }
    }
  });

  it('nobody has to dial nearly all others first', () => {
    const firsts = places.map(
      (one) => places.filter((other) => other !== one && !goesSecond([one], other)).length,
    );
    expect(Math.min(...firsts)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...firsts)).toBeLessThanOrEqual(16);
  });

  it.each([
    ['does not listen', []],
    ['listens elsewhere only', [LOOPBACK]],
    ['may be known by two places', ['/ip4/10.0.0.1/tcp/9000', '/ip4/10.1.0.1/tcp/9000']],
  ])('a node that %s dials first', (_what, own) => {
    for (const place of places) expect(goesSecond(own, place)).toBe(false);
  });
});
