/**
 * Before LMDB opens a file: is it whole? Where it is not, what can still be reached is copied into a new file that takes the
 * place of the damaged one, which stays beside it as `data.mdb.damaged`. The tally among the copied entries
 * (tally.ts) still says what was there before, so that the loss is known at every start until it is made good.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { StorageCorruptError } from './errors.ts';
import { LmdbFile, type PageFault } from './lmdb-file.ts';
import { takeAlone } from './ownership.ts';

export const FILE_NAME = 'data.mdb';
const DRAFT_NAME = 'data.mdb.draft';
const DAMAGED_NAME = 'data.mdb.damaged';

/** Named one by one; beyond, only counted. */
const FAULTS_NAMED_MAX = 20;
/** Entries copied in one transaction. A guess: a few MB. */
const COPIED_AT_ONCE = 10_000;

/** An export that lmdb's types leave out. */
const { bufferToKeyValue } = lmdb as unknown as { readonly bufferToKeyValue: (key: Buffer) => unknown };

/**
 * @param vital keys of entries that a store cannot be without
 * @param maySalvage whether a damaged file may be replaced by what is left of it
 * @returns what was found and done, as sentences; none where the file is whole or there is none
 * @throws StorageCorruptError damaged, and it may not or cannot be salvaged; StorageLockedError another process is at it
 */
export async function examine(
  dir: string,
  vital: readonly number[],
  maySalvage: boolean,
): Promise<readonly string[]> {
  const file = LmdbFile.open(join(dir, FILE_NAME));
  if (file === null) return [];
  if (typeof file === 'string') throw corrupt(dir, [file]);
  try {
    const faults = new Faults();
    const missing = new Set(vital);
    let entries = 0;
    for (const { key } of file.entries((fault) => faults.note(fault), isKey)) {
      entries += 1;
      missing.delete(Number(bufferToKeyValue(key)));
    }
    const found = faults.told();
    if (found.length === 0) return [];
    const release = await takeAlone(dir);
    try {
      if (entries === 0 || missing.size > 0) throw corrupt(dir, ['what describes the records is lost', ...found]);
      if (!maySalvage) throw corrupt(dir, found);
      await copy(file, dir);
    } finally {
      await release();
    }
    return [...found, `what was left of it was saved; ${join(dir, DAMAGED_NAME)} is the damaged file`];
  } finally {
    file.close();
  }
}

async function copy(file: LmdbFile, dir: string): Promise<void> {
  const draft = join(dir, DRAFT_NAME);
  const damaged = join(dir, DAMAGED_NAME);
  for (const path of [draft, `${draft}-lock`]) rmSync(path, { force: true });
  const db = lmdb.open<Buffer, Buffer>({
    path: draft,
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
  });
  try {
    const entries = file.entries(() => undefined, isKey)[Symbol.iterator]();
    for (let next = entries.next(); next.done !== true; ) {
      db.transactionSync(() => {
        for (let count = 0; count < COPIED_AT_ONCE && next.done !== true; count += 1) {
          db.putSync(next.value.key, Buffer.from(next.value.value()));
          next = entries.next();
        }
      });
    }
  } finally {
    await db.close();
  }
  flush(draft);
  // one name for both would leave an instant without a store, which is an empty one to the next start
  rmSync(damaged, { force: true });
  linkSync(join(dir, FILE_NAME), damaged);
  renameSync(draft, join(dir, FILE_NAME));
  rmSync(`${draft}-lock`, { force: true });
  if (process.platform !== 'win32') flush(dir);
}

/** Neighbouring gaps are one, as long as nothing sound lies between them. */
class Faults {
  readonly #told: { pages: number[]; detail: string; between: PageFault['between'] }[] = [];
  #untold = 0;

  note({ page, detail, between }: PageFault): void {
    const last = this.#told.at(-1);
    if (last !== undefined && last.detail === detail && isSame(last.between[0], between[0])) {
      last.pages.push(page);
      last.between = [between[0], between[1]];
    } else if (this.#told.length < FAULTS_NAMED_MAX) {
      this.#told.push({ pages: [page], detail, between: [copyOf(between[0]), copyOf(between[1])] });
    } else this.#untold += 1;
  }

  told(): readonly string[] {
    const told = this.#told.map(({ pages, detail, between }) => {
      const more = pages.length > 1 ? ` and ${pages.length - 1} more pages` : '';
      return `page ${pages[0]}${more} (${slots(between)}) ${detail}`;
    });
    return this.#untold === 0 ? told : [...told, `and ${this.#untold} more`];
  }
}

function slots([before, after]: PageFault['between']): string {
  const from = before === null ? null : Number(bufferToKeyValue(before));
  const to = after === null || after.length === 0 ? null : Number(bufferToKeyValue(after));
  if (from === null && to === null) return 'no slot can be told';
  if (from === to) return `slot ${from}`;
  if (from === null) return `slots below ${to}`;
  return to === null ? `slots above ${from}` : `slots above ${from} and below ${to}`;
}

/** Keys are slots, and what describes them left of those: whole numbers as lmdb writes them. */
function isKey(key: Buffer): boolean {
  try {
    return Number.isSafeInteger(bufferToKeyValue(key));
  } catch {
    return false;
  }
}

function corrupt(dir: string, details: readonly string[]): StorageCorruptError {
  const advice =
    'Restore a backup of the state directory; or take it away, identity included, and the node comes back as a new one with what its members have.';
  return new StorageCorruptError({
    slot: null,
    detail: `${join(dir, FILE_NAME)}: ${details.join('; ')}. ${advice}`,
  });
}

function isSame(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

function copyOf(key: Buffer | null): Buffer | null {
  return key === null ? null : Buffer.from(key);
}

function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
