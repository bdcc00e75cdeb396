/**
 * How batches go to the thread that signs and writes, and come back, each in one piece of memory that is handed over and not copied.
 * Numbers are little-endian; slots and numbers of chunks are f64.
 *
 *     u32 0, chunk, u32 entries                     a chunk of drafts, to be signed and held until a batch takes it
 *     entries × (slot, u32 length, canonical bytes)
 *
 *     u32 1, u32 epoch                              a batch
 *     u32 chunks, u32 skips, u32 records, u32 values, u32 removes, u32 bytes of knowledge + 1 (0: none)
 *     f64 sequence, f64 wallMs, f64 counter
 *     chunks × chunk                                what it takes of what was signed before it,
 *     skips × slot                                  without what was replaced meanwhile
 *     records × (slot, u32 length, canonical bytes)
 *     values × (slot, u32 length, bytes as they are kept)
 *     removes × slot
 *     knowledge
 *
 * A chunk comes back with the signatures in its drafts. Of a batch comes back u32 0; or u32 1, u32 length, and why not, as JSON text.
 */
import type { KeptBatch, StoreBatch, StoreMeta } from '../ports.ts';
import { keptFormOf } from '../protocol/state/kept-record.ts';
import { signDraft } from '../protocol/state/record.ts';
import { SIGNATURE_BYTES } from '../protocol/state/signature.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import { StorageFailedError } from './errors.ts';

const CHUNK = 0;
const BATCH = 1;
const FAILED = 1;
const CHUNK_HEAD_BYTES = 4 + 8 + 4;
const BATCH_HEAD_BYTES = 8 * 4 + 3 * 8;
const ENTRY_HEAD_BYTES = 8 + 4;
const ANSWER_HEAD_BYTES = 2 * 4;
/** Escaped, and with what is around it, it fits into the least memory that is sent. */
const DETAIL_CHARS_MAX = 300;

/** What is stored under a slot, as canonical bytes or as they are kept. */
interface Entry {
  readonly slot: number;
  readonly bytes: Uint8Array;
}

/** @returns at least so many bytes, and enough for any answer */
type MemoryOf = (bytes: number) => ArrayBuffer;

/** What of a batch goes over with it. */
interface BatchParts {
  readonly epoch: number;
  readonly chunks: readonly number[];
  readonly skips: readonly number[];
  readonly records: readonly Entry[];
}

export function writeChunk(chunk: number, drafts: readonly StoredRecord[], memoryOf: MemoryOf): ArrayBuffer {
  let bytes = CHUNK_HEAD_BYTES;
  for (const { record } of drafts) bytes += ENTRY_HEAD_BYTES + record.bytes.length;
  const message = new Writer(memoryOf(bytes));
  message.u32(CHUNK);
  message.f64(chunk);
  message.u32(drafts.length);
  for (const { slot, record } of drafts) message.entry(slot, record.bytes);
  return message.memory;
}

export function writeBatch(
  batch: KeptBatch | StoreBatch,
  parts: BatchParts,
  memoryOf: MemoryOf,
): ArrayBuffer {
  const { remove, meta } = batch;
  const { chunks, skips, records } = parts;
  const values = 'drafts' in batch ? [] : batch.put;
  const knowledge = meta.knowledge ?? NO_BYTES;
  let bytes = BATCH_HEAD_BYTES + 8 * (chunks.length + skips.length + remove.length) + knowledge.length;
  for (const entry of [...records, ...values]) bytes += ENTRY_HEAD_BYTES + entry.bytes.length;
  const message = new Writer(memoryOf(bytes));
  message.u32(BATCH);
  message.u32(parts.epoch);
  for (const list of [chunks, skips, records, values, remove]) message.u32(list.length);
  message.u32(meta.knowledge === null ? 0 : knowledge.length + 1);
  for (const number of [meta.sequence, meta.wallMs, meta.counter, ...chunks, ...skips]) message.f64(number);
  for (const { slot, bytes: canonical } of records) message.entry(slot, canonical);
  for (const { slot, bytes: kept } of values) message.entry(slot, kept);
  for (const slot of remove) message.f64(slot);
  message.bytes(knowledge);
  return message.memory;
}

/** On the other side. All bytes are copies. */
export type Message =
  | { readonly type: 'chunk'; readonly chunk: number; readonly put: readonly Entry[] }
  | {
      readonly type: 'batch';
      readonly epoch: number;
      readonly chunks: readonly number[];
      readonly skips: ReadonlySet<number>;
      readonly batch: StoreBatch;
    };

