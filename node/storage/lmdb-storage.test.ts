import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { WRITERS } from '../../test/fixtures/open-store.ts';
import { LmdbFile, type PageFault } from './lmdb-file.ts';
import { LmdbStorage } from './lmdb-storage.ts';

const WITHOUT_ROOM = fileURLToPath(new URL('../../test/fixtures/storage-full.ts', import.meta.url));
const WRITER = fileURLToPath(new URL('../../test/fixtures/storage-writer.ts', import.meta.url));
const META = { sequence: 1, wallMs: 1, counter: 0, knowledge: null };

describe('LmdbStorage', () => {
  let parent: string;
  let dir: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'aethel-store-'));
    dir = join(parent, 'state');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  it.each(WRITERS)(
    'loses no promised batch and keeps no half of one when it is killed in the middle of commits, written by %s',
    async (writtenBy) => {
      let promised = 0;
      for (let round = 0; round < 20; round += 1) {
        const child = spawn(process.execPath, ['--no-warnings', WRITER, dir, writtenBy], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        // another instant of the commit cycle each round
        promised = Math.max(promised, await killAfterLines(child, 1 + round * 7));
        const storage = await LmdbStorage.open(dir);
        const { meta, records } = storage.load();
        const texts = new Map(
          Array.from(records, ({ slot, bytes }) => [slot, Buffer.from(bytes).toString('utf8').trim()]),
        );
        const last = meta?.sequence ?? 0;
        expect(last).toBeGreaterThanOrEqual(promised);
        expect([0, 1, 2].map((slot) => texts.get(slot))).toEqual([last, last, last].map(String));
        expect(texts.size).toBe(last + 3);
        for (let n = 1; n <= last; n += 1) expect(texts.get(n + 10)).toBe(String(n));
        promised = last;
        await storage.close();
      }
    },
    120_000,
  );

  it('refuses a directory that a living process has open, and takes it over when that one is killed', async () => {
    const child = spawn(process.execPath, ['--no-warnings', WRITER, dir, 'caller'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    const refused = LmdbStorage.open(dir);
    await expect(refused).rejects.toMatchObject({ name: 'StorageLockedError', code: 'LOCKED' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const storage = await LmdbStorage.open(dir);
    await storage.close();
  });

  it('lets exactly one of several starters have the directory', async () => {
    const opened = await Promise.allSettled([1, 2, 3, 4, 5].map(() => LmdbStorage.open(dir)));
    const winners = opened.filter((result) => result.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await Promise.all(winners.map(({ value }) => value.close()));
    const again = await LmdbStorage.open(dir);
    await again.close();
  });

  it('leaves no socket behind, and works in a directory whose path is too long for one', async () => {
    const deep = join(dir, 'd'.repeat(100), 'e'.repeat(100));
    const storage = await LmdbStorage.open(deep);
    await expect(LmdbStorage.open(deep)).rejects.toMatchObject({ code: 'LOCKED' });
    await storage.close();
    expect((await readdir(deep)).toSorted()).toEqual(['data.mdb', 'lock.mdb']);
  });

  it('makes its directory for the owner alone', async () => {
    const storage = await LmdbStorage.open(dir);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    await storage.close();
  });

  it('says which format it found when it is not its own', async () => {
    const db = open<Buffer, number>({ path: dir, noSubdir: false, encoding: 'binary' });
    await db.put(-2, Buffer.from('aethel-store/99'));
    await db.close();
    const opened = LmdbStorage.open(dir);
    await expect(opened).rejects.toMatchObject({
      name: 'StorageFormatError',
      message: expect.stringMatching(/aethel-store\/99.*aethel-store\/4/),
    });
  });

  it('takes over a store of the format before', async () => {
    const storage = await LmdbStorage.open(dir);
    await storage.commit({ put: [{ slot: 1, bytes: Buffer.from('old') }], remove: [], meta: META });
    await storage.close();
    const db = open<Buffer, number>({ path: dir, noSubdir: false, encoding: 'binary' });
    const format = db.get(-2)?.toString();
    await db.put(-2, Buffer.from('aethel-store/2'));
    await db.close();
    const again = await LmdbStorage.open(dir);
    expect(copied(again.load().records).map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['old']);
    await again.close();
    const after = open<Buffer, number>({ path: dir, noSubdir: false, encoding: 'binary' });
    expect(after.get(-2)?.toString()).toBe(format);
    await after.close();
  });

  it.each([
    ['other bytes', (): Buffer => Buffer.alloc(100_000, 'x')],
    ['a few bytes', (): Buffer => Buffer.from('abc')],
    ['its first page only', (whole: Buffer): Buffer => whole.subarray(0, 4096)],
    ['a broken second page', (whole: Buffer): Buffer => Buffer.from(whole).fill(0, 4096, 8192)],
  ])('says so when the file holds %s', async (_what, change) => {
    const storage = await LmdbStorage.open(dir);
    await storage.close();
    const file = join(dir, 'data.mdb');
    await writeFile(file, change(await readFile(file)));
    await expect(LmdbStorage.open(dir)).rejects.toMatchObject({ name: 'StorageCorruptError', slot: null });
  });

  describe('whose file is damaged', () => {
    const SLOTS = 2_000;
    let file: string;
    let whole: Buffer;
    beforeEach(async () => {
      const storage = await LmdbStorage.open(dir);
      for (let from = 1; from <= SLOTS; from += 100) {
        const slots = Array.from({ length: 100 }, (_, i) => from + i);
        await storage.commit({
          put: slots.map((slot) => ({ slot, bytes: Buffer.from(valueOf(slot)) })),
          remove: [],
          meta: META,
        });
      }
      await storage.close();
      file = join(dir, 'data.mdb');
      whole = withoutRoomAhead(await readFile(file));
    });

    it('loses nothing when only the room that was written ahead is cut off', async () => {
      expect((await readFile(file)).length - whole.length).toBeGreaterThan(0);
      await writeFile(file, whole);
      const storage = await LmdbStorage.open(dir);
      expect(storage.repairs).toEqual([]);
      expect([...storage.load().records]).toHaveLength(SLOTS);
      await storage.commit({
        put: [{ slot: SLOTS + 1, bytes: Buffer.from('new') }],
        remove: [],
        meta: META,
      });
      expect([...storage.load().records]).toHaveLength(SLOTS + 1);
      await storage.close();
    });

    /** The page that the newest copy of a value stands on, filled with a byte from an offset on. */
    const spoil = (slot: number, from: number, byte: number): Buffer => {
      const spoiled = Buffer.from(whole);
      const at = spoiled.lastIndexOf(valueOf(slot));
      const page = at - (at % 4096);
      return spoiled.fill(byte, page + from, page + 4096);
    };

    it.each([
      ['a page of zeros', () => spoil(1000, 0, 0)],
      ['a page of ones behind its head', () => spoil(1000, 24, 0xff)],
    ])(
      'stays closed and says which slots are gone, or gives the others when it may: %s',
      async (_what, change) => {
        const damaged = change();
        await writeFile(file, damaged);
        await expect(LmdbStorage.open(dir)).rejects.toMatchObject({
          name: 'StorageCorruptError',
          message: expect.stringMatching(/slots above 9\d\d and below 10\d\d/),
        });
        expect((await readFile(file)).equals(damaged)).toBe(true);

        const storage = await LmdbStorage.open(dir, { salvage: true });
        const details: string[] = [];
        const kept = copied(storage.load(({ detail }) => details.push(detail)).records);
        expect(kept.length).toBeGreaterThan(SLOTS - 20);
        expect(kept.length).toBeLessThan(SLOTS);
        for (const { slot, bytes } of kept) expect(Buffer.from(bytes).toString()).toBe(valueOf(slot));
        expect(details.join()).toMatch(/2000 records should be there.*slots above 9\d\d and below 10\d\d/);
        await storage.close();
        expect((await readFile(join(dir, 'data.mdb.damaged'))).equals(damaged)).toBe(true);

        // the loss is still known at the next start, which has nothing to salvage
        const again = await LmdbStorage.open(dir);
        expect(() => [...again.load().records]).toThrow(
          expect.objectContaining({ name: 'StorageCorruptError' }),
        );
        await again.close();
      },
    );

    it.each([0.002, 0.3, 0.5, 0.99])(
      'never opens one that is cut short to %f of its length',
      async (share) => {
        const short = whole.subarray(0, Math.floor(whole.length * share));
        await writeFile(file, short);
        await expect(LmdbStorage.open(dir)).rejects.toMatchObject({
          name: 'StorageCorruptError',
          slot: null,
        });

        // where it may, it begins anew, knowing that it lost everything
        const storage = await LmdbStorage.open(dir, { salvage: true });
        const faults: number[] = [];
        const records = (): number => [...storage.load(({ slot }) => faults.push(slot ?? -1)).records].length;
        expect(records()).toBeLessThan(SLOTS);
        expect(faults).toEqual([-1]);
        await storage.commit({ put: [{ slot: 9_999, bytes: Buffer.from('new') }], remove: [], meta: META });
        records();
        expect(faults).toEqual([-1, -1]);
        await storage.mend();
        expect(records()).toBeGreaterThan(0);
        expect(faults).toHaveLength(2);
        await storage.close();
      },
    );

    it('finds a head that went back by itself', async () => {
      // the transaction number of one of the two heads
      const at = 4096 + 24 + 24 + 96 + 8;
      const spoiled = Buffer.from(whole);
      spoiled[at] = (spoiled[at] ?? 0) ^ 4;
      await writeFile(file, spoiled);
      const opened = LmdbStorage.open(dir);
      await expect(opened).rejects.toMatchObject({
        name: 'StorageCorruptError',
        message: expect.stringContaining('do not follow each other'),
      });
    });

    it('survives any one flipped bit: it is refused, reported, or changes nothing', async () => {
      let harmless = 0;
      for (let round = 0; round < 120; round += 1) {
        const spoiled = Buffer.from(whole);
        // spread over the file by a step that shares no factor with its length
        const bit = (round * 1_000_003) % (spoiled.length * 8);
        spoiled[bit >> 3] = (spoiled[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await rm(dir, { recursive: true });
        await mkdir(dir);
        await writeFile(file, spoiled);
        try {
          const storage = await LmdbStorage.open(dir);
          try {
            const kept = copied(storage.load().records);
            expect(kept).toHaveLength(SLOTS);
            for (const { slot, bytes } of kept) expect(Buffer.from(bytes).toString()).toBe(valueOf(slot));
            harmless += 1;
          } finally {
            await storage.close();
          }
        } catch (error) {
          expect(error).toMatchObject({ name: 'StorageCorruptError' });
        }
      }
      // old copies of pages and free space
      expect(harmless).toBeGreaterThan(0);
      expect(harmless).toBeLessThan(120);
    }, 60_000);

    it('is salvaged by nobody while a living process has it', async () => {
      const storage = await LmdbStorage.open(dir);
      await writeFile(join(parent, 'spoiled'), spoil(1000, 0, 0));
      // the owner keeps its file, under the same directory another one is put in place
      await rename(join(parent, 'spoiled'), file);
      await expect(LmdbStorage.open(dir, { salvage: true })).rejects.toMatchObject({
        name: 'StorageLockedError',
      });
      await storage.close();
    });
  });

  it('finds no fault with a sound file, after any of many transactions that free pages', async () => {
    const storage = await LmdbStorage.open(dir);
    for (let n = 1; n <= 600; n += 1) {
      const remove = n > 40 ? [n - 40, n - 20] : [];
      // every value of another size, some on pages of their own
      const bytes = Buffer.alloc((n * 1_237) % 9_000, n);
      await storage.commit({ put: [{ slot: n, bytes }], remove, meta: { ...META, sequence: n } });
      const file = LmdbFile.open(join(dir, 'data.mdb'));
      if (file === null || typeof file === 'string') throw new Error(String(file));
      const faults: PageFault[] = [];
      const entries = [
        ...file.entries(
          (fault) => faults.push(fault),
          () => true,
        ),
      ];
      file.close();
      expect(faults).toEqual([]);
      expect(entries.length).toBeGreaterThan(3);
    }
    await storage.close();
  }, 60_000);

  it('names the error when the directory cannot be made', async () => {
    await writeFile(join(parent, 'file'), '');
    await expect(LmdbStorage.open(join(parent, 'file', 'state'))).rejects.toMatchObject({
      name: 'StorageFailedError',
      code: 'ENOTDIR',
    });
  });

  it.each(WRITERS)(
    'fails the batches that found no room, and stays readable, written by %s',
    async (writtenBy) => {
      // a limit on the size of files stands in for a full disk
      const child = spawn(
        'sh',
        ['-c', 'ulimit -f 1000; exec "$0" "$@"', process.execPath, WRITER, dir, writtenBy, '3000'],
        {
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
      const lines: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) lines.push(line);
      const promised = lines.filter((line) => !line.startsWith('failed')).length;
      expect(promised).toBeGreaterThan(0);
      const failed = lines.slice(promised);
      expect(failed).toHaveLength(4);
      for (const line of failed) expect(line).toBe(`failed EFBIG ${promised + 3}`);
      const storage = await LmdbStorage.open(dir);
      expect([...storage.load().records]).toHaveLength(promised + 3);
      await storage.commit({ put: [{ slot: 5, bytes: Buffer.from('room again') }], remove: [], meta: META });
      await storage.close();
    },
  );

  it.each(WRITERS)(
    'lives through thousands of commits that find no room, of which LMDB would die, written by %s',
    async (writtenBy) => {
      const args = [
        '-c',
        'ulimit -f 16000; exec "$0" "$@"',
        process.execPath,
        WITHOUT_ROOM,
        dir,
        writtenBy,
        '3500',
      ];
      const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      const lines: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) lines.push(line);
      expect(await ended).toEqual([0, null]);
      expect(lines).toEqual([expect.stringMatching(/^some refused, (\d+) of \1 records$/)]);
    },
    60_000,
  );
});

/** @returns the greatest number that the child printed */
async function killAfterLines(child: ChildProcess, count: number): Promise<number> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  let lines = 0;
  let greatest = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    lines += 1;
    greatest = Math.max(greatest, Number(line));
    if (lines === count) child.kill('SIGKILL');
  }
  expect(lines).toBeGreaterThanOrEqual(count);
  return greatest;
}

/** A record's bytes are good until the next one is asked for. */
function copied(records: ReturnType<LmdbStorage['load']>['records']): { slot: number; bytes: Uint8Array }[] {
  return Array.from(records, ({ slot, bytes }) => ({ slot, bytes: Buffer.from(bytes) }));
}

function valueOf(slot: number): string {
  return `value-${slot}-`.padEnd(300, 'x');
}

/** The pages up to the last that LMDB has written. */
function withoutRoomAhead(file: Buffer): Buffer {
  let end = file.length;
  while (end > 0 && file[end - 1] === 0) end -= 1;
  return file.subarray(0, Math.ceil(end / 4096) * 4096);
}
