import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { RoomAhead } from './room-ahead.ts';

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
          for (const used of uses) await ahead.keep(used);
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
    await ahead.keep(8_192);
    const { length } = await readFile(file);
    expect(length).toBeGreaterThan(8_192);
    await ahead.keep(100_000);
    expect((await readFile(file)).length).toBe(length);
    await ahead.keep(length);
    expect((await readFile(file)).length).toBeGreaterThan(length);
    await ahead.close();
  });

  it('is silent where there is no file to write to', async () => {
    const ahead = new RoomAhead(join(dir, 'missing', 'data.mdb'));
    await expect(ahead.keep(0)).resolves.toBeUndefined();
    await ahead.close();
  });
});
