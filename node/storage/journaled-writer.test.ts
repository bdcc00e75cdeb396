import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../test/fixtures/open-store.ts';
import type { StoreBatch } from '../ports.ts';
import { encodeMark, Journal } from './journal.ts';
import { JOURNAL_KEY, openDatabase } from './lmdb-environment.ts';
import { LmdbStorage } from './lmdb-storage.ts';
import { encodeBatch } from './writing-message.ts';

const WRITER = fileURLToPath(new URL('../../test/fixtures/storage-writer.ts', import.meta.url));

describe('a store with a journal', () => {
  let parent: string;
  let dir: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'aethel-journaled-'));
    dir = join(parent, 'state');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const batch = (n: number, bytes = 200): StoreBatch => ({
    put: [{ slot: n, bytes: Buffer.alloc(bytes, n) }],
    remove: n > 100 ? [n - 100] : [],
    meta: { sequence: n, wallMs: n, counter: 0, knowledge: null },
  });
  const found = async (salvage = false) => {
    const storage = await LmdbStorage.open(dir, { salvage });
    const faults: string[] = [];
    const { meta, records } = storage.load(({ detail }) => faults.push(detail));
    const slots = Array.from(records, ({ slot }) => slot);
    await storage.close();
    return { slots, sequence: meta?.sequence ?? 0, faults };
  };
  /** As a process leaves a store that is killed before LMDB has these. */
  const left = async (...batches: readonly StoreBatch[]): Promise<void> => {
    await (await LmdbStorage.open(dir)).close();
    const journal = new Journal(dir);
    const db = openDatabase(dir);
    await db.put(JOURNAL_KEY, encodeMark(journal.mark));
    await db.close();
    for (const one of batches) journal.append(encodeBatch(one));
    journal.close();
  };
  /** A process that dies right after its first promises. */
  const killed = (): number => {
    const args = ['-c', `"$0" --no-warnings "$@" | head -4`, process.execPath, WRITER, dir, 'thread'];
    const { stdout } = spawnSync('sh', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Math.max(...stdout.trim().split('\n').map(Number));
  };

  it('has everything in LMDB once it is closed, and nothing in the journal', async () => {
    const storage = await openStore(dir, 'thread');
    for (let n = 1; n <= 300; n += 1) await storage.commit(batch(n));
    await storage.close();
    await rm(join(dir, 'journal'));
    expect(await found()).toEqual({
      slots: Array.from({ length: 100 }, (_, i) => 201 + i),
      sequence: 300,
      faults: [],
    });
  });

  it('brings to LMDB what is left in the journal, once', async () => {
    await left(batch(1), batch(2), batch(103));
    expect(await found()).toEqual({ slots: [1, 2, 103], sequence: 103, faults: [] });
    await rm(join(dir, 'journal'));
    expect((await found()).slots).toEqual([1, 2, 103]);
  });

  it('has what a killed process was promised, also where that happens again and again', async () => {
    let promised = 0;
    for (let round = 0; round < 3; round += 1) {
      promised = Math.max(promised, killed());
      const { sequence, faults } = await found();
      expect(sequence).toBeGreaterThanOrEqual(promised);
      expect(faults).toEqual([]);
    }
    expect(promised).toBeGreaterThan(3);
  });

  it('refuses to open where a batch of the journal is damaged, or tells of the loss where it may be made good', async () => {
    await left(batch(1), batch(2), batch(3));
    const file = await readFile(join(dir, 'journal'));
    const magic = Buffer.from([0x41, 0x45, 0x4a, 0x31]);
    const at = [0, 1_048_576].find((start) => file.subarray(start, start + 4).equals(magic)) ?? -1;
    file[at + 100] = (file[at + 100] ?? 0) ^ 1;
    await writeFile(join(dir, 'journal'), file);
    await expect(LmdbStorage.open(dir)).rejects.toMatchObject({ code: 'CORRUPT' });
    const { faults } = await found(true);
    expect(faults).toEqual([expect.stringMatching(/should be there.*the journal is not whole/)]);
    // The loss is known until it is mended.
    expect((await found(true)).faults).toHaveLength(1);
  });

  it('takes a journal that is gone, or cut short, for damage where LMDB expects one', async () => {
    await left(batch(1));
    await writeFile(join(dir, 'journal'), (await readFile(join(dir, 'journal'))).subarray(0, 1_000_000));
    await expect(LmdbStorage.open(dir)).rejects.toMatchObject({ code: 'CORRUPT' });
    await rm(join(dir, 'journal'));
    await expect(LmdbStorage.open(dir)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await found(true)).faults).toHaveLength(1);
  });

  it('writes past the journal what is too large for it, in its order', async () => {
    const storage = await openStore(dir, 'thread');
    await Promise.all([1, 2, 3].map((n) => storage.commit(batch(n, n === 2 ? 900_000 : 200))));
    await storage.close();
    expect(await found()).toEqual({ slots: [1, 2, 3], sequence: 3, faults: [] });
  });

  it('goes without where there can be none', async () => {
    await (await LmdbStorage.open(dir)).close();
    await mkdir(join(dir, 'journal'));
    const storage = await openStore(dir, 'thread');
    for (let n = 1; n <= 5; n += 1) await storage.commit(batch(n));
    await storage.close();
    await rm(join(dir, 'journal'), { recursive: true });
    expect((await found()).slots).toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps the journal for the owner alone, and of one size', async () => {
    const storage = await openStore(dir, 'thread');
    for (let n = 1; n <= 2_000; n += 1) await storage.commit(batch(n, 1_500));
    await storage.close();
    const { size, mode } = await stat(join(dir, 'journal'));
    expect(size).toBe(2 * 1_048_576);
    expect(mode & 0o777).toBe(0o600);
    expect((await found()).sequence).toBe(2_000);
  }, 60_000);
});
