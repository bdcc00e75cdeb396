/**
 * The durable store: one LMDB environment per node, records under sequential slot numbers, one copy-on-write commit with one
 * flush per group of batches.
 *
 * What "durable" rests on. With lmdb's default `overlappingSync: true` a promise resolves once the transaction is
 * visible, before it is flushed. With `false` LMDB's classic commit is made: data pages are written, fdatasync, then the
 * meta page is written through a descriptor opened with O_DSYNC, and only then does the promise resolve (seen with
 * strace in exactly that order). A crash at any point leaves the previous meta page, hence the previous batch, whole.
 *
 * `eventTurnBatching: false`, because with it a failed commit rejects a second promise that nobody can reach, which
 * ends the process. For the same reason asynchronous `transaction()` is not used: after a failed commit it never settles.
 *
 * Who writes: the caller's thread at first, and from the first busy turn on a thread of its own that also signs
 * (writing-thread.ts). Should that die, the caller's again, beginning with what the thread had.
 */
import { join, resolve as resolvePath } from 'node:path';
import type { Identity, KeptBatch, Keeper, Storage, StoreBatch, StoreFault } from '../ports.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import { StorageCorruptError, StorageFailedError, StorageFormatError } from './errors.ts';
import { signedBatch } from './kept-batch.ts';
import {
  FORMAT_KEY,
  META_KEY,
  openDatabase,
  OWNER_KEY,
  readDescribed,
  sealedMeta,
  type Database,
} from './lmdb-environment.ts';
import { recover } from './journaled-writer.ts';
import { failureOf } from './lmdb-failure.ts';
import { examine, FILE_NAME } from './lmdb-salvage.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import { takeOwnership, type OwnerCell } from './ownership.ts';
import { contentOf, sealOf, unseal } from './seal.ts';
import { difference, faultOfTally, missingBy, RunningTally, TALLY_LOST, TALLY_ZERO } from './tally.ts';
import { WritingThread, type WritingThreadModules } from './writing-thread.ts';

const FORMAT = 'aethel-store/4';
/** What reads the values tells theirs from ours, and they had no journal; it is ours from now on. */
const FORMATS_BEFORE = ['aethel-store/2', 'aethel-store/3'];

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
  /** Whether a store was made here once, so that none is a loss; default false. */
  readonly isExpected?: boolean;
}

/** Few records are signed and written in place: the way there and back costs about as much. It starts when there are so many at once. */
const AWAY_MIN = 3;

/** What its thread needs; without, it writes in the caller's thread for ever. */
export interface LmdbStorageModules extends WritingThreadModules {
  /** the author of all drafts */
  readonly identity: Pick<Identity, 'sign' | 'seed'>;
}

/** null: drop what the last load found damaged */
type Job = StoreBatch | KeptBatch | null;

interface Waiting {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: StorageFailedError) => void;
}

export class LmdbStorage implements Storage, Keeper {
  readonly #db: Database;
  readonly #dir: string;
  readonly #release: () => Promise<void>;
  readonly #identity: Pick<Identity, 'sign'> | null;
  readonly #writer: LmdbWriter;
  readonly #thread: WritingThread | null;
  #waiting: Waiting[] = [];
  /** so many of them, the first ones, a thread had that died */
  #revived = 0;
  #flushing: Promise<void> | null = null;
  /** the thread writes, and nobody else */
  #isThreads = false;
  /** the thread wrote, and may have left something in the journal */
  #mustRecover = false;
  #closing: Promise<void> | null = null;
  /** What was found and done to the file before it was opened, as sentences. */
  readonly repairs: readonly string[];

  private constructor(
    opened: {
      readonly dir: string;
      readonly db: Database;
      readonly writer: LmdbWriter;
      readonly release: () => Promise<void>;
    },
    repairs: readonly string[],
    modules: LmdbStorageModules | null,
  ) {
    this.#dir = opened.dir;
    this.#db = opened.db;
    this.#release = opened.release;
    this.repairs = repairs;
    this.#identity = modules?.identity ?? null;
    this.#writer = opened.writer;
    this.#thread =
      modules === null ? null : new WritingThread(modules, { dir: opened.dir, seed: modules.identity.seed });
  }

