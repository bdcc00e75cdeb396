import fc from 'fast-check';
import { HotKeys } from './hot-keys.ts';
import { testIdentity, testRecord } from './test-records.ts';

const record = testRecord({ author: testIdentity(1), key: 'k' });

it('never shows anything but what was set last', () => {
  const step = fc.record({ key: fc.nat({ max: 5_000 }), what: fc.constantFrom('set', 'delete', 'get') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const hot = new HotKeys();
      const model = new Map<string, readonly unknown[]>();
      for (const { key: number, what } of steps) {
        const key = `key ${number % 40}/${number}`;
        if (what === 'set') {
          const live = number % 2 === 0 ? [] : [record];
          hot.set(key, live);
          model.set(key, live);
        } else if (what === 'delete') {
          hot.delete(key);
          model.delete(key);
        } else expect([null, model.get(key) ?? null]).toContain(hot.get(key));
      }
    }),
  );
});

it('keeps of a thousand keys that are asked for in turn nearly all', () => {
  const hot = new HotKeys();
  const keys = Array.from({ length: 1_000 }, (_, i) => `read/${i}`);
  for (const key of keys) hot.set(key, [record]);
  const kept = keys.filter((key) => hot.get(key) !== null).length;
  expect(kept).toBeGreaterThanOrEqual(960);
});
