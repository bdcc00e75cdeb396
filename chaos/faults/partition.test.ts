import fc from 'fast-check';
import { deafen, isCut, isolate } from './partition.ts';

const cluster = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 7 });

describe('deafen', () => {
  it('makes the victim drop what it is sent, and nobody else', () => {
    fc.assert(
      fc.property(cluster, fc.nat(), (nodes, number) => {
        const victim = nodes[number % nodes.length] ?? '';
        const grudges = deafen(nodes, victim);
        for (const a of nodes) {
          for (const b of nodes.filter((node) => node !== a)) {
            expect(grudges.get(a)?.has(b)).toBe(a === victim);
            expect(isCut(grudges, a, b)).toBe(a === victim || b === victim);
          }
        }
      }),
    );
  });
});

describe('isolate', () => {
  it('cuts exactly the pairs of the victim, at both ends', () => {
    fc.assert(
      fc.property(cluster, fc.nat(), (nodes, number) => {
        const victim = nodes[number % nodes.length] ?? '';
        const grudges = isolate(nodes, victim);
        for (const a of nodes) {
          for (const b of nodes.filter((node) => node !== a)) {
            expect(isCut(grudges, a, b)).toBe(a === victim || b === victim);
            expect(grudges.get(a)?.has(b)).toBe(grudges.get(b)?.has(a));
          }
          expect(grudges.get(a)?.has(a)).toBe(false);
        }
      }),
    );
  });

  it('refuses a victim that is not there', () => {
    expect(() => isolate(['a', 'b'], 'c')).toThrow(RangeError);
  });
});