/** Signs the drafts of a chunk where they lie. */
export function readMessage(memory: ArrayBuffer, sign: (bytes: Uint8Array) => Uint8Array): Message {
  const message = new Reader(memory);
  if (message.u32() === CHUNK) {
    const chunk = message.f64();
    const put = times(message.u32(), () => {
      const { slot, bytes } = message.entry();
      signDraft({ bytes }, sign);
      return { slot, bytes: keptFormOf(bytes) };
    });
    return { type: 'chunk', chunk, put };
  }
  const epoch = message.u32();
  const [chunks, skips, records, values, removes] = times(5, () => message.u32()) as Counts;
  const knowledgeBytes = message.u32();
  const [sequence, wallMs, counter] = times(3, () => message.f64()) as Numbers;
  const taken = times(chunks, () => message.f64());
  const skipped = new Set(times(skips, () => message.f64()));
  const put: Entry[] = times(records, () => {
    const { slot, bytes } = message.entry();
    return { slot, bytes: keptFormOf(bytes) };
  });
  put.push(
    ...times(values, () => {
      const { slot, bytes } = message.entry();
      return { slot, bytes: Buffer.from(bytes) };
    }),
  );
  const remove = times(removes, () => message.f64());
  const knowledge = knowledgeBytes === 0 ? null : Buffer.from(message.bytes(knowledgeBytes - 1));
  const meta: StoreMeta = { sequence, wallMs, counter, knowledge };
  return { type: 'batch', epoch, chunks: taken, skips: skipped, batch: { put, remove, meta } };
}

type Counts = [number, number, number, number, number];
type Numbers = [number, number, number];

/** A batch as bytes, of its own, for the journal. */
export function encodeBatch(batch: StoreBatch): Uint8Array {
  return new Uint8Array(writeBatch(batch, NO_PARTS, (bytes) => new ArrayBuffer(bytes)));
}

/** @param bytes as encoded: a checksum vouches for them */
export function decodeBatch(bytes: Uint8Array): StoreBatch {
  const message = readMessage(new Uint8Array(bytes).buffer, cannotSign);
  if (message.type !== 'batch') throw new Error('a frame of the journal that is no batch');
  return message.batch;
}

const NO_PARTS: BatchParts = { epoch: 0, chunks: [], skips: [], records: [] };

function cannotSign(): never {
  throw new Error('a draft in the journal');
}

/** Puts the signatures into the drafts of which the chunk was made. */
export function takeSignatures(memory: ArrayBuffer, drafts: readonly StoredRecord[]): void {
  const message = Buffer.from(memory);
  let at = CHUNK_HEAD_BYTES;
  for (const { record } of drafts) {
    at += ENTRY_HEAD_BYTES + record.bytes.length;
    message.copy(record.bytes, record.bytes.length - SIGNATURE_BYTES, at - SIGNATURE_BYTES, at);
  }
}

/** Makes an answer of the memory that a batch came in. */
export function writeAnswer(memory: ArrayBuffer, failure: StorageFailedError | null): void {
  const message = Buffer.from(memory);
  message.writeUInt32LE(failure === null ? 0 : FAILED, 0);
  if (failure === null) return;
  const { code, detail } = failure;
  const text = JSON.stringify({ code, detail: detail.slice(0, DETAIL_CHARS_MAX) });
  message.writeUInt32LE(message.write(text, ANSWER_HEAD_BYTES), 4);
}

/** @returns why a batch was not written, or null */
export function readAnswer(memory: ArrayBuffer): StorageFailedError | null {
  const message = Buffer.from(memory);
  if (message.readUInt32LE(0) !== FAILED) return null;
  const text = message.toString('utf8', ANSWER_HEAD_BYTES, ANSWER_HEAD_BYTES + message.readUInt32LE(4));
  return new StorageFailedError(JSON.parse(text) as { readonly code: string; readonly detail: string });
}

const NO_BYTES = new Uint8Array(0);

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

class Writer {
  readonly memory: ArrayBuffer;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(memory: ArrayBuffer) {
    this.memory = memory;
    this.#bytes = Buffer.from(memory);
  }

  u32(value: number): void {
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  entry(slot: number, value: Uint8Array): void {
    this.f64(slot);
    this.u32(value.length);
    this.bytes(value);
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(memory: ArrayBuffer) {
    this.#bytes = Buffer.from(memory);
  }

  u32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  f64(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  bytes(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  entry(): { readonly slot: number; readonly bytes: Buffer } {
    const slot = this.f64();
    return { slot, bytes: this.bytes(this.u32()) };
  }
}
