import fc from 'fast-check';
import { Fingerprinter, FingerprintMap } from './fingerprints.ts';

describe('fingerprint map', () => {
  it('keeps every pair, also of one fingerprint, wherever they crowd', () => {
    const fingerprint = fc.oneof(
      fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    );
    const step = fc.record({ fingerprint, number: fc.nat(20), isGoing: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const map = new FingerprintMap();
        const model = new Map<string, { fingerprint: number; number: number }>();
        for (const { fingerprint: print, number, isGoing } of steps) {
          const name = `${print}/${number}`;
          if (isGoing) expect(map.remove(print, number)).toBe(model.delete(name));
          else if (!model.has(name)) {
            map.add(print, number);
            model.set(name, { fingerprint: print, number });
          }
          const same = [...model.values()].filter((pair) => pair.fingerprint === print);
          expect(numbersOf(map, print)).toEqual(same.map((pair) => pair.number).sort((a, b) => a - b));
        }
        expect(map.size).toBe(model.size);
        const all = [...model.values()].map((pair) => pair.number);
        expect([...map.numbers()].sort((a, b) => a - b)).toEqual(all.sort((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });

  it('stays right when all fingerprints are equal, or the greatest', () => {
    for (const print of [0, 12_345, 2 ** 32 - 1]) {
      const map = new FingerprintMap();
      for (let number = 0; number < 2000; number++) map.add(print, number);
      expect(numbersOf(map, print)).toHaveLength(2000);
      expect(numbersOf(map, print ^ 1)).toEqual([]);
      for (let number = 0; number < 2000; number += 2) expect(map.remove(print, number)).toBe(true);
      expect(map.remove(print, 0)).toBe(false);
      expect(numbersOf(map, print)).toEqual(Array.from({ length: 1000 }, (_, i) => 2 * i + 1));
    }
  });

  it('gives memory back', () => {
    const map = new FingerprintMap();
    const prints = Array.from({ length: 20_000 }, (_, i) => (i * 2_654_435_761) % 2 ** 32);
    for (const [number, print] of prints.entries()) map.add(print, number);
    const most = map.bytes;
    expect(most / map.size).toBeLessThan(12);
    for (const [number, print] of prints.entries()) if (number > 100) map.remove(print, number);
    expect(map.bytes).toBeLessThan(most / 50);
  });
});

describe('fingerprinter', () => {
  it('is foreseen by nobody without the secret', () => {
    const [one, other] = [new Fingerprinter(Uint8Array.of(1)), new Fingerprinter(Uint8Array.of(2))];
    const digests = Array.from({ length: 500 }, (_, i) => i.toString(16).padStart(16, '0').padEnd(64, 'a'));
    expect(new Set(digests.map((digest) => one.of(digest))).size).toBe(500);
    expect(one.of('0'.repeat(64))).toBe(new Fingerprinter(Uint8Array.of(1)).of('0'.repeat(64)));
    expect(one.of('0'.repeat(64))).not.toBe(other.of('0'.repeat(64)));
    expect(one.ofShort(5)).not.toBe(other.ofShort(5));
  });

  it('is the same of a text as of its bytes', () => {
    const fingerprinter = new Fingerprinter(Uint8Array.of(1));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 32 }), fc.nat(5), (digest, from) => {
        const bytes = Buffer.concat([Buffer.alloc(from), digest]);
        expect(fingerprinter.in(bytes, from)).toBe(fingerprinter.of(Buffer.from(digest).toString('hex')));
      }),
    );
  });

  it('takes every bit of a short id', () => {
    const fingerprinter = new Fingerprinter(Uint8Array.of(1));
    const shorts = [0, ...Array.from({ length: 48 }, (_, bit) => 2 ** bit), 2 ** 48 - 1];
    expect(new Set(shorts.map((short) => fingerprinter.ofShort(short))).size).toBe(shorts.length);
  });
});

function numbersOf(map: FingerprintMap, fingerprint: number): readonly number[] {
  const numbers: number[] = [];
  for (let at = map.first(fingerprint); at >= 0; at = map.next(at)) numbers.push(map.at(at));
  return numbers.sort((a, b) => a - b);
}
