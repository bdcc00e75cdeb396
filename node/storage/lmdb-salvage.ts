/**
 * Before LMDB opens a file: is it whole? Where it is not, what can still be reached is copied into a new file that takes the
 * place of the damaged one, which stays beside it as `data.mdb.damaged`. The tally among the copied entries
 * (tally.ts) still says what was there before, so that the loss is known at every start until it is made good. Where that
 * is lost too, nothing is copied: the store begins anew, knowing that it lost everything.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { StorageCorruptError } from './errors.ts';
import { LmdbFile, type FileEntry, type PageFault } from './lmdb-file.ts';
import { ACCEPT_LOSS_FILE } from '../ports.ts';
import { JOURNAL_NAME } from './journal.ts';
import { takeAlone } from './ownership.ts';

/** In a store's directory; LMDB gives the name. */
export const FILE_NAME = 'data.mdb';
const DRAFT_NAME = 'data.mdb.draft';
const DAMAGED_NAME = 'data.mdb.damaged';

/** Named one by one; beyond, only counted. */
const FAULTS_NAMED_MAX = 20;
/** Entries copied in one transaction. A guess: a few MB. */
const COPIED_AT_ONCE = 10_000;

/** Exports that lmdb's types leave out. */
const { bufferToKeyValue, keyValueToBuffer } = lmdb as unknown as {
  readonly bufferToKeyValue: (key: Buffer) => unknown;
  readonly keyValueToBuffer: (key: number) => Buffer;
};

export interface ExamineOptions {
  /** Whether a damaged file may be replaced by what is left of it. */
  readonly maySalvage: boolean;
  /** Whether a store was made here once: no file, or an empty one, is damage then. */
  readonly isExpected: boolean;
  /** Entries that no store can be without, and what stands for them where they are lost, and all others with them. */
  readonly vital: ReadonlyMap<number, Buffer>;
}

/**
 * @returns what was found and done, as sentences; none where the file is whole or there is none
 * @throws StorageCorruptError damaged, and it may not be salvaged; StorageLockedError another process is at it
 */
export async function examine(
  dir: string,
  { maySalvage, isExpected, vital }: ExamineOptions,
): Promise<readonly string[]> {
  const glance = look(dir, { isExpected, vital });
  glance.close();
  if (glance.faults.length === 0) return [];
  if (!existsSync(dir)) {
    if (!maySalvage) throw corrupt(dir, glance.faults);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  const release = await takeAlone(dir);
  // now that nobody else is at it: what was seen may have been a file in the making
  const { faults, left, close } = look(dir, { isExpected, vital });
  try {
    if (faults.length === 0) return [];
    if (!maySalvage) throw corrupt(dir, faults);
    await replace(dir, left);
  } finally {
    close();
    await release();
  }
  return [...faults, `what was left of it was saved; ${join(dir, DAMAGED_NAME)} is the damaged file, if any`];
}

/** What is wrong with the file, and what a new one would begin with. */
function look(
  dir: string,
  { isExpected, vital }: Pick<ExamineOptions, 'isExpected' | 'vital'>,
): { readonly faults: readonly string[]; readonly left: Iterable<FileEntry>; readonly close: () => void } {
  const file = LmdbFile.open(join(dir, FILE_NAME));
  const nothing = { left: entriesOf(vital), close: () => undefined };
  if (file === null) return { faults: isExpected || hasTraces(dir) ? absence(dir) : [], ...nothing };
  if (typeof file === 'string') return { faults: [file], ...nothing };
  const close = (): void => file.close();
  const faults = new Faults();
  const missing = new Set(vital.keys());
  for (const { key } of file.entries((fault) => faults.note(fault), isKey)) {
    if (missing.size > 0) missing.delete(Number(bufferToKeyValue(key)));
  }
  if (missing.size === 0 || faults.told().length === 0)
    return { faults: faults.told(), left: file.entries(() => undefined, isKey), close };
  const told = ['what describes the records is lost', ...faults.told()];
  return { faults: told, left: entriesOf(vital), close };
}

/** What no store leaves behind whose file was not durable before. */
function hasTraces(dir: string): boolean {
  return [JOURNAL_NAME, DAMAGED_NAME].some((name) => existsSync(join(dir, name)));
}

/** What is to be said of a file that should be there; nothing where it is, and cannot be read: LMDB names that error. */
function absence(dir: string): readonly string[] {
  const beside = existsSync(join(dir, JOURNAL_NAME)) ? ', though its journal is there' : '';
  try {
    const { size } = statSync(join(dir, FILE_NAME));
    return size === 0 ? [`the file is empty${beside}: a store was made here, and all of it is lost`] : [];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return [];
    return [`the file is missing${beside}: a store was made here, and all of it is lost`];
  }
}

function* entriesOf(vital: ReadonlyMap<number, Buffer>): Iterable<FileEntry> {
  for (const [key, value] of [...vital].toSorted(([a], [b]) => a - b)) {
    yield { key: Buffer.from(keyValueToBuffer(key)), value: () => value };
  }
}

/** A new file with these entries in the place of the damaged one, whole at every instant. */
async function replace(dir: string, entries: Iterable<FileEntry>): Promise<void> {
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
    const iterator = entries[Symbol.iterator]();
    for (let next = iterator.next(); next.done !== true;) {
      db.transactionSync(() => {
        for (let count = 0; count < COPIED_AT_ONCE && next.done !== true; count += 1) {
          db.putSync(next.value.key, Buffer.from(next.value.value()));
          next = iterator.next();
        }
      });
    }
  } finally {
    await db.close();
  }
  flush(draft);
  // one name for both would leave an instant without a store, which is an empty one to the next start
  rmSync(damaged, { force: true });
  if (existsSync(join(dir, FILE_NAME))) linkSync(join(dir, FILE_NAME), damaged);
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
    return [...told, ...(this.#untold === 0 ? [] : [`and ${this.#untold} more`])];
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
  const room = key.length === 0 ? undefined : ROOMS[key.length];
  if (room === undefined) return false;
  for (let i = 0; i < key.length; i += 1) room[i] = key[i] ?? 0;
  try {
    return Number.isSafeInteger(bufferToKeyValue(room));
  } catch {
    return false;
  }
}

/** A number as lmdb writes it. */
const KEY_BYTES_MAX = 10;
/** By length. Reading a key hangs a view on its bytes, which for a million keys takes longer than all else. */
const ROOMS = Array.from({ length: KEY_BYTES_MAX + 1 }, (_, length) => Buffer.alloc(length));

function corrupt(dir: string, details: readonly string[]): StorageCorruptError {
  const advice =
    'Restore a backup of the state directory; or configure members, and the node heals from them; ' +
    `or make an empty file ${ACCEPT_LOSS_FILE} in the state directory to go on with what is left.`;
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
