import { toEnd } from '../pieces.ts';
import fc from 'fast-check';
import type { RecordId } from '../ids.ts';
import { keptForm, KeptRecord } from './kept-record.ts';
import { contextOf, mergeKey } from './merge.ts';

import { decodeRecord, type SignedRecord, type VerifiedRecord } from './record.ts';
import { RecordStore } from './record-store.ts';
import { ShortIds, type ShortId } from './sketch/short-id.ts';
import { TEST_SALT, testIdentity, testRecord } from './test-records.ts';

const AUTHORS = [1, 2, 3].map(testIdentity);
const SECRET = Uint8Array.of(1, 2, 3);
const SHORT_IDS = new ShortIds(TEST_SALT);
const shortOf = (id: RecordId): ShortId => SHORT_IDS.of(id);
/** Keys whose bytes order differs from their UTF-16 order, prefixes of one another, NULs, and shared beginnings. */
const KEYS = [
  'a',
  'a\0',
  'a\0\0',
  'a\0\0\0\0',
  'ab',
  'b',
  'é',
  '￿',
  '𝒳',
  'key-000',
  'key-001',
  'x'.repeat(512),
];

describe('record store', () => {
  it('answers as a map of plain objects does, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 120 }), (steps) => {
        const store = new RecordStore(SECRET, shortOf);
        const model = new Model();
        for (const [at, { key, author, kind, size }] of steps.entries()) {
          const live = model.live(key);
          if (kind === 'list') expect([...store.keysAfter(key)]).toEqual(model.keysAfter(key));
          else if (kind === 'remove') {
            for (const { id } of live) expect(store.remove(id)).toBe(model.remove(id));
          } else {
            const record = nextRecord(author, key, kind === 'replace' ? live : [], at + 1, size);
            store.put(at, record);
            model.put(at, record);
            for (const { id } of mergeKey(live, record).removed)
              expect(store.remove(id)).toBe(model.remove(id));
          }
          expect(store.live(key)).toEqual(model.live(key));
        }
        expectSame(store, model);
      }),
      { numRuns: 150 },
    );
  });

  it('loads what one put after the other would hold, and leaves the rest of a key', () => {
    const written = fc.record({
      key: fc.constantFrom(...KEYS),
      author: fc.nat(1),
      sequence: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(written, { maxLength: 60 }), (writes) => {
        const records = writes.map(({ key, author, sequence }, at) =>
          testRecord({
            author: AUTHORS[author] ?? testIdentity(9),
            key,
            value: `${at}`,
            sequence,
            stamp: { wallMs: at, counter: 0 },
          }),
        );
        const stored = records.map((record, slot) => ({ slot, record }));
        const isFirst = stored.map(
          ({ record }, at) => records.findIndex(({ key }) => key === record.key) === at,
        );
        const model = new Model();
        for (const { slot, record } of stored.filter((_, at) => isFirst[at])) model.put(slot, record);

        const store = new RecordStore(SECRET, shortOf);
        for (const { slot, record } of stored)
          store.load(
            slot,
            new KeptRecord(slot % 2 === 0 ? keptForm(record) : record.bytes),
            shortOf(record.id),
          );
        const { left, doubled } = toEnd(store.loaded());
        expect(left.map(({ slot }) => slot)).toEqual(
          stored.flatMap(({ slot }, at) => (isFirst[at] ? [] : [slot])),
        );
        for (const { record, slot } of left) expect(record).toEqual(records[slot]);
        const dots = [...model.entries()].map(({ record }) => `${record.dot.author}/${record.dot.sequence}`);
        expect(doubled).toHaveLength(dots.length - new Set(dots).size);
        expect(store.count).toBe(dots.length);
        expect([...store.keysAfter(null)]).toEqual(model.keysAfter(null));
        for (const { slot, record } of left) {
          store.put(slot, record);
          model.put(slot, record);
        }
        for (const { record } of model.entries())
          expect(store.live(record.key)).toEqual(model.live(record.key));
        for (const { id } of records) expect(store.remove(id)).toBe(model.remove(id));
        expect(store.memory()).toMatchObject({ records: 0, liveBytes: 0 });
      }),
      { numRuns: 300 },
    );
  });

  it('makes the very record again that was put', () => {
    const context = AUTHORS.map(({ id }, at) => ({ author: id, sequence: 2 ** (17 * at + 2) })).sort((a, b) =>
      a.author < b.author ? -1 : 1,
    );
    const stamp = { wallMs: 2 ** 48 - 1, counter: 65_535 };
    const [author] = AUTHORS;
    if (author === undefined) return;
    const records = [
      testRecord({ author, sequence: Number.MAX_SAFE_INTEGER, context, stamp }),
      testRecord({ author, key: 'gone', value: null, sequence: 2 ** 32 }),
      testRecord({ author, key: '𝒳é\0', value: '"𝒳é\\u0000"', sequence: 3 }),
      testRecord({ author, key: 'k'.repeat(512), value: JSON.stringify('v'.repeat(65_534)), sequence: 4 }),
    ];
    const store = new RecordStore(SECRET, shortOf);
    for (const [slot, record] of records.entries()) store.put(Number.MAX_SAFE_INTEGER - slot, record);
    for (const [slot, record] of records.entries()) {
      expect(store.record(record.id)).toStrictEqual(record);
      expect(store.record(record.id)).toStrictEqual(decodeRecord(record.bytes));
      expect(store.slotOf(record.id)).toBe(Number.MAX_SAFE_INTEGER - slot);
    }
  });

  it('tells all records of one dot, on one key or on several', () => {
    const store = new RecordStore(SECRET, shortOf);
    const [author, other] = AUTHORS;
    if (author === undefined || other === undefined) return;
    const twins = ['a', 'a', 'b'].map((key, at) =>
      testRecord({ author, key, value: `${at}`, sequence: 2 ** 40 }),
    );
    for (const [slot, record] of twins.entries()) store.put(slot, record);
    store.put(9, testRecord({ author: other, key: 'a', sequence: 2 ** 40 }));
    const idsOf = (): readonly string[] =>
      store
        .ofDot({ author: author.id, sequence: 2 ** 40 })
        .map(({ id }) => id)
        .sort();
    expect(idsOf()).toEqual(twins.map(({ id }) => id).sort());
    for (const [slot, { id }] of twins.slice(0, 2).entries()) expect(store.remove(id)).toBe(slot);
    expect(idsOf()).toEqual(twins.slice(2).map(({ id }) => id));
    expect(store.ofDot({ author: author.id, sequence: 2 ** 40 + 1 })).toEqual([]);
    expect(store.ofDot({ author: author.id, sequence: 2 ** 8 })).toEqual([]);
  });

  it('finds no key that is not text under the key that its replacement characters make', () => {
    const store = new RecordStore(SECRET, shortOf);
    const record = nextRecord(0, 'a\ufffd', [], 1, 1);
    store.put(1, record);
    expect(store.live('a\ud800')).toEqual([]);
    expect(store.live('a\ufffd')).toEqual([record]);
  });

  it('holds a record by its bytes, and the same fact under another signature', () => {
    const store = new RecordStore(SECRET, shortOf);
    const held = testRecord({ author: testIdentity(1), value: `"${'x'.repeat(2_000)}"` });
    const bytes = Uint8Array.from(held.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const absent = testRecord({ author: testIdentity(1), key: 'other' });
    expect(store.holds(held)).toBe(false);
    store.put(1, held);
    expect([held, { ...held, bytes }, absent].map((record) => store.holds(record))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('shows a record that is at hand where it is bit by bit the one it holds, and else makes its own', () => {
    const flipped = (record: SignedRecord): SignedRecord => {
      const bytes = Uint8Array.from(record.bytes);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return { ...record, bytes };
    };
    const author = testIdentity(1);
    const context = [{ author: testIdentity(2).id, sequence: 3 }];
    const held = testRecord({ author, key: 'é', value: '"x"', sequence: 7, context });
    const other = { author, key: 'é', value: '"x"', sequence: 7, context };
    const impostors = [
      testRecord({ ...other, key: 'e' }),
      testRecord({ ...other, value: '"y"' }),
      testRecord({ ...other, value: null }),
      testRecord({ ...other, context: [] }),
      testRecord({ ...other, context: [{ author: testIdentity(2).id, sequence: 4 }] }),
      testRecord({ ...other, stamp: { wallMs: 1001, counter: 0 } }),
      testRecord({ ...other, stamp: { wallMs: 1000, counter: 1 } }),
      testRecord({ ...other, sequence: 8 }),
      testRecord({ ...other, author: testIdentity(3) }),
      flipped(held),
    ];
    const twin = structuredClone(held) as SignedRecord;
    for (const atHand of [twin, ...impostors]) {
      const store = new RecordStore(SECRET, shortOf, () => atHand);
      store.put(1, held);
      // What was put last is shown as it is; this is put after it.
      const next = testRecord({ author: testIdentity(4), key: 'next' });
      store.put(2, next);
      const shown = store.record(held.id);
      expect(shown).toEqual(held);
      expect(shown === atHand).toBe(atHand === twin);
    }
  });

  it('holds at most a twelfth more than what lives and one slab and a half, through any churn', () => {
    const slabBytes = 1_048_576;
    const store = new RecordStore(SECRET, shortOf);
    const model = new Model();
    const values = [10, 100, 3_000, 40_000];
    const random = generator(7);
    for (let slot = 1; slot <= 3_000; slot++) {
      // Waves: the store fills up, then all but a few of it goes.
      const isEbb = slot % 1_000 > 750;
      const gone = isEbb ? [...model.ids()].slice(0, 4) : slot % 3 === 0 ? [...model.ids()].slice(0, 1) : [];
      for (const id of gone) expect(store.remove(id)).toBe(model.remove(id));
      const size = values[Math.floor(random() ** 4 * values.length)] ?? 10;
      const record = nextRecord(slot % 3, `key-${slot}`, [], slot, size);
      store.put(slot, record);
      model.put(slot, record);
      const { heldBytes, liveBytes } = store.memory();
      expect(heldBytes).toBeLessThanOrEqual((12 / 11) * liveBytes + 1.5 * slabBytes);
    }
    expectSame(store, model);
    for (const id of model.ids()) store.remove(id);
    expect(store.memory()).toMatchObject({ records: 0, liveBytes: 0 });
    expect(store.memory().heldBytes).toBeLessThanOrEqual(slabBytes);
  });

  it('finds each record where it was moved to, also where records share a dot or a key', () => {
    const step = fc.record({
      key: fc.constantFrom(...KEYS),
      sequence: fc.integer({ min: 1, max: 3 }),
      size: fc.constantFrom(1, 300, 1_500),
      gone: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => {
        const store = new RecordStore(SECRET, shortOf);
        const model = new Model();
        for (const [slot, { key, sequence, size, gone }] of steps.entries()) {
          const value = JSON.stringify(`${slot}`.padEnd(size));
          const stamp = { wallMs: 1_000 + slot, counter: 0 };
          const record = testRecord({ author: testIdentity(1), key, value, sequence, stamp });
          store.put(slot, record);
          model.put(slot, record);
          const ids = [...model.ids()];
          const id = ids[gone % ids.length];
          if (ids.length > 20 && id !== undefined) expect(store.remove(id)).toBe(model.remove(id));
        }
        for (const { slot, record } of model.entries()) {
          expect(store.record(record.id)).toEqual(record);
          expect(store.slotOf(record.id)).toBe(slot);
          expect(store.live(record.key)).toEqual(model.live(record.key));
        }
        for (const id of model.ids()) expect(store.remove(id)).not.toBeNull();
        expect(store.memory()).toMatchObject({ records: 0, liveBytes: 0 });
      }),
      { numRuns: 25 },
    );
  });

  it('finds records by short id, also where ids share it', () => {
    // Two short ids for all there are.
    const store = new RecordStore(SECRET, (id) => (id < '8' ? 7 : 2 ** 48 - 1));
    const records = KEYS.flatMap((key, at) => [0, 1].map((author) => nextRecord(author, key, [], at + 1, 1)));
    for (const [slot, record] of records.entries()) store.put(slot, record);
    const idsOf = (list: readonly SignedRecord[]): readonly string[] => list.map(({ id }) => id).toSorted();
    const low = records.filter(({ id }) => id < '8');
    expect(idsOf(store.ofShort(7))).toEqual(idsOf(low));
    expect(idsOf(store.ofShort(2 ** 48 - 1))).toEqual(idsOf(records.filter(({ id }) => id >= '8')));
    expect(store.ofShort(8)).toEqual([]);
    for (const { id } of records) expect(store.record(id)?.id).toBe(id);
    for (const { id } of low) store.remove(id);
    expect(store.ofShort(7)).toEqual([]);
  });

  it('lists in order while keys come and go between the pages, few or many', () => {
    const store = new RecordStore(SECRET, shortOf);
    const model = new Model();
    const random = generator(11);
    const add = (slot: number): void => {
      const record = nextRecord(0, `${Math.floor(random() * 36 ** 4).toString(36)}/${slot}`, [], slot, 1);
      store.put(slot, record);
      model.put(slot, record);
    };
    let slot = 0;
    for (const [more, fewer] of [
      [3000, 0],
      [50, 60],
      [0, 300],
      [2500, 0],
      [10, 2000],
      [0, 0],
    ] as const) {
      for (let i = 0; i < more; i++) add((slot += 1));
      for (const id of [...model.ids()].slice(0, fewer)) expect(store.remove(id)).toBe(model.remove(id));
      expect([...store.keysAfter(null)]).toEqual(model.keysAfter(null));
      expect([...store.keysAfter('h')]).toEqual(model.keysAfter('h'));
    }
    expectSame(store, model);
  });
});

/** What the store does, in the plainest way. */
class Model {
  readonly #records = new Map<string, { readonly slot: number; readonly record: SignedRecord }>();

  put(slot: number, record: SignedRecord): void {
    this.#records.set(record.id, { slot, record });
  }

  remove(id: string): number | null {
    const slot = this.#records.get(id)?.slot ?? null;
    this.#records.delete(id);
    return slot;
  }

  live(key: string): readonly SignedRecord[] {
    const records = [...this.#records.values()].map(({ record }) => record);
    return records.filter((record) => record.key === key).sort((a, b) => b.stamp.wallMs - a.stamp.wallMs);
  }

  keysAfter(cursor: string | null): readonly string[] {
    const keys = new Set([...this.#records.values()].map(({ record }) => record.key));
    const inOrder = [...keys].map((key) => Buffer.from(key)).sort((a, b) => a.compare(b));
    const from = cursor === null ? null : Buffer.from(cursor);
    return inOrder.filter((key) => from === null || key.compare(from) > 0).map(String);
  }

  *ids(): Generator<SignedRecord['id']> {
    for (const { record } of this.#records.values()) yield record.id;
  }

  *entries(): Generator<{ readonly slot: number; readonly record: SignedRecord }> {
    yield* this.#records.values();
  }
}

function expectSame(store: RecordStore, model: Model): void {
  let count = 0;
  for (const { slot, record } of model.entries()) {
    expect(store.record(record.id)).toEqual(record);
    expect(store.slotOf(record.id)).toBe(slot);
    expect(store.ofDot(record.dot)).toEqual([record]);
    count += 1;
  }
  const keys = model.keysAfter(null);
  expect([store.count, store.keyCount]).toEqual([count, keys.length]);
  expect([...store.keysAfter(null)]).toEqual(keys);
}

function nextRecord(
  author: number,
  key: string,
  seen: readonly SignedRecord[],
  at: number,
  size: number,
): VerifiedRecord {
  const by = AUTHORS[author] ?? testIdentity(9);
  const value = JSON.stringify('v'.repeat(size));
  return testRecord({
    author: by,
    key,
    value,
    sequence: at,
    context: contextOf(seen),
    stamp: { wallMs: at, counter: 0 },
  });
}

function step() {
  return fc.record({
    key: fc.constantFrom(...KEYS),
    author: fc.nat(2),
    kind: fc.constantFrom('replace', 'replace', 'conflict', 'remove', 'list'),
    size: fc.constantFrom(0, 1, 2, 3, 500),
  });
}

/** Numbers from 0 to 1, the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