  /**
   * Opens the store in `dir`, creating it (mode 0700) where there is none.
   *
   * @throws StorageLockedError another process has it; StorageFormatError another version wrote it;
   *   StorageCorruptError it is no LMDB file any more; StorageFailedError the disk refused
   */
  static async open(
    dir: string,
    options: LmdbStorageOptions = { salvage: false },
    modules: LmdbStorageModules | null = null,
  ): Promise<LmdbStorage> {
    const path = resolvePath(dir);
    const { salvage: maySalvage, isExpected = false } = options;
    const repairs = await examine(path, { maySalvage, isExpected, vital: VITAL });
    const db = openDatabase(path);
    try {
      const release = await takeOwnership(path, ownerCell(db));
      try {
        checkFormat(db, path);
        const writer = new LmdbWriter(db, path);
        const lost = await recover(db, path, { writer, maySalvage }).catch(async (error: unknown) => {
          await writer.close();
          throw error instanceof StorageCorruptError ? error : await failureOf(error, path);
        });
        return new LmdbStorage({ dir: path, db, writer, release }, [...repairs, ...lost], modules);
      } catch (error) {
        await release();
        throw error;
      }
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /** The file that holds the records. */
  get file(): string {
    return join(this.#dir, FILE_NAME);
  }

  load(damaged?: (fault: StoreFault) => void): ReturnType<Storage['load']> {
    this.#assertOpen();
    return { meta: readDescribed(this.#db)?.meta ?? null, records: this.#records(damaged ?? raise) };
  }

  /** Whether its thread is up, and writes what comes from now on. */
  get hasThread(): boolean {
    return this.#thread?.isUp === true;
  }

  /** Starts the thread before it is needed; it is not waited for. */
  wake(): void {
    this.#thread?.wake();
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#enqueue(batch);
  }

  prepare(drafts: readonly StoredRecord[]): void {
    if (this.#isThreads && this.hasThread && drafts.length > 0) this.#thread?.prepare(drafts);
  }

  keep(batch: KeptBatch): Promise<void> {
    if (batch.drafts.length >= AWAY_MIN) this.wake();
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
        damaged({ slot, records: 1, detail: 'checksum mismatch', bytes: Buffer.from(contentOf(value)) });
      } else {
        found.add(sealOf(value));
        yield { slot, bytes };
      }
    }
    this.#writer.loss = { damaged: bad, tally: difference(claimed, found) };
    const fault = faultOfTally(claimed, found, bad.size);
    if (fault === null) return;
    const records = missingBy(claimed, found, bad.size);
    damaged({ slot: null, records, detail: [fault, ...this.repairs].join('; '), bytes: null });
  }

  #enqueue(job: Job): Promise<void> {
    if (this.#closing !== null) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const waiting = { job, resolve, reject };
      const thread = this.#threadFor(job);
      if (thread !== null && job !== null) return this.#send(thread, job, waiting);
      this.#waiting.push(waiting);
      this.#flushing ??= this.#flush();
    });
  }

  /** The thread, where it writes. It takes over between two commits, and never while there is something to mend, of which it knows nothing. */
  #threadFor(job: Job): WritingThread | null {
    const thread = this.#thread;
    if (this.#isThreads && thread?.isUp === true && job !== null) return thread;
    if (this.#isThreads) this.#takeBack(thread);
    else if (job !== null && thread?.isUp === true && this.#flushing === null && !this.#writer.hasLoss)
      this.#isThreads = true;
    return this.#isThreads ? thread : null;
  }

  /** For good. What comes from now on waits until the thread has done what it has. */
  #takeBack(thread: WritingThread | null): void {
    this.#isThreads = false;
    this.#mustRecover = true;
    this.#flushing = (thread?.end() ?? Promise.resolve()).then(() => this.#flush());
  }

  #send(thread: WritingThread, job: StoreBatch | KeptBatch, waiting: Waiting): void {
    thread.write(job, (outcome) => {
      if (outcome === null) return waiting.resolve();
      if (outcome !== 'died') return waiting.reject(outcome);
      // What it had, and may have done, is done once more: a batch says what is under each slot.
      if (this.#isThreads) this.#takeBack(null);
      // before what came later
      this.#waiting.splice(this.#revived, 0, waiting);
      this.#revived += 1;
    });
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
      this.#revived = 0;
      try {
        if (this.#mustRecover) await this.#recover();
        await this.#writer.write(group.map(({ job }) => this.#asBatch(job)));
        for (const { resolve } of group) resolve();
      } catch (error) {
        const failure = await failureOf(error, this.#dir);
        const lost = [...group, ...this.#waiting];
        this.#waiting = [];
        for (const { reject } of lost) reject(failure);
      }
    }
    this.#flushing = null;
  }

  async #recover(): Promise<void> {
    this.#writer.forget();
    await recover(this.#db, this.#dir, { writer: this.#writer, maySalvage: false });
    this.#mustRecover = false;
  }

  #asBatch(job: Job): StoreBatch | null {
    if (job === null || !('drafts' in job)) return job;
    return signedBatch(job, (bytes) => {
      if (this.#identity === null) throw new Error('a draft for a store that cannot sign');
      return this.#identity.sign(bytes);
    });
  }

  async #close(): Promise<void> {
    await this.#flushing;
    await this.#thread?.end();
    // what it had, should it have died instead
    while (this.#flushing !== null) await this.#flushing;
    await this.#writer.close();
    await this.#db.close();
    await this.#release();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw closed();
  }
}

function ownerCell(db: Database): OwnerCell {
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

function checkFormat(db: Database, dir: string): void {
  const found = db.get(FORMAT_KEY)?.toString('utf8');
  if (found === FORMAT) return;
  const isNew =
    found === undefined && db.get(META_KEY) === undefined && db.getKeysCount({ start: 0, limit: 1 }) === 0;
  if (!isNew && !FORMATS_BEFORE.includes(found ?? ''))
    throw new StorageFormatError({ dir, found: found?.slice(0, 80) ?? 'none', known: FORMAT });
  db.transactionSync(() => db.putSync(FORMAT_KEY, Buffer.from(FORMAT)));
}

function raise({ slot, detail }: StoreFault): never {
  throw new StorageCorruptError({ slot, detail });
}

function closed(): StorageFailedError {
  return new StorageFailedError({ code: 'CLOSED', detail: 'it has been closed' });
}
