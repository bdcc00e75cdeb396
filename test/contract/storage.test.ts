/**
 * The stores through the contract suite.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { LmdbStorage } from '../../node/storage/lmdb-storage.ts';
import { MemoryStorage, newMemoryDisk } from '../../node/storage/memory-storage.ts';
import { openStore, WRITERS } from '../fixtures/open-store.ts';
import { describeStorage, type StorageWorld } from './storage.ts';

describeStorage('MemoryStorage', async () => {
  const disk = newMemoryDisk();
  return {
    open: async () => new MemoryStorage(disk),
    damage: async (slot) => flipOneBit(disk.records.get(slot)),
    lose: async (slot) => expect(disk.records.delete(slot)).toBe(true),
    dispose: async () => undefined,
  };
});

for (const writtenBy of WRITERS)
  describeStorage(`LmdbStorage, written by ${writtenBy}`, () =>
    lmdbWorld((dir) => openStore(dir, writtenBy)),
  );

async function lmdbWorld(opening: (dir: string) => Promise<LmdbStorage>): Promise<StorageWorld> {
  const parent = await mkdtemp(join(tmpdir(), 'aethel-store-'));
  const dir = join(parent, 'state');
  return {
    open: () => opening(dir),
    damage: async (_slot, bytes) => {
      const file = join(dir, 'data.mdb');
      const content = await readFile(file);
      // copy-on-write leaves older copies of a page behind: all of them are damaged
      let found = 0;
      for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) {
        flipOneBit(content.subarray(at, at + bytes.length));
        found += 1;
      }
      expect(found).toBeGreaterThan(0);
      await writeFile(file, content);
    },
    lose: async (slot) => {
      const db = open<Buffer, number>({ path: dir, noSubdir: false, encoding: 'binary' });
      expect(await db.remove(slot)).toBe(true);
      await db.close();
    },
    dispose: () => rm(parent, { recursive: true, force: true }),
  };
}

function flipOneBit(bytes: Uint8Array | undefined): void {
  const middle = bytes === undefined ? -1 : bytes.length >> 1;
  const byte = bytes?.[middle];
  if (bytes === undefined || byte === undefined) throw new Error('nothing to damage');
  bytes[middle] = byte ^ 1;
}
