/**
 * How a batch goes to the thread that signs and writes, and comes back, in one piece of memory that is handed over and not copied.
 * Numbers are little-endian.
 *
 *     u32 epoch, u32 entries, u32 removes, u32 bytes of knowledge + 1 (0: none), f64 sequence, f64 wallMs, f64 counter
 *     entries × (u8 kind, f64 slot, u32 length, bytes)
 *     removes × f64 slot
 *     knowledge
 *
 *     kind   0 bytes to be kept as they are, 1 a record, 2 a draft, 3 a draft that is signed and not kept
 *
 * What comes back begins with u32 0 and has the signatures in the drafts; or it begins with u32 1, u32 length, and why not, as
 * JSON text.
 */
import type { KeptBatch, StoreBatch, StoreMeta } from '../ports.ts';
import { keptFormOf } from '../protocol/state/kept-record.ts';
import { signDraft } from '../protocol/state/record.ts';
import { SIGNATURE_BYTES } from '../protocol/state/signature.ts';
import { StorageFailedError } from './errors.ts';

const HEAD_BYTES = 4 * 4 + 3 * 8;
const ENTRY_HEAD_BYTES = 1 + 8 + 4;
const ANSWER_HEAD_BYTES = 2 * 4;
const VALUE = 0;
const RECORD = 1;
const DRAFT = 2;
const DRAFT_ONLY = 3;
const FAILED = 1;
/** Escaped, and with what is around it, they fit into the least memory that is sent. */
const DETAIL_CHARS_MAX = 300;
const MESSAGE_BYTES_MIN = 4_096;

type Entry = { readonly kind: number; readonly slot: number; readonly bytes: Uint8Array };

/** @param epoch how many batches are known to have failed before this one was sent */
export function writeBatch(
  batch: KeptBatch | StoreBatch,
  epoch: number,
  memoryOf: (bytes: number) => ArrayBuffer,
): ArrayBuffer {
  const { remove, meta } = batch;
  const { knowledge } = meta;
  const entries = entriesOf(batch);
  let bytes = HEAD_BYTES + 8 * remove.length + (knowledge?.length ?? 0);
  for (const entry of entries) bytes += ENTRY_HEAD_BYTES + entry.bytes.length;
  const memory = memoryOf(Math.max(MESSAGE_BYTES_MIN, bytes));
  const message = Buffer.from(memory);
  let at = message.writeUInt32LE(epoch, 0);
  at = message.writeUInt32LE(entries.length, at);
  at = message.writeUInt32LE(remove.length, at);
  at = message.writeUInt32LE(knowledge === null ? 0 : knowledge.length + 1, at);
  for (const number of [meta.sequence, meta.wallMs, meta.counter]) at = message.writeDoubleLE(number, at);
  for (const entry of entries) {
    at = message.writeUInt8(entry.kind, at);
    at = message.writeDoubleLE(entry.slot, at);
    at = message.writeUInt32LE(entry.bytes.length, at);
    message.set(entry.bytes, at);
    at += entry.bytes.length;
  }
  for (const slot of remove) at = message.writeDoubleLE(slot, at);
  if (knowledge !== null) message.set(knowledge, at);
  return memory;
}

/** On the other side: signs the drafts in the message. The batch's bytes are good for as long as the message is not sent back. */
export function readBatch(
  memory: ArrayBuffer,
  sign: (bytes: Uint8Array) => Uint8Array,
): { readonly epoch: number; readonly batch: StoreBatch } {
  const message = Buffer.from(memory);
  const [epoch, entries, removes, known] = [0, 4, 8, 12].map((at) => message.readUInt32LE(at)) as Counts;
  const [sequence, wallMs, counter] = [16, 24, 32].map((at) => message.readDoubleLE(at)) as Numbers;
  let at = HEAD_BYTES;
  const put: { readonly slot: number; readonly bytes: Uint8Array }[] = [];
  for (let left = entries; left > 0; left -= 1) {
    const kind = message.readUInt8(at);
    const slot = message.readDoubleLE(at + 1);
    const from = at + ENTRY_HEAD_BYTES;
    const bytes = message.subarray(from, from + message.readUInt32LE(at + 9));
    at = from + bytes.length;
    if (kind >= DRAFT) signDraft({ bytes }, sign);
    if (kind !== DRAFT_ONLY) put.push({ slot, bytes: kind === VALUE ? bytes : keptFormOf(bytes) });
  }
  const remove = Array.from({ length: removes }, (_, i) => message.readDoubleLE(at + 8 * i));
  at += 8 * removes;
  const knowledge = known === 0 ? null : message.subarray(at, at + known - 1);
  const meta: StoreMeta = { sequence, wallMs, counter, knowledge };
  return { epoch, batch: { put, remove, meta } };
}

type Counts = [number, number, number, number];
type Numbers = [number, number, number];

/** Makes an answer of the message. */
export function writeAnswer(memory: ArrayBuffer, failure: StorageFailedError | null): void {
  const message = Buffer.from(memory);
  message.writeUInt32LE(failure === null ? 0 : FAILED, 0);
  if (failure === null) return;
  const { code, detail } = failure;
  const text = JSON.stringify({ code, detail: detail.slice(0, DETAIL_CHARS_MAX) });
  message.writeUInt32LE(message.write(text, ANSWER_HEAD_BYTES), 4);
}

/** Puts the signatures into the drafts of which the message was made. @returns why it was not written, or null */
export function readAnswer(memory: ArrayBuffer, batch: KeptBatch | StoreBatch): StorageFailedError | null {
  const message = Buffer.from(memory);
  if (message.readUInt32LE(0) === FAILED) {
    const text = message.toString('utf8', ANSWER_HEAD_BYTES, ANSWER_HEAD_BYTES + message.readUInt32LE(4));
    return new StorageFailedError(JSON.parse(text) as { readonly code: string; readonly detail: string });
  }
  if (!('drafts' in batch)) return null;
  let at = HEAD_BYTES;
  for (const { record } of batch.drafts) {
    at += ENTRY_HEAD_BYTES + record.bytes.length;
    message.copy(record.bytes, record.bytes.length - SIGNATURE_BYTES, at - SIGNATURE_BYTES, at);
  }
  return null;
}

/** Drafts come first, so that their signatures are found. */
function entriesOf(batch: KeptBatch | StoreBatch): readonly Entry[] {
  if (!('drafts' in batch)) return batch.put.map(({ slot, bytes }) => ({ kind: VALUE, slot, bytes }));
  const { put, drafts } = batch;
  const entries: Entry[] = [];
  const unsigned = new Set<number>();
  for (const { slot, record } of drafts) {
    const isKept = put.has(slot);
    if (isKept) unsigned.add(slot);
    entries.push({ kind: isKept ? DRAFT : DRAFT_ONLY, slot, bytes: record.bytes });
  }
  if (unsigned.size < put.size)
    for (const [slot, { bytes }] of put) if (!unsigned.has(slot)) entries.push({ kind: RECORD, slot, bytes });
  return entries;
}
