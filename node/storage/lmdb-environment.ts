/**
 * The LMDB environment of a store: where its own entries stand beside the records, and how it is opened. A process may open it
 * several times, in threads of its own too: it stays one environment.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { StorageCorruptError } from './errors.ts';
import { failureOfSync } from './lmdb-failure.ts';
import { seal, unseal } from './seal.ts';
import { decodeDescribed, encodeDescribed, type Described } from './store-meta.ts';

export type Database = RootDatabase<Buffer, number>;

/** Slots are ≥ 0. What describes them lives left of them, so that the rightmost page stays append-only. */
export const META_KEY = -1;
export const FORMAT_KEY = -2;
export const OWNER_KEY = -3;
/** names the frames of the journal that are not here yet; absent where none are */
export const JOURNAL_KEY = -4;

/**
 * lmdb reads into memory that it uses again, and by itself copies every value out of it: at a start a million copies, which are
 * garbage at once. Here a value is looked at where it lies; it is good until the next one is read.
 */
const IN_PLACE = {
  encode: (value: Buffer): Buffer => value,
  /** @param bytes whose `length` lmdb has set to that of the value; the memory goes on behind it */
  decode: (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length),
};

/** @throws StorageFailedError */
export function openDatabase(dir: string): Database {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const db = open<Buffer, number>({
      path: dir,
      noSubdir: false,
      encoding: 'binary',
      encoder: IN_PLACE,
      cache: false,
      overlappingSync: false,
      eventTurnBatching: false,
    });
    // the names of the files are durable too
    for (const path of [dir, dirname(dir)]) flushDirectory(path);
    return db;
  } catch (error) {
    throw failureOfSync(error);
  }
}

export function readDescribed(db: Database): Described | null {
  const sealed = db.get(META_KEY);
  if (sealed === undefined) return null;
  const bytes = unseal(META_KEY, sealed);
  if (bytes === null) throw new StorageCorruptError({ slot: null, detail: 'checksum mismatch' });
  return decodeDescribed(bytes);
}

export function sealedMeta(described: Described): Buffer {
  return seal(META_KEY, encodeDescribed(described));
}

/** No slot beyond it is in use; -1 where there is none. */
export function slotMaxOf(db: Database): number {
  return [...db.getKeys({ reverse: true, limit: 1 })][0] ?? -1;
}

/** The names of the files in it are durable. */
export function flushDirectory(path: string): void {
  // Windows can neither open a directory nor needs to
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
