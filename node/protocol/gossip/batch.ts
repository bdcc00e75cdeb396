/**
 * Bytes of one gossip message: u8 version = 1, u16 count, count × (u32 length, record).
 *
 * The same records in the same order give the same bytes, so that gossip's duplicate filter (by hash of the message) also
 * knows a batch that several members announce.
 */
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import { decodeRecord, type SignedRecord } from '../state/record.ts';

const BYTES_MAX = 1_048_576;
const VERSION = 1;

/** @returns how many of these, from the first, make one message of at most so many bytes of records; the first always does */
export function countThatFits(records: Iterable<SignedRecord>, bytesMax: number): number {
  let bytes = 0;
  let count = 0;
  for (const record of records) {
    if (count > 0 && bytes + record.bytes.length > bytesMax) break;
    bytes += record.bytes.length;
    count += 1;
  }
  return count;
}

/** @throws CodecError when the batch is larger than a lung carries */
export function encodeBatch(records: readonly SignedRecord[]): Uint8Array {
  const writer = new ByteWriter(BYTES_MAX).u8(VERSION).u16(records.length);
  for (const record of records) writer.block32(record.bytes);
  return writer.finish();
}

/** @throws CodecError on anything but one whole batch */
export function decodeBatch(bytes: Uint8Array): readonly SignedRecord[] {
  if (bytes.length > BYTES_MAX) throw new CodecError(`batch of ${bytes.length} bytes, at most ${BYTES_MAX}`);
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new CodecError(`batch version ${version}`);
  const records: SignedRecord[] = [];
  for (let count = reader.u16(); count > 0; count -= 1) records.push(decodeRecord(reader.block32(BYTES_MAX)));
  reader.end();
  return records;
}
