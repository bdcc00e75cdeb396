/**
 * Writes batches into the environment, one transaction and one flush for a group of them, and keeps what the store says of itself: the
 * caller's meta, and the tally of what should be there. One writer at a time; who takes over from another reads what that
 * one left.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { StoreBatch } from '../ports.ts';
import { StorageFailedError } from './errors.ts';
import {
  JOURNAL_KEY,
  META_KEY,
  readDescribed,
  sealedMeta,
  slotMaxOf,
  type Database,
} from './lmdb-environment.ts';
import { FILE_NAME } from './lmdb-salvage.ts';
import { OpenFile } from './open-file.ts';
import { RoomAhead, roomFor, type CommitSize } from './room-ahead.ts';
import { seal, sealOf } from './seal.ts';
import type { Described } from './store-meta.ts';
import { difference, TALLY_ZERO, withoutRecord, withRecord, type Tally } from './tally.ts';

/** What a load found missing: it stays in the tally until it is mended. */
interface Loss {
  /** slots whose bytes are not what was written, and still there */
  readonly damaged: ReadonlySet<number>;
  /** the tally as it is kept, less what was sound */
  readonly tally: Tally;
}

const NO_LOSS: Loss = { damaged: new Set(), tally: TALLY_ZERO };

/** What else a write says. */
interface Beside {
  /** Mark of the journal from which on frames may follow that are not here yet; null: none do. Default as it was. */
  readonly journal?: Buffer | null;
  /** Records that should be there besides, and are lost. Default 0. */
  readonly missing?: number;
}

/** What a group comes to: each slot's last value (null: none), and the description of the store with it. */
interface Plan {
  readonly slots: ReadonlyMap<number, Buffer | null>;
  readonly described: Described | null;
  readonly loss: Loss;
}

export class LmdbWriter {
  readonly #db: Database;
  readonly #ahead: RoomAhead;
  readonly #file: OpenFile;
  /** what the last load missed */
  loss = NO_LOSS;
  #mustProbe = false;
  /** what the store says of itself, as far as it is durable; undefined: to be read */
  #described: Described | null | undefined = undefined;
  /** no slot beyond this one is in use */
  #slotMax = -1;
  /** no page beyond is in use; a guess from above, since to ask LMDB costs as much as ten records */
  #usedBytesMax = Infinity;
  #pageBytes = 4_096;

  constructor(db: Database, dir: string) {
    this.#db = db;
    this.#file = new OpenFile(join(dir, FILE_NAME));
    this.#ahead = new RoomAhead(this.#file.path);
  }

  get hasLoss(): boolean {
    const { damaged, tally } = this.loss;
    return damaged.size > 0 || tally.records !== 0 || tally.sum !== 0;
  }

  /** Somebody else may have written. */
  forget(): void {
    this.#described = undefined;
  }

  /**
   * All or nothing; one call at a time. Resolves when it is durable.
   *
   * @param batches null: drop what the last load found damaged
   * @throws what `failureOf` names
   */
  async write(batches: readonly (StoreBatch | null)[], { journal, missing = 0 }: Beside = {}): Promise<void> {
    const described = this.#begin();
    const slotMax = this.#slotMax;
    const plan = this.#plan(batches, described, missing);
    const meta = plan.described === null ? null : sealedMeta(plan.described);
    const others = new Map<number, Buffer | null>();
    if (meta !== null) others.set(META_KEY, meta);
    if (journal !== undefined) others.set(JOURNAL_KEY, journal);
    try {
      this.#usedBytesMax += await this.#makeRoom(sizeOf(plan.slots, slotMax, meta?.length ?? 0));
      await this.#commit(plan.slots, others);
      this.assertLinked();
    } catch (error) {
      this.#mustProbe = true;
      throw error;
    }
    this.#described = plan.described;
    this.loss = plan.loss;
  }

  /** Whether such a write will find room without anything to be done for it. */
  hasRoomFor(size: CommitSize): boolean {
    const usedBytes = this.#usedBytesMax;
    return this.#ahead.has(usedBytes, roomFor(size, { usedBytes, pageBytes: this.#pageBytes }));
  }

  /**
   * Sees to it that such a write will find room; while none is under way.
   *
   * @throws what `failureOf` names
   */
  async reserve(size: CommitSize): Promise<void> {
    this.#begin();
    await this.#makeRoom(size);
  }

  /** No slot beyond it is in use, or will be by a write under way; -1 before the first. */
  get slotMax(): number {
    return this.#slotMax;
  }

  /** Whether what LMDB wrote can be found again. @throws StorageFailedError where its file was removed */
  assertLinked(): void {
    this.#file.assertLinked();
  }

