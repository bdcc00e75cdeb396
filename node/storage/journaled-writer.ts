/**
 * Writes batches to the journal first, and to LMDB many at a time: when the journal has a good deal in it, and when nothing came for
 * a moment. Durable is a batch once it is in either; what waits in the journal has room in LMDB's file already. Where there can be
 * no journal, or a batch is too large for it, LMDB is written at once.
 */
import type { StoreBatch } from '../ports.ts';
import { StorageCorruptError } from './errors.ts';
import { Journal, newJournalName, readJournal } from './journal.ts';
import { JOURNAL_KEY, type Database } from './lmdb-environment.ts';
import type { LmdbWriter } from './lmdb-writer.ts';
import { decodeBatch, encodeBatch } from './writing-message.ts';

/** In the journal before it is written to LMDB: some 600 records, which take 4 ms. */
const DUE_BYTES = 262_144;
/** Of what describes the store, beside the knowledge. */
const META_BYTES_MAX = 512;
const SEAL_BYTES = 4;

export class JournaledWriter {
  readonly #writer: LmdbWriter;
  readonly #journal: Journal | null;
  #pending: StoreBatch[] = [];
  /** bytes by slot, 0 where it will be empty, of what is pending */
  #sizes = new Map<number, number>();
  #isBegun = false;

  constructor(writer: LmdbWriter, dir: string) {
    this.#writer = writer;
    this.#journal = journalIn(dir);
  }

  /** Enough is pending to be written to LMDB. */
  get isDue(): boolean {
    return (this.#journal?.bytes ?? 0) >= DUE_BYTES;
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Resolves when it is durable. @param batch whose bytes stay as they are. @throws what `failureOf` names */
  async write(batch: StoreBatch): Promise<void> {
    const journal = this.#journal;
    const content = encodeBatch(batch);
    if (journal === null || content.length > DUE_BYTES) return this.#toLmdb([batch]);
    // Only from now on does LMDB say that there is a journal.
    if (!this.#isBegun || !journal.hasRoomFor(content)) await this.#toLmdb([]);
    const sizes = new Map(this.#sizes);
    for (const { slot, bytes } of batch.put) sizes.set(slot, bytes.length + SEAL_BYTES);
    for (const slot of batch.remove) sizes.set(slot, 0);
    await this.#writer.reserve(sizes, META_BYTES_MAX + (batch.meta.knowledge?.length ?? 0));
    journal.append(content);
    this.#pending.push(batch);
    this.#sizes = sizes;
  }

  /** What is pending is in LMDB. @throws what `failureOf` names; then it stays in the journal */
  async settle(): Promise<void> {
    if (this.hasPending) await this.#toLmdb([]);
  }

  /** Everything is in LMDB, and the journal empty, unless that fails: the next who opens the store finds it then. */
  async close(): Promise<void> {
    try {
      await this.#writer.write(this.#pending, { journal: null });
    } finally {
      this.#journal?.close();
    }
  }

  async #toLmdb(batches: readonly StoreBatch[]): Promise<void> {
    const name = this.#journal === null ? null : newJournalName();
    await this.#writer.write([...this.#pending, ...batches], { journal: name });
    if (name !== null) this.#journal?.restart(name);
    this.#isBegun = true;
    this.#pending = [];
    this.#sizes = new Map();
  }
}

function journalIn(dir: string): Journal | null {
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
  const name = db.get(JOURNAL_KEY);
  if (name === undefined) return [];
  const { frames, isDamaged } = readJournal(dir, Buffer.from(name));
  const detail = 'the journal holds a batch that is not what was written, with later ones behind it';
  if (isDamaged && !maySalvage) throw new StorageCorruptError({ slot: null, detail });
  writer.forget();
  await writer.write(frames.map(decodeBatch), { journal: null, missing: isDamaged ? 1 : 0 });
  return isDamaged ? [detail] : [];
}
