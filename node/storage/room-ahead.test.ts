import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open, type RootDatabase } from 'lmdb';
import { RoomAhead, roomFor } from './room-ahead.ts';

describe('room written ahead', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'aethel-ahead-'));
    file = join(dir, 'data.mdb');
  });
  afterEach(async () => rm(dir, { recursive: true, force: true }));

  it('leaves every byte that was there as it was, whatever is said to be in use', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3_000_000), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9_000 }),
        async (uses, length) => {
          const content = Buffer.alloc(length, 7);
          await writeFile(file, content);
          const ahead = new RoomAhead(file);
          for (const used of uses) await ahead.keep(used, 0);
          await ahead.close();
          const after = await readFile(file);
          expect(after.subarray(0, length).equals(content)).toBe(true);
          expect(after.subarray(length).every((byte) => byte === 0)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('writes again only when what is left runs out', async () => {
    await writeFile(file, Buffer.alloc(8_192, 7));
    const ahead = new RoomAhead(file);
    await ahead.keep(8_192, 0);
    const { length } = await readFile(file);
    expect(length).toBeGreaterThan(8_192);
    await ahead.keep(100_000, 0);
    expect((await readFile(file)).length).toBe(length);
    await ahead.keep(length, 0);
    expect((await readFile(file)).length).toBeGreaterThan(length);
    await ahead.close();
  });

  it('has room for a commit that is larger than what it usually keeps', async () => {
    await writeFile(file, Buffer.alloc(8_192, 7));
    const ahead = new RoomAhead(file);
    await ahead.keep(8_192, 5_000_000);
    expect((await readFile(file)).length).toBeGreaterThanOrEqual(5_008_192);
    await ahead.close();
  });

  it('says so where there is no file to write to', async () => {
    const ahead = new RoomAhead(join(dir, 'missing', 'data.mdb'));
    await expect(ahead.keep(0, 4_096)).rejects.toMatchObject({ code: 'ENOENT' });
    await ahead.close();
  });

  it('never promises less than LMDB then takes', async () => {
    const size = fc.oneof(
      fc.nat(400),
      fc.nat(400),
      fc.nat(9_000),
      fc.constantFrom(0, 2_000, 2_030, 4_060, 65_000),
    );
    const step = fc.record({
      appended: fc.array(size, { maxLength: 300 }),
      replaced: fc.array(fc.tuple(fc.nat(), size), { maxLength: 60 }),
      removed: fc.array(fc.nat(), { maxLength: 400 }),
      metaBytes: fc.oneof(fc.nat(300), fc.nat(20_000)),
    });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const store = open<Buffer, number>({
          path: join(dir, `${(taken += 1)}`),
          encoding: 'binary',
          overlappingSync: false,
          eventTurnBatching: false,
        });
        let slots = 0;
        for (const { appended, replaced, removed, metaBytes } of steps) {
          const puts = new Map<number, number>();
          const gone = new Set<number>();
          if (slots > 0) {
            for (const [at, bytes] of replaced) puts.set(at % slots, bytes);
            for (const at of removed) if (!puts.has(at % slots)) gone.add(at % slots);
          }
          const before = statsOf(store);
          const room = roomFor(
            { appended, scattered: [...puts.values(), ...[...gone].map(() => 0)], metaBytes },
            { usedBytes: (before.lastPageNumber + 1) * before.pageSize, pageBytes: before.pageSize },
          );
          const first = slots;
          slots += appended.length;
          await store.batch(() => {
            for (const [i, bytes] of appended.entries()) void store.put(first + i, Buffer.alloc(bytes, i));
            for (const [slot, bytes] of puts) void store.put(slot, Buffer.alloc(bytes, slot));
            for (const slot of gone) void store.remove(slot);
            void store.put(-1, Buffer.alloc(metaBytes));
          });
          const grown = (statsOf(store).lastPageNumber - before.lastPageNumber) * before.pageSize;
          expect(grown).toBeLessThanOrEqual(room);
        }
        await store.close();
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

function statsOf(store: RootDatabase<Buffer, number>) {
  return store.getStats() as { readonly lastPageNumber: number; readonly pageSize: number };
}
