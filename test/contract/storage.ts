/**
 * What every store promises (node/ports.ts, `Storage`). Each implementation runs through this suite with a small world
 * that can restart it and damage what it kept.
 */
import type { Storage, StoreBatch, StoreFault } from '../../node/ports.ts';

export interface StorageWorld {
  /** Opens the store over what earlier ones left. */
  open(): Promise<Storage>;
  /** Flips one bit of the value kept under this slot, behind a closed store's back. */
  damage(slot: number, bytes: Uint8Array): Promise<void>;
  /** Takes the value out of a closed store, so that nothing is left of it. */
  lose(slot: number): Promise<void>;
  dispose(): Promise<void>;
}

export function describeStorage(name: string, makeWorld: () => Promise<StorageWorld>): void {
  describe(name, () => {
    let world: StorageWorld;
    let storage: Storage;
    beforeEach(async () => {
      world = await makeWorld();
      storage = await world.open();
    });
    afterEach(async () => {
      await storage.close();
      await world.dispose();
    });
    const reopen = async (): Promise<void> => {
      await storage.close();
      storage = await world.open();
    };

    it('starts with nothing', () => {
      expect(dump(storage)).toEqual({ meta: null, records: [] });
    });

    it('gives back after a restart what was committed, in slot order', async () => {
      await storage.commit(batch(1, { 7: 'seven', 300: 'three hundred', 0: 'zero' }));
      await storage.commit(batch(2, { 65_536: 'big', 8: '' }));
      await reopen();
      expect(dump(storage)).toEqual({
        meta: { sequence: 2, wallMs: 1002, counter: 0, knowledge: null },
        records: [
          [0, 'zero'],
          [7, 'seven'],
          [8, ''],
          [300, 'three hundred'],
          [65_536, 'big'],
        ],
      });
    });

    it('replaces and removes', async () => {
      await storage.commit(batch(1, { 1: 'one', 2: 'two', 3: 'three' }));
      await storage.commit(batch(2, { 1: 'uno' }, [2, 999]));
      await reopen();
      expect(dump(storage).records).toEqual([
        [1, 'uno'],
        [3, 'three'],
      ]);
    });

    it('keeps the meta of a batch that changes no record', async () => {
      await storage.commit(batch(41, {}));
      await reopen();
      expect(dump(storage)).toEqual({
        meta: { sequence: 41, wallMs: 1041, counter: 0, knowledge: null },
        records: [],
      });
    });

    it('finishes concurrent batches in call order, and the last one wins', async () => {
      const finished: number[] = [];
      const numbers = Array.from({ length: 200 }, (_, i) => i + 1);
      await Promise.all(
        numbers.map(async (n) => {
          await storage.commit(batch(n, { [n]: `n${n}`, 0: `last ${n}` }, n > 1 ? [n - 1] : []));
          finished.push(n);
        }),
      );
      expect(finished).toEqual(numbers);
      await reopen();
      expect(dump(storage)).toEqual({
        meta: { sequence: 200, wallMs: 1200, counter: 0, knowledge: null },
        records: [
          [0, 'last 200'],
          [200, 'n200'],
        ],
      });
    });

    it('keeps values of any bytes and sizes', async () => {
      const values = [
        new Uint8Array(0),
        Uint8Array.from({ length: 256 }, (_, i) => i),
        new Uint8Array(200_000).fill(255),
      ];
      await storage.commit({
        put: values.map((bytes, slot) => ({ slot, bytes })),
        remove: [],
        meta: { sequence: 1, wallMs: 1, counter: 65_535, knowledge: null },
      });
      await reopen();
      const kept = Array.from(storage.load().records, ({ bytes }) => Uint8Array.from(bytes));
      expect(kept).toEqual(values);
    });

    it('keeps what the caller gave, even when the caller reuses its buffer', async () => {
      const bytes = Buffer.from('first');
      const done = storage.commit({
        put: [{ slot: 1, bytes }],
        remove: [],
        meta: { sequence: 1, wallMs: 1, counter: 0, knowledge: null },
      });
      await done;
      bytes.fill(0);
      await reopen();
      expect(dump(storage).records).toEqual([[1, 'first']]);
    });

    it('finishes what was called before it closes, and refuses what is called after', async () => {
      const before = storage.commit(batch(1, { 1: 'one' }));
      const closing = storage.close();
      const after = storage.commit(batch(2, { 2: 'two' }));
      await expect(after).rejects.toMatchObject({ name: 'StorageFailedError', code: 'CLOSED' });
      await before;
      await closing;
      expect(() => storage.load()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
      await storage.close();
      await reopen();
      expect(dump(storage).records).toEqual([[1, 'one']]);
    });

    it('names the slot whose bytes are not what was written', async () => {
      const value = 'a value that is long enough to be found in a file';
      await storage.commit(batch(1, { 4: 'fine', 5: value, 6: 'fine too' }));
      await storage.close();
      await world.damage(5, Buffer.from(value));
      storage = await world.open();
      expect(() => dump(storage)).toThrow(expect.objectContaining({ name: 'StorageCorruptError', slot: 5 }));
    });

    it('keeps the knowledge it is given, tells none from empty, and shows none after the restart of a new store', async () => {
      const knowledges = [null, new Uint8Array(0), Uint8Array.from({ length: 5_000 }, (_, i) => i % 251)];
      for (const knowledge of knowledges) {
        await storage.commit({
          put: [],
          remove: [],
          meta: { sequence: 1, wallMs: 1, counter: 0, knowledge },
        });
        await reopen();
        expect(storage.load().meta?.knowledge).toEqual(knowledge);
      }
    });

    describe('of which a record is damaged and another one lost', () => {
      const value = 'a value that is long enough to be found in a file';
      beforeEach(async () => {
        await storage.commit(batch(1, { 4: 'fine', 5: value, 6: 'fine too', 7: 'gone' }));
        await storage.close();
        await world.damage(5, Buffer.from(value));
        await world.lose(7);
        storage = await world.open();
      });

      it('gives the sound ones, and tells of the others', () => {
        const { records, faults } = survey(storage);
        expect(records).toEqual([
          [4, 'fine'],
          [6, 'fine too'],
        ]);
        expect(faults.map(({ slot }) => slot)).toEqual([5, null]);
        expect(Buffer.from(faults[0]?.bytes ?? [])).toHaveLength(value.length);
        expect(faults[1]?.detail).toMatch(/4 records should be there, 3 are/);
      });

      it('tells of them at every start until they are mended, whatever is committed', async () => {
        survey(storage);
        await storage.commit(batch(2, { 8: 'new' }, [4]));
        await reopen();
        expect(survey(storage).faults.map(({ slot }) => slot)).toEqual([5, null]);
        await storage.commit(batch(3, { 5: 'another one in its place' }));
        await reopen();
        expect(survey(storage).faults.map(({ slot }) => slot)).toEqual([null]);
      });

      it('tells nothing more once they are mended, together with what is committed meanwhile', async () => {
        survey(storage);
        await Promise.all([
          storage.commit(batch(2, { 8: 'new' })),
          storage.mend(),
          storage.commit(batch(3, { 9: 'newer' }, [6])),
        ]);
        await reopen();
        expect(survey(storage)).toEqual({
          faults: [],
          records: [
            [4, 'fine'],
            [8, 'new'],
            [9, 'newer'],
          ],
        });
        expect(storage.load().meta?.sequence).toBe(3);
      });
    });

    it('misses a lost record even when all of them are', async () => {
      await storage.commit(batch(1, { 4: 'only' }));
      await storage.close();
      await world.lose(4);
      storage = await world.open();
      expect(() => dump(storage)).toThrow(
        expect.objectContaining({ name: 'StorageCorruptError', slot: null }),
      );
    });
  });
}

/** @param n also the sequence of the batch's meta */
function batch(n: number, put: Readonly<Record<number, string>>, remove: readonly number[] = []): StoreBatch {
  return {
    put: Object.entries(put).map(([slot, text]) => ({ slot: Number(slot), bytes: Buffer.from(text) })),
    remove,
    meta: { sequence: n, wallMs: 1000 + n, counter: 0, knowledge: null },
  };
}

function dump(storage: Storage): {
  readonly meta: unknown;
  readonly records: readonly [number, string][];
} {
  const { meta, records } = storage.load();
  return {
    meta,
    records: Array.from(records, ({ slot, bytes }): [number, string] => [
      slot,
      Buffer.from(bytes).toString('utf8'),
    ]),
  };
}

function survey(storage: Storage): {
  readonly records: readonly [number, string][];
  readonly faults: readonly StoreFault[];
} {
  const faults: StoreFault[] = [];
  const { records } = storage.load((fault) => faults.push(fault));
  const sound = Array.from(records, ({ slot, bytes }): [number, string] => [
    slot,
    Buffer.from(bytes).toString('utf8'),
  ]);
  return { records: sound, faults };
}
