/**
 * How records go to a thread that verifies them and come back, in one piece of memory that is handed over and not copied:
 *
 *     u32 messages
 *     messages × (64 bytes of signature, u32 length, message)
 *
 * What comes back has a verdict in the first byte of each signature: 1 where it is that of the author whom the message names.
 */
import {
  messageBytes,
  signatureOf,
  verifyMessage,
  writeMessage,
  type SignedRecord,
} from '../protocol/state/record.ts';
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
    batch.set(signatureOf(record), at);
    at = batch.writeUInt32LE(length, at + SIGNATURE_BYTES);
    writeMessage(record, batch, at);
    at += length;
  }
}

/** Puts the verdicts into the batch, on the other side. */
export function verifyBatch(memory: ArrayBuffer): void {
  for (const { signature, message } of messagesOf(memory))
    signature[0] = verifyMessage(message, signature) ? 1 : 0;
}

/** @returns one for each record of which the batch was made */
export function takeVerdicts(memory: ArrayBuffer, records: readonly SignedRecord[]): readonly boolean[] {
  const batch = new Uint8Array(memory);
  let at = COUNT_BYTES;
  return records.map((record) => {
    const verdict = batch[at];
    at += HEAD_BYTES + messageBytes(record);
    return verdict === 1;
  });
}

function* messagesOf(
  memory: ArrayBuffer,
): Generator<{ readonly signature: Buffer; readonly message: Buffer }, void, undefined> {
  const batch = Buffer.from(memory);
  let at = COUNT_BYTES;
  for (let left = batch.readUInt32LE(0); left > 0; left -= 1) {
    const from = at + HEAD_BYTES;
    const end = from + batch.readUInt32LE(from - 4);
    yield { signature: batch.subarray(at, at + SIGNATURE_BYTES), message: batch.subarray(from, end) };
    at = end;
  }
}
