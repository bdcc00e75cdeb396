/**
 * How records go to the signing thread and come back, in one piece of memory that is handed over and not copied:
 *
 *     u32 messages
 *     messages × (64 bytes for the signature, u32 length, message)
 */
import { messageBytes, putSignature, writeMessage, type SignedRecord } from '../protocol/state/record.ts';
import { SIGNATURE_BYTES } from '../protocol/state/signature.ts';

const COUNT_BYTES = 4;
const HEAD_BYTES = SIGNATURE_BYTES + 4;

export function batchBytes(records: readonly SignedRecord[]): number {
  let bytes = COUNT_BYTES;
  for (const record of records) bytes += HEAD_BYTES + messageBytes(record);
  return bytes;
}

/** @param memory of `batchBytes` at least */
export function writeBatch(memory: ArrayBuffer, records: readonly SignedRecord[]): void {
  const batch = Buffer.from(memory);
  let at = batch.writeUInt32LE(records.length, 0);
  for (const record of records) {
    const length = messageBytes(record);
    at = batch.writeUInt32LE(length, at + SIGNATURE_BYTES);
    writeMessage(record, batch, at);
    at += length;
  }
}

/** Puts the signatures into the batch, on the other side. */
export function signBatch(memory: ArrayBuffer, sign: (bytes: Uint8Array) => Uint8Array): void {
  const batch = Buffer.from(memory);
  let at = COUNT_BYTES;
  for (let left = batch.readUInt32LE(0); left > 0; left -= 1) {
    const from = at + HEAD_BYTES;
    const end = from + batch.readUInt32LE(from - 4);
    batch.set(sign(batch.subarray(from, end)), at);
    at = end;
  }
}

/** Puts the signatures into the records of which the batch was made. */
export function takeSignatures(memory: ArrayBuffer, records: readonly SignedRecord[]): void {
  const batch = Buffer.from(memory);
  let at = COUNT_BYTES;
  for (const record of records) {
    putSignature(record, batch.subarray(at, at + SIGNATURE_BYTES));
    at += HEAD_BYTES + messageBytes(record);
  }
}
