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
import type { Storage, StoreBatch, StoreFault } from '../ports.ts';
import { StorageCorruptError, StorageFailedError, StorageFormatError } from './errors.ts';
import { examine, FILE_NAME } from './lmdb-salvage.ts';
import { takeOwnership, type OwnerCell } from './ownership.ts';
import { RoomAhead, roomFor, type CommitSize } from './room-ahead.ts';
import { contentOf, seal, sealOf, unseal } from './seal.ts';
import { decodeDescribed, encodeDescribed, type Described } from './store-meta.ts';
import {
  difference,
  faultOfTally,
  RunningTally,
  TALLY_LOST,
  TALLY_ZERO,
  withoutRecord,
  withRecord,
  type Tally,
} from './tally.ts';

const FORMAT = 'aethel-store/3';
/** What reads the values tells theirs from ours; it is ours from now on. */
const FORMAT_BEFORE = 'aethel-store/2';

/** Slots are ≥ 0. What describes them lives left of them, so that the rightmost page stays append-only. */
const META_KEY = -1;
const FORMAT_KEY = -2;
const OWNER_KEY = -3;

/** With less room than this left, a short write is taken for a full disk. A guess: the largest batches are of this order. */
const ROOM_BYTES_MIN = 4_194_304;

/** What a store begins with that has lost everything: sequence and clock are as a new node's, who must not rely on them. */
const VITAL: ReadonlyMap<number, Buffer> = new Map([
  [FORMAT_KEY, Buffer.from(FORMAT)],
  [
    META_KEY,
    sealedMeta({ meta: { sequence: 0, wallMs: 0, counter: 0, knowledge: null }, tally: TALLY_LOST }),
  ],
]);

export interface LmdbStorageOptions {
  /** Whether a damaged file may be replaced by what is left of it; default false: then it stays, and opening it fails. */
  readonly salvage: boolean;
}

interface Waiting {
  /** null: drop what the last load found damaged */
  readonly batch: StoreBatch | null;
  readonly resolve: () => void;
  readonly reject: (error: StorageFailedError) => void;
}

export class LmdbStorage implements Storage {
  readonly #db: RootDatabase<Buffer, number>;
  readonly #dir: string;
  readonly #release: () => Promise<void>;
  readonly #ahead: RoomAhead;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #mustProbe = false;
  #closing: Promise<void> | null = null;
  /** What was found and done to the file before it was opened, as sentences. */
  readonly repairs: readonly string[];
  /** what the store says of itself, as far as it is durable; undefined: to be read */
  #described: Described | null | undefined = undefined;
  /** no slot beyond this one is in use */
  #slotMax: number;
  /** found by the last load, and still there */
  #damaged: ReadonlySet<number> = new Set();
  /** what the last load missed: the tally as it is kept, less what was sound */
  #loss: Tally = TALLY_ZERO;

  private constructor(
    dir: string,
    db: RootDatabase<Buffer, number>,
    release: () => Promise<void>,
    repairs: readonly string[],
  ) {
    this.#dir = dir;
    this.#db = db;
    this.#release = release;
    this.#ahead = new RoomAhead(join(dir, FILE_NAME));
    this.repairs = repairs;
    this.#slotMax = [...db.getKeys({ reverse: true, limit: 1 })][0] ?? -1;
  }

