/**
 * Bytes of the anti-entropy exchange, the same over a libp2p stream and over HTTP.
 *
 *     u8 version = 1, u8 kind, 32 root, then by kind
 *     1 compare      version vector;  u16 n × (u8 nibbles, prefix; 32 digest)
 *     2 transfer     u16 n × 32 id;  u16 m × (u32 length, record)
 *     3 differences  version vector;  u16 answered;  u16 n × (u8 nibbles, prefix; u8 0: 16 × 32 digest | 1: u16 k × 32 id)
 *     4 transferred  u16 answered, u16 refused;  u16 m × (u32 length, record)
 *     5 refused      u16 length, reason (root all zero)
 */
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import type { Digest, RecordId } from '../ids.ts';
import { decodeRecord, type SignedRecord } from '../state/record.ts';
import { VersionVector } from '../state/version-vector.ts';
import type { Difference, Subtree, SyncReply, SyncRequest } from './messages.ts';

/** One message, in bytes: what every lung carries (ports.ts, MESSAGE_BYTES_MAX). */
const BYTES_MAX = 1_048_576;
const VERSION = 1;
const KIND = { compare: 1, transfer: 2, differences: 3, transferred: 4, refused: 5 } as const;
const NO_ROOT = '0'.repeat(64);
const REASON_BYTES_MAX = 200;
const CHILDREN = 16;
const PREFIX_NIBBLES_MAX = 64;
const PREFIX = /^[0-9a-f]*$/;

/** @throws CodecError when the message is larger than a lung carries */
export function encodeRequest(request: SyncRequest): Uint8Array {
  const writer = begin(KIND[request.type], request.root);
  switch (request.type) {
    case 'compare':
      request.vector.write(writer).u16(request.subtrees.length);
      for (const { prefix, digest } of request.subtrees) writePrefix(writer, prefix).hex32(digest);
      break;
    case 'transfer':
      writer.u16(request.want.length);
      for (const id of request.want) writer.hex32(id);
      writeRecords(writer, request.records);
      break;
  }
  return writer.finish();
}

/** @throws CodecError when the message is larger than a lung carries */
export function encodeReply(reply: SyncReply): Uint8Array {
  const writer = begin(KIND[reply.type], reply.type === 'refused' ? NO_ROOT : reply.root);
  switch (reply.type) {
    case 'differences':
      reply.vector.write(writer).u16(reply.answered).u16(reply.differences.length);
      for (const difference of reply.differences) writeDifference(writer, difference);
      break;
    case 'transferred':
      writeRecords(writer.u16(reply.answered).u16(reply.refused), reply.records);
      break;
    case 'refused':
      writer.text16(reply.reason.slice(0, REASON_BYTES_MAX));
      break;
  }
  return writer.finish();
}

/** @throws CodecError on anything but one whole request */
export function decodeRequest(bytes: Uint8Array): SyncRequest {
  const { reader, kind, root } = open(bytes);
  const request = readRequest(reader, kind, root);
  reader.end();
  return request;
}

/** @throws CodecError on anything but one whole reply */
export function decodeReply(bytes: Uint8Array): SyncReply {
  const { reader, kind, root } = open(bytes);
  const reply = readReply(reader, kind, root);
  reader.end();
  return reply;
}

function readRequest(reader: ByteReader, kind: number, root: Digest): SyncRequest {
  switch (kind) {
    case KIND.compare: {
      const vector = VersionVector.read(reader);
      const subtrees = times(reader.u16(), (): Subtree => ({
        prefix: readPrefix(reader),
        digest: reader.hex32() as Digest,
      }));
      return { type: 'compare', root, vector, subtrees };
    }
    case KIND.transfer: {
      const want = times(reader.u16(), () => reader.hex32() as RecordId);
      return { type: 'transfer', root, want, records: readRecords(reader) };
    }
    default:
      throw new CodecError(`request kind ${kind}`);
  }
}

function readReply(reader: ByteReader, kind: number, root: Digest): SyncReply {
  switch (kind) {
    case KIND.differences: {
      const vector = VersionVector.read(reader);
      const answered = reader.u16();
      return {
        type: 'differences',
        root,
        answered,
        vector,
        differences: times(reader.u16(), () => readDifference(reader)),
      };
    }
    case KIND.transferred: {
      const answered = reader.u16();
      const refused = reader.u16();
      return { type: 'transferred', root, answered, refused, records: readRecords(reader) };
    }
    case KIND.refused:
      return { type: 'refused', reason: reader.text16(REASON_BYTES_MAX * 4) };
    default:
      throw new CodecError(`reply kind ${kind}`);
  }
}

function begin(kind: number, root: string): ByteWriter {
  return new ByteWriter(BYTES_MAX).u8(VERSION).u8(kind).hex32(root);
}

function open(bytes: Uint8Array): {
  readonly reader: ByteReader;
  readonly kind: number;
  readonly root: Digest;
} {
  if (bytes.length > BYTES_MAX)
    throw new CodecError(`message of ${bytes.length} bytes, at most ${BYTES_MAX}`);
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new CodecError(`sync version ${version}`);
  return { reader, kind: reader.u8(), root: reader.hex32() as Digest };
}

function writePrefix(writer: ByteWriter, prefix: string): ByteWriter {
  return writer.u8(prefix.length).bytes(Buffer.from(prefix, 'latin1'));
}

function readPrefix(reader: ByteReader): string {
  const nibbles = reader.u8();
  if (nibbles > PREFIX_NIBBLES_MAX) throw new CodecError(`prefix of ${nibbles} nibbles`);
  const prefix = Buffer.from(reader.bytes(nibbles)).toString('latin1');
  if (!PREFIX.test(prefix)) throw new CodecError('prefix is not lower-case hex');
  return prefix;
}

function writeDifference(writer: ByteWriter, difference: Difference): void {
  writePrefix(writer, difference.prefix);
  switch (difference.kind) {
    case 'children':
      writer.u8(0);
      for (const digest of difference.digests) writer.hex32(digest);
      return;
    case 'entries':
      writer.u8(1).u16(difference.ids.length);
      for (const id of difference.ids) writer.hex32(id);
  }
}

function readDifference(reader: ByteReader): Difference {
  const prefix = readPrefix(reader);
  const kind = reader.u8();
  switch (kind) {
    case 0:
      return { kind: 'children', prefix, digests: times(CHILDREN, () => reader.hex32() as Digest) };
    case 1:
      return { kind: 'entries', prefix, ids: times(reader.u16(), () => reader.hex32() as RecordId) };
    default:
      throw new CodecError(`difference kind ${kind}`);
  }
}

function writeRecords(writer: ByteWriter, records: readonly SignedRecord[]): void {
  writer.u16(records.length);
  for (const record of records) writer.block32(record.bytes);
}

function readRecords(reader: ByteReader): readonly SignedRecord[] {
  return times(reader.u16(), () => decodeRecord(reader.block32(BYTES_MAX)));
}

function times<T>(count: number, make: () => T): readonly T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i += 1) items.push(make());
  return items;
}
