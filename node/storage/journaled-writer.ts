/**
 * Writes batches to the journal first, and to LMDB many at a time, while the journal goes on: when it has a good deal in it, and when
 * nothing came for a moment. Durable is a batch once it is in either; what waits in the journal has room in LMDB's file already. Where
 * there can be no journal, or a batch is too large for it, LMDB is written at once.
 */
import type { StoreBatch } from '../ports.ts';
import { StorageCorruptError } from './errors.ts';
import { decodeMark, encodeMark, Journal, readJournal } from './journal.ts';
import { JOURNAL_KEY, type Database } from './lmdb-environment.ts';
import type { LmdbWriter } from './lmdb-writer.ts';
import type { CommitSize } from './room-ahead.ts';
import { MISSING_UNKNOWN } from './tally.ts';
import { decodeBatch, encodeBatch } from './writing-message.ts';

/** In a half of the journal before it is written to LMDB: some 600 records. */
const DUE_BYTES = 262_144;
/** Of what describes the store, beside the knowledge. */
const META_BYTES_MAX = 512;
const SEAL_BYTES = 4;

export class JournaledWriter {
  readonly #writer: LmdbWriter;
  readonly #journal: Journal | null;
  /** in the half of the journal whose turn it is */
  #filling: StoreBatch[] = [];
  /** in the other half */
  #leaving: StoreBatch[] = [];
  /** what all of them will do to LMDB */
  #size = new PendingSize();
  #settling: Promise<void> | null = null;
  #isBegun = false;

  constructor(writer: LmdbWriter, dir: string) {
    this.#writer = writer;
    this.#journal = journalIn(dir);
  }

  /** Enough is in the journal to be written to LMDB. */
  get isDue(): boolean {
    return this.#settling === null && (this.#journal?.bytes ?? 0) >= DUE_BYTES;
  }

  /** Resolves when it is durable; one call at a time. @param batch whose bytes stay as they are. @throws what `failureOf` names */
  async write(batch: StoreBatch): Promise<void> {
    const journal = this.#journal;
    if (journal === null) return this.#writeThrough(batch);
    const content = encodeBatch(batch);
    if (content.length > DUE_BYTES) return this.#writeThrough(batch);
    // Only from now on does LMDB say that there is a journal.
    if (!this.#isBegun) await this.#writeThrough(null);
    while (!journal.hasRoomFor(content)) await this.settle();
    let takeBack = this.#size.add(batch, this.#writer.slotMax);
    if (this.#settling !== null && !this.#writer.hasRoomFor(this.#size)) {
      // Room in LMDB's file is not made while LMDB writes to it.
      takeBack();
      await this.#settling.catch(() => undefined);
      takeBack = this.#size.add(batch, this.#writer.slotMax);
    }
    try {
      await this.#writer.reserve(this.#size);
      journal.append(content);
      this.#writer.assertLinked();
    } catch (error) {
      takeBack();
      throw error;
    }
    this.#filling.push(batch);
  }

  /** What is in the journal now is in LMDB when it resolves. @throws what `failureOf` names; then it stays in the journal */
  async settle(): Promise<void> {
    if (this.#settling !== null) return this.#settling;
    if (this.#filling.length + this.#leaving.length === 0) return;
    this.#settling = this.#settle().finally(() => {
      this.#settling = null;
    });
    await this.#settling;
  }

  /** Everything is in LMDB, and the journal empty, unless that fails: the next who opens the store finds it then. */
  async close(): Promise<void> {
    try {
      await this.#settling?.catch(() => undefined);
      await this.#writer.write([...this.#leaving, ...this.#filling], { journal: null });
    } finally {
      this.#journal?.close();
    }
  }

  async #settle(): Promise<void> {
    const journal = this.#journal;
    if (journal === null) return;
    // After a failure the other half is still full: it goes first, and this one fills on meanwhile.
    if (this.#leaving.length === 0) {
      this.#leaving = this.#filling;
      this.#filling = [];
      journal.turn();
    }
    await this.#writer.write(this.#leaving, { journal: encodeMark(journal.mark) });
    this.#leaving = [];
    this.#size = new PendingSize();
    for (const batch of this.#filling) this.#size.add(batch, this.#writer.slotMax);
  }

  /** Past the journal: all that is in it, and this. */
  async #writeThrough(batch: StoreBatch | null): Promise<void> {
    await this.#settling?.catch(() => undefined);
    const batches = [...this.#leaving, ...this.#filling, ...(batch === null ? [] : [batch])];
    const next = this.#journal?.nextMark ?? null;
    await this.#writer.write(batches, { journal: next === null ? null : encodeMark(next) });
    this.#journal?.turn();
    this.#isBegun = true;
    this.#leaving = [];
    this.#filling = [];
    this.#size = new PendingSize();
  }
}

/** At least what batches do to LMDB when they are written at once. */
class PendingSize implements CommitSize {
  readonly appended: number[] = [];
  readonly scattered: number[] = [];
  metaBytes = 0;
  #slotMax = -1;

  /** @param slotMax none beyond is in LMDB. @returns takes it out again, before the next one is added */
  add({ put, remove, meta }: StoreBatch, slotMax: number): () => void {
    const before = [this.appended.length, this.scattered.length] as const;
    this.#slotMax = Math.max(this.#slotMax, slotMax);
    for (const { slot, bytes } of put) {
      (slot > this.#slotMax ? this.appended : this.scattered).push(bytes.length + SEAL_BYTES);
      this.#slotMax = Math.max(this.#slotMax, slot);
    }
    for (const _slot of remove) this.scattered.push(0);
    this.metaBytes = Math.max(this.metaBytes, META_BYTES_MAX + (meta.knowledge?.length ?? 0));
    return () => {
      [this.appended.length, this.scattered.length] = before;
    };
  }
}

function journalIn(dir: string): Journal | null {
  // Elsewhere O_DSYNC is not there, or leaves the drive's cache as it is; LMDB knows what to do there.
  if (process.platform !== 'linux') return null;
  try {
    return new Journal(dir);
  } catch {
    // No room: it goes without.
    return null;
  }
}

/**
 * Brings to LMDB what an earlier process, or thread, left in the journal.
 *
 * @param maySalvage whether what is left may do where some of it is lost; a load then finds that records are missing
 * @returns what was found wrong, as sentences
 * @throws StorageCorruptError a part is lost, and that may not be; what `failureOf` names
 */
export async function recover(
  db: Database,
  dir: string,
  { writer, maySalvage }: { readonly writer: LmdbWriter; readonly maySalvage: boolean },
): Promise<readonly string[]> {
  const mark = db.get(JOURNAL_KEY);
  if (mark === undefined) return [];
  const { frames, isDamaged } = readJournal(dir, decodeMark(mark));
  const detail =
    'the journal is not whole, or holds a batch that is not what was written, with later ones behind it';
  if (isDamaged && !maySalvage) throw new StorageCorruptError({ slot: null, detail });
  writer.forget();
  await writer.write(frames.map(decodeBatch), { journal: null, missing: isDamaged ? MISSING_UNKNOWN : 0 });
  return isDamaged ? [detail] : [];
}
