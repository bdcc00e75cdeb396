import fc from 'fast-check';
import type { ReadEntry } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';
import { compareBytes, mergedKeys, pageOf } from './page.ts';

const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 });

describe('a page', () => {
  it('looks at no value beyond the first that does not fit', () => {
    const looked: string[] = [];
    const keys = Array.from({ length: 1000 }, (_, i) => `k${1000 + i}`);
    const page = pageOf(keys, { limit: 1000, bytesMax: 1_000_000 }, (one) => {
      looked.push(one);
      return entry(one, 'x'.repeat(60_000));
    });
    expect(page.entries).toHaveLength(16);
    expect(page.next).toBe('k1015');
    expect(looked).toEqual(keys.slice(0, 17));
  });

  it('counts siblings, and shows a single entry however large it is', () => {
    const large = { ...entry('a', '1'), siblings: [sibling('x'.repeat(500)), sibling(null)] };
    const page = pageOf(['a', 'b'], { limit: 10, bytesMax: 100 }, (one) =>
      one === 'a' ? large : entry(one, '1'),
    );
    expect([page.entries, page.next]).toEqual([[large], 'a']);
  });

  it('leads through every key that has a value exactly once, whatever its limits', () => {
    const some = fc.uniqueArray(fc.tuple(key, fc.option(fc.nat(50))), { selector: ([one]) => one });
    fc.assert(
      fc.property(
        some,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 120 }),
        (all, limit, bytesMax) => {
          const values = new Map(all);
          const keys = [...values.keys()].toSorted(compareBytes);
          const seen: string[] = [];
          let after: string | null = null;
          do {
            const left = keys.filter((one) => after === null || compareBytes(one, after) > 0);
            const page = pageOf(left, { limit, bytesMax }, (one) => {
              const length = values.get(one) ?? null;
              return length === null ? null : entry(one, 'x'.repeat(length));
            });
            seen.push(...page.entries.map((one) => one.key));
            after = page.next;
          } while (after !== null);
          expect(seen).toEqual(keys.filter((one) => values.get(one) !== null));
        },
      ),
    );
  });
});

it('merges two orders into one', () => {
  const keys = fc.uniqueArray(key).map((some) => some.toSorted(compareBytes));
  fc.assert(
    fc.property(keys, keys, (some, others) => {
      const wanted = [...new Set([...some, ...others])].toSorted(compareBytes);
      expect([...mergedKeys(some, others)]).toEqual(wanted);
    }),
  );
});

function entry(name: string, value: string): ReadEntry {
  return { key: name, value, version: 'v', author: 'a' as NodeId, timestamp: 1, siblings: [] };
}

function sibling(value: string | null): ReadEntry['siblings'][number] {
  return { value, version: 's', author: 'a' as NodeId, timestamp: 1 };
}