  /** @returns what the store says of itself */
  #begin(): Described | null {
    this.assertLinked();
    if (this.#mustProbe) {
      probe(this.#db);
      // a commit that failed may have reached the disk all the same
      this.forget();
      this.#mustProbe = false;
    }
    if (this.#described === undefined) {
      this.#described = readDescribed(this.#db);
      this.#slotMax = slotMaxOf(this.#db);
      this.#usedBytesMax = Infinity;
    }
    return this.#described;
  }

  async close(): Promise<void> {
    this.#file.close();
    await this.#ahead.close();
  }

  /** For the next commit, without which LMDB may not begin it: see room-ahead.ts. @returns how many bytes it may take at most */
  async #makeRoom(size: CommitSize): Promise<number> {
    const needAt = (usedBytes: number): number => roomFor(size, { usedBytes, pageBytes: this.#pageBytes });
    if (!this.#ahead.has(this.#usedBytesMax, needAt(this.#usedBytesMax))) {
      const { lastPageNumber, pageSize } = statsOf(this.#db);
      this.#pageBytes = pageSize;
      this.#usedBytesMax = (lastPageNumber + 1) * pageSize;
      await this.#ahead.keep(this.#usedBytesMax, needAt(this.#usedBytesMax));
    }
    return needAt(this.#usedBytesMax);
  }

  /** Resolves when all of it is durable. */
  async #commit(...entries: readonly ReadonlyMap<number, Buffer | null>[]): Promise<void> {
    const db = this.#db;
    await db.batch(() => {
      for (const list of entries) {
        for (const [key, value] of list) {
          // oxlint-disable-next-line typescript/no-floating-promises -- the promise of the whole batch is awaited
          if (value === null) db.remove(key);
          // oxlint-disable-next-line typescript/no-floating-promises -- as above
          else db.put(key, value);
        }
      }
    });
  }

  #plan(batches: readonly (StoreBatch | null)[], before: Described | null, missing: number): Plan {
    const slots = new Map<number, Buffer | null>();
    let { damaged, tally: lost } = this.loss;
    let meta = before?.meta ?? null;
    let tally = before?.tally ?? TALLY_ZERO;
    const set = (slot: number, sealed: Buffer | null): void => {
      const replaced = this.#sealed(slotKey(slot), slots);
      // what is damaged stays in the tally until the loss is mended
      if (damaged.has(slot)) damaged = without(damaged, slot);
      else if (replaced !== null) tally = withoutRecord(tally, sealOf(replaced));
      if (sealed !== null) tally = withRecord(tally, sealOf(sealed));
      slots.set(slot, sealed);
      this.#slotMax = Math.max(this.#slotMax, slot);
    };
    for (const batch of batches) {
      if (batch === null) {
        for (const slot of damaged) set(slot, null);
        tally = difference(tally, lost);
        lost = TALLY_ZERO;
        continue;
      }
      for (const { slot, bytes } of batch.put) set(slot, seal(slot, bytes));
      for (const slot of batch.remove) set(slot, null);
      meta = batch.meta;
    }
    tally = { ...tally, records: tally.records + missing };
    if (missing > 0) meta ??= { sequence: 0, wallMs: 0, counter: 0, knowledge: null };
    return { slots, described: meta === null ? null : { meta, tally }, loss: { damaged, tally: lost } };
  }

  #sealed(slot: number, planned: ReadonlyMap<number, Buffer | null>): Buffer | null {
    const value = planned.get(slot);
    if (value !== undefined) return value;
    return slot > this.#slotMax ? null : (this.#db.get(slot) ?? null);
  }
}

function without(slots: ReadonlySet<number>, slot: number): ReadonlySet<number> {
  const left = new Set(slots);
  left.delete(slot);
  return left;
}

function statsOf(db: Database): { readonly lastPageNumber: number; readonly pageSize: number } {
  return db.getStats() as { readonly lastPageNumber: number; readonly pageSize: number };
}

function sizeOf(slots: ReadonlyMap<number, Buffer | null>, slotMax: number, metaBytes: number): CommitSize {
  const appended: number[] = [];
  const scattered: number[] = [];
  for (const [slot, value] of slots) (slot > slotMax ? appended : scattered).push(value?.length ?? 0);
  return { appended, scattered, metaBytes };
}

/** An environment that LMDB has given up refuses an empty transaction; its writer thread would hang on it instead. */
function probe(db: Database): void {
  try {
    db.transactionSync(() => undefined);
  } catch (cause) {
    throw new StorageFailedError(
      { code: 'MDB_PANIC', detail: 'LMDB gave up after a failed write' },
      { cause },
    );
  }
}

function slotKey(slot: number): number {
  assert(Number.isSafeInteger(slot) && slot >= 0, `a slot is a whole number from 0 on, not ${slot}`);
  return slot;
}
