import fc from 'fast-check';
import { Slab } from './slab.ts';

describe('slab', () => {
  it('keeps every item as it was written, whatever is freed and allocated around it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 300 }), (steps) => {
        const slab = new Slab(12, 4);
        const kept = new Map<number, number>();
        for (const [step, n] of steps.entries()) {
          const items = [...kept.keys()];
          const victim = items[n % Math.max(1, items.length)];
          if (n % 3 === 0 && victim !== undefined) {
            slab.free(victim);
            kept.delete(victim);
            continue;
          }
          const item = slab.allocate();
          expect(item).toBeGreaterThan(0);
          expect(kept.has(item)).toBe(false);
          slab.chunk(item).words.fill(step, slab.word(item), slab.word(item) + 3);
          kept.set(item, step);
        }
        for (const [item, step] of kept) {
          const { words, bytes } = slab.chunk(item);
          const at = slab.word(item);
          expect(Array.from(words.subarray(at, at + 3))).toEqual([step, step, step]);
          expect(bytes.readUInt32LE(4 * at)).toBe(step);
        }
      }),
    );
  });

  it('uses freed items again before it grows', () => {
    const slab = new Slab(8, 3);
    const first = Array.from({ length: 50 }, () => slab.allocate());
    for (const item of first) slab.free(item);
    const second = Array.from({ length: 50 }, () => slab.allocate());
    expect(second.toSorted((a, b) => a - b)).toEqual(first);
  });
});
