/**
 * The durable store: one LMDB environment per node, records under sequential slot numbers, one copy-on-write commit with one
 * flush per group of batches.
 *
 * What "durable" rests on. With lmdb's default `overlappingSync: true` a promise resolves once the transaction is
 * visible, before it is flushed. With `false` the writer thread runs LMDB's classic commit: data pages are
 * written, fdatasync, then the meta page is written through a descriptor opened with O_DSYNC, and only then does the
 * promise resolve (seen with strace in exactly that order). A crash at any point leaves the previous meta page, hence the
 * previous batch, whole.
 *
 * `eventTurnBatching: false`, because with it a failed commit rejects a second promise that nobody can reach, which
 * ends the process. For the same reason asynchronous `transaction()` is not used: after a failed commit it never settles.
 */
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { open, type RootDatabase } from 'lmdb';
import type { Storage, StoreBatch, StoreMeta } from '../ports.ts';
import { StorageCorruptError, StorageFailedError, StorageFormatError } from './errors.ts';
import { faultOfHead } from './lmdb-head.ts';
import { takeOwnership, type OwnerCell } from './ownership.ts';
import { seal, unseal } from './seal.ts';

const FORMAT = 'aethel-store/1';

/** Slots are ≥ 0. What describes them lives left of them, so that the rightmost page stays append-only. */
const META_KEY = -1;
const FORMAT_KEY = -2;
const OWNER_KEY = -3;

/** With less room than this left, a short write is taken for a full disk. A guess: the largest batches are of this order. */
const ROOM_BYTES_MIN = 4_194_304;

interface Waiting {
  readonly batch: StoreBatch;
  readonly resolve: () => void;
  readonly reject: (error: StorageFailedError) => void;
}

export class LmdbStorage implements Storage {
  readonly #db: RootDatabase<Buffer, number>;
  readonly #dir: string;
  readonly #release: () => Promise<void>;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #mustProbe = false;
  #closing: Promise<void> | null = null;

  private constructor(dir: string, db: RootDatabase<Buffer, number>, release: () => Promise<void>) {
    this.#dir = dir;
    this.#db = db;
    this.#release = release;
  }

  /**
   * Opens the store in `dir`, creating it (mode 0700) where there is none.
   *
   * @throws StorageLockedError another process has it; StorageFormatError another version wrote it;
   *   StorageCorruptError it is no LMDB file any more; StorageFailedError the disk refused
   */
  static async open(dir: string): Promise<LmdbStorage> {
    const path = resolvePath(dir);
    const db = openDatabase(path);
    try {
      const release = await takeOwnership(path, ownerCell(db));
      try {
        checkFormat(db, path);
        return new LmdbStorage(path, db, release);
      } catch (error) {
        await release();
        throw error;
      }
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  load(): ReturnType<Storage['load']> {
    this.#assertOpen();
    return { meta: readMeta(this.#db), records: readRecords(this.#db) };
  }

  commit(batch: StoreBatch): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Group commit: while one group is on its way to the disk, the next one gathers. When a group fails, everything
   * called before the failure was known fails with it, so that no batch is kept whose predecessor was lost. Later calls
   * try the disk anew (room may have come back): a failed transaction left nothing that a later one builds on.
   */
  async #flush(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(group.map(({ batch }) => batch));
        for (const { resolve } of group) resolve();
      } catch (error) {
        const failure = await failureOf(error, this.#dir);
        this.#mustProbe = true;
        const lost = [...group, ...this.#waiting];
        this.#waiting = [];
        for (const { reject } of lost) reject(failure);
      }
    }
    this.#flushing = null;
  }

  async #write(batches: readonly StoreBatch[]): Promise<void> {
    if (this.#mustProbe) {
      probe(this.#db);
      this.#mustProbe = false;
    }
    const written = this.#db.batch(() => {
      for (const batch of batches) {
        // oxlint-disable-next-line typescript/no-floating-promises -- the promise of the whole batch is awaited below
        for (const { slot, bytes } of batch.put) this.#db.put(slotKey(slot), Buffer.from(seal(slot, bytes)));
        // oxlint-disable-next-line typescript/no-floating-promises -- as above
        for (const slot of batch.remove) this.#db.remove(slotKey(slot));
      }
      const last = batches.at(-1);
      assert(last !== undefined, 'a group holds at least one batch');
      // oxlint-disable-next-line typescript/no-floating-promises -- as above
      this.#db.put(META_KEY, Buffer.from(seal(META_KEY, Buffer.from(JSON.stringify(last.meta)))));
    });
    await written;
  }

  async #close(): Promise<void> {
    await this.#flushing;
    await this.#db.close();
    await this.#release();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw closed();
  }
}