  /**
   * Opens the store in `dir`, creating it (mode 0700) where there is none.
   *
   * @throws StorageLockedError another process has it; StorageFormatError another version wrote it;
   *   StorageCorruptError it is no LMDB file any more; StorageFailedError the disk refused
   */
  static async open(dir: string, options: LmdbStorageOptions = { salvage: false }): Promise<LmdbStorage> {
    const path = resolvePath(dir);
    const repairs = await examine(path, { maySalvage: options.salvage, vital: VITAL });
    const db = openDatabase(path);
    try {
      const release = await takeOwnership(path, ownerCell(db));
      try {
        checkFormat(db, path);
        return new LmdbStorage(path, db, release, repairs);
      } catch (error) {
        await release();
        throw error;
      }
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  load(damaged?: (fault: StoreFault) => void): ReturnType<Storage['load']> {
    this.#assertOpen();
    return { meta: readDescribed(this.#db)?.meta ?? null, records: this.#records(damaged ?? raise) };
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#enqueue(batch);
  }

  mend(): Promise<void> {
    return this.#enqueue(null);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  *#records(
    damaged: (fault: StoreFault) => void,
  ): Iterable<{ readonly slot: number; readonly bytes: Uint8Array }> {
    // Of one snapshot: the range is begun in the same turn of the event loop, and keeps its own to the end.
    const claimed = readDescribed(this.#db)?.tally ?? TALLY_ZERO;
    const bad = new Set<number>();
    const found = new RunningTally();
    for (const { key: slot, value } of this.#db.getRange({ start: 0 })) {
      const bytes = unseal(slot, value);
      if (bytes === null) {
        bad.add(slot);
        damaged({ slot, detail: 'checksum mismatch', bytes: Buffer.from(contentOf(value)) });
      } else {
        found.add(sealOf(value));
        yield { slot, bytes };
      }
    }
    this.#damaged = bad;
    this.#loss = difference(claimed, found);
    const fault = faultOfTally(claimed, found, bad.size);
    if (fault !== null) damaged({ slot: null, detail: [fault, ...this.repairs].join('; '), bytes: null });
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

  #enqueue(batch: StoreBatch | null): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #write(batches: readonly (StoreBatch | null)[]): Promise<void> {
    if (this.#mustProbe) {
      probe(this.#db);
      // a commit that failed may have reached the disk all the same
      this.#described = undefined;
      this.#mustProbe = false;
    }
    if (this.#described === undefined) this.#described = readDescribed(this.#db);
    const slotMax = this.#slotMax;
    const plan = this.#plan(batches);
    const meta = plan.described === null ? null : sealedMeta(plan.described);
    const pages = pagesOf(this.#db);
    await this.#ahead.keep(pages.usedBytes, roomFor(sizeOf(plan.slots, slotMax, meta), pages));
    const written = this.#db.batch(() => {
      for (const [slot, sealed] of plan.slots) {
        // oxlint-disable-next-line typescript/no-floating-promises -- the promise of the whole batch is awaited below
        if (sealed === null) this.#db.remove(slot);
        // oxlint-disable-next-line typescript/no-floating-promises -- as above
        else this.#db.put(slot, sealed);
      }
      if (meta === null) return;
      // oxlint-disable-next-line typescript/no-floating-promises -- as above
      this.#db.put(META_KEY, meta);
    });
    await written;
    this.#described = plan.described;
    this.#damaged = plan.damaged;
    this.#loss = plan.loss;
  }

  /** What a group comes to: each slot's last value (null: none), and the description of the store with it. */
  #plan(batches: readonly (StoreBatch | null)[]): {
    readonly slots: ReadonlyMap<number, Buffer | null>;
    readonly described: Described | null;
    readonly damaged: ReadonlySet<number>;
    readonly loss: Tally;
  } {
    const slots = new Map<number, Buffer | null>();
    const damaged = new Set(this.#damaged);
    let loss = this.#loss;
    let meta = this.#described?.meta ?? null;
    let tally = this.#described?.tally ?? TALLY_ZERO;
    const set = (slot: number, sealed: Buffer | null): void => {
      const before = this.#sealed(slotKey(slot), slots);
      // what is damaged stays in the tally until the loss is mended
      if (!damaged.delete(slot) && before !== null) tally = withoutRecord(tally, sealOf(before));
      if (sealed !== null) tally = withRecord(tally, sealOf(sealed));
      slots.set(slot, sealed);
      this.#slotMax = Math.max(this.#slotMax, slot);
    };
    for (const batch of batches) {
      if (batch === null) {
        for (const slot of damaged) set(slot, null);
        tally = difference(tally, loss);
        loss = TALLY_ZERO;
        continue;
      }
      for (const { slot, bytes } of batch.put) set(slot, Buffer.from(seal(slot, bytes)));
      for (const slot of batch.remove) set(slot, null);
      meta = batch.meta;
    }
    return { slots, described: meta === null ? null : { meta, tally }, damaged, loss };
  }

  #sealed(slot: number, planned: ReadonlyMap<number, Buffer | null>): Buffer | null {
    const value = planned.get(slot);
    if (value !== undefined) return value;
    return slot > this.#slotMax ? null : (this.#db.get(slot) ?? null);
  }

  async #close(): Promise<void> {
    await this.#flushing;
    await this.#ahead.close();
    await this.#db.close();
    await this.#release();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw closed();
  }
}

/**
 * lmdb reads into memory that it uses again, and by itself copies every value out of it: at a start a million copies, which are
 * garbage at once. Here a value is looked at where it lies; it is good until the next one is read.
 */
const IN_PLACE = {
  encode: (value: Buffer): Buffer => value,
  /** @param bytes whose `length` lmdb has set to that of the value; the memory goes on behind it */
  decode: (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length),
};

function openDatabase(dir: string): RootDatabase<Buffer, number> {
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

/** `usedBytes`: where the pages end that LMDB has ever used. */
function pagesOf(db: RootDatabase<Buffer, number>): {
  readonly usedBytes: number;
  readonly pageBytes: number;
} {
  const { lastPageNumber, pageSize } = db.getStats() as {
    readonly lastPageNumber: number;
    readonly pageSize: number;
  };
  return { usedBytes: (lastPageNumber + 1) * pageSize, pageBytes: pageSize };
}

function sizeOf(slots: ReadonlyMap<number, Buffer | null>, slotMax: number, meta: Buffer | null): CommitSize {
  const appended: number[] = [];
  const scattered: number[] = [];
  for (const [slot, value] of slots) (slot > slotMax ? appended : scattered).push(value?.length ?? 0);
  return { appended, scattered, metaBytes: meta?.length ?? 0 };
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
  if (!isNew && found !== FORMAT_BEFORE)
    throw new StorageFormatError({ dir, found: found?.slice(0, 80) ?? 'none', known: FORMAT });
  db.transactionSync(() => db.putSync(FORMAT_KEY, Buffer.from(FORMAT)));
}

function readDescribed(db: RootDatabase<Buffer, number>): Described | null {
  const sealed = db.get(META_KEY);
  if (sealed === undefined) return null;
  const bytes = unseal(META_KEY, sealed);
  if (bytes === null) throw new StorageCorruptError({ slot: null, detail: 'checksum mismatch' });
  return decodeDescribed(bytes);
}

function sealedMeta(described: Described): Buffer {
  return Buffer.from(seal(META_KEY, encodeDescribed(described)));
}

function raise({ slot, detail }: StoreFault): never {
  throw new StorageCorruptError({ slot, detail });
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