function openDatabase(dir: string): RootDatabase<Buffer, number> {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const fault = faultOfHead(join(dir, 'data.mdb'));
    if (fault !== null) throw new StorageCorruptError({ slot: null, detail: `${dir}/data.mdb: ${fault}` });
    const db = open<Buffer, number>({
      path: dir,
      noSubdir: false,
      encoding: 'binary',
      cache: false,
      overlappingSync: false,
      eventTurnBatching: false,
    });
    // the names of the files are durable too
    for (const path of [dir, dirname(dir)]) flushDirectory(path);
    return db;
  } catch (error) {
    if (error instanceof StorageCorruptError) throw error;
    throw failureOfSync(error);
  }
}

/** An environment that LMDB has given up refuses an empty transaction; its writer thread would hang on it instead. */
function probe(db: RootDatabase<Buffer, number>): void {
  try {
    db.transactionSync(() => undefined);
  } catch (cause) {
    throw new StorageFailedError(
      { code: 'MDB_PANIC', detail: 'LMDB gave up after a failed write' },
      { cause },
    );
  }
}

function ownerCell(db: RootDatabase<Buffer, number>): OwnerCell {
  const read = (): string | null => db.get(OWNER_KEY)?.toString('utf8') ?? null;
  return {
    read,
    swap: (expected, next) =>
      db.transactionSync(() => {
        if (read() !== expected) return false;
        db.putSync(OWNER_KEY, Buffer.from(next));
        return true;
      }),
  };
}

function checkFormat(db: RootDatabase<Buffer, number>, dir: string): void {
  const found = db.get(FORMAT_KEY)?.toString('utf8');
  if (found === FORMAT) return;
  const isNew =
    found === undefined && db.get(META_KEY) === undefined && db.getKeysCount({ start: 0, limit: 1 }) === 0;
  if (!isNew) throw new StorageFormatError({ dir, found: found?.slice(0, 80) ?? 'none', known: FORMAT });
  db.transactionSync(() => db.putSync(FORMAT_KEY, Buffer.from(FORMAT)));
}

function readMeta(db: RootDatabase<Buffer, number>): StoreMeta | null {
  const sealed = db.get(META_KEY);
  if (sealed === undefined) return null;
  const bytes = unseal(META_KEY, sealed);
  if (bytes === null) throw new StorageCorruptError({ slot: null, detail: 'checksum mismatch' });
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as StoreMeta;
}

function* readRecords(
  db: RootDatabase<Buffer, number>,
): Iterable<{ readonly slot: number; readonly bytes: Uint8Array }> {
  for (const { key: slot, value } of db.getRange({ start: 0 })) {
    const bytes = unseal(slot, value);
    if (bytes === null) throw new StorageCorruptError({ slot, detail: 'checksum mismatch' });
    yield { slot, bytes };
  }
}

function slotKey(slot: number): number {
  assert(Number.isSafeInteger(slot) && slot >= 0, `a slot is a whole number from 0 on, not ${slot}`);
  return slot;
}

function flushDirectory(path: string): void {
  // Windows can neither open a directory nor needs to
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * lmdb hides the cause of a failed commit behind a promise, `commitError`, which must be taken or it ends the process. A
 * write that a full disk cut short is EIO to LMDB; it is called by its name here.
 */
async function failureOf(error: unknown, dir: string): Promise<StorageFailedError> {
  let failure = failureOfSync(error);
  if (typeof error === 'object' && error !== null && 'commitError' in error) {
    try {
      await error.commitError;
    } catch (cause) {
      failure = failureOfSync(cause);
    }
  }
  if (failure.code !== 'EIO') return failure;
  const room = await statfs(dir).catch(() => null);
  if (room === null || room.bavail * room.bsize >= ROOM_BYTES_MIN) return failure;
  return new StorageFailedError({ code: 'ENOSPC', detail: 'the disk is full' }, { cause: failure });
}

const LMDB_CODES: Readonly<Record<number, string>> = {
  [-30797]: 'MDB_PAGE_NOTFOUND',
  [-30796]: 'MDB_CORRUPTED',
  [-30795]: 'MDB_PANIC',
  [-30794]: 'MDB_VERSION_MISMATCH',
  [-30793]: 'MDB_INVALID',
  [-30792]: 'MDB_MAP_FULL',
};

function failureOfSync(error: unknown): StorageFailedError {
  if (error instanceof StorageFailedError) return error;
  if (error instanceof assert.AssertionError) throw error;
  // told by shape: an error of Node's own may come from another realm
  const facts: { message?: unknown; code?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  const detail = typeof facts.message === 'string' ? facts.message : String(error);
  const { code } = facts;
  const name =
    typeof code === 'string'
      ? code
      : typeof code !== 'number'
        ? 'UNKNOWN'
        : code > 0
          ? getSystemErrorName(-code)
          : (LMDB_CODES[code] ?? `MDB_${code}`);
  return new StorageFailedError({ code: name, detail }, { cause: error });
}

function closed(): StorageFailedError {
  return new StorageFailedError({ code: 'CLOSED', detail: 'it has been closed' });
}
