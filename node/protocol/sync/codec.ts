/**
 * Bytes of the anti-entropy exchange, the same over a libp2p stream and over HTTP. Numbers are varints where nothing else is said.
 *
 *     u8 version = 2, u8 kind, 32 root, then by kind
 *     1 delta        vector;  dot or none;  bytesMax;  records
 *     2 sketch       from, count;  block estimator
 *     3 compare      n × subtree: u8 nibbles, prefix; 32 digest
 *     4 transfer     n × 32 id;  n × u48 short id;  records
 *     5 missing      vector;  dot or none;  left;  records
 *     6 cells        from;  block cells
 *     7 differences  answered;  n × (u8 nibbles, prefix; u8 0: 16 × 32 digest | 1: k × 32 id)
 *     8 transferred  answered, refused;  n × distance of a covered position from the one before;  records
 *     9 refused      u16 length, reason (root all zero)
 *
 *     records        n × block;   dot or none: u8 0 | u8 1, 32 key, sequence;   vector: see VersionVector.writeShort
 */
import { ByteCounter, ByteReader, ByteWriter, CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf, type Digest, type RecordId } from '../ids.ts';
import { decodeRecord, type Dot, type SignedRecord } from '../state/record.ts';
import { CELLS_MAX } from '../state/sketch/cell-walk.ts';
import { CELL_BYTES } from '../state/sketch/coded-symbols.ts';
import { ESTIMATOR_BYTES } from '../state/sketch/estimator.ts';
import { VersionVector } from '../state/version-vector.ts';
import {
  EXCHANGE_BYTES_MAX,
  type Difference,
  type Subtree,
  type SyncReply,
  type SyncRequest,
} from './messages.ts';

const VERSION = 2;
const KIND = {
  delta: 1,
  sketch: 2,
  compare: 3,
  transfer: 4,
  missing: 5,
  cells: 6,
  differences: 7,
  transferred: 8,
  refused: 9,
} as const;
const CELLS_BYTES_MAX = CELL_BYTES * CELLS_MAX;
const NO_ROOT = '0'.repeat(64);
const REASON_BYTES_MAX = 200;
const CHILDREN = 16;
const PREFIX_NIBBLES_MAX = 64;
const PREFIX = /^[0-9a-f]*$/;

/** @throws CodecError when the message is larger than a lung carries */
export function encodeRequest(request: SyncRequest): Uint8Array {
  return writeRequest(new ByteWriter(EXCHANGE_BYTES_MAX), request).finish();
}

/** How long its encoding is, which is not made; it may be more than a lung carries. */
export function requestBytes(request: SyncRequest): number {
  return writeRequest(new ByteCounter(), request).length;
}

function writeRequest(to: ByteWriter, request: SyncRequest): ByteWriter {
  const writer = begin(to, KIND[request.type], request.root);
  switch (request.type) {
    case 'delta':
      request.vector.writeShort(writer);
      writeDot(writer, request.after).varint(request.bytesMax);
      writeRecords(writer, request.records);
      break;
    case 'sketch':
      writer.varint(request.from).varint(request.count).block(request.estimator);
      break;
    case 'compare':
      writer.varint(request.subtrees.length);
      for (const { prefix, digest } of request.subtrees) writePrefix(writer, prefix).hex32(digest);
      break;
    case 'transfer':
      writer.varint(request.want.length);
      for (const id of request.want) writer.hex32(id);
      writer.varint(request.wantShort.length);
      for (const short of request.wantShort) writer.u48(short);
      writeRecords(writer, request.records);
      break;
  }
  return writer;
}

/** @throws CodecError when the message is larger than a lung carries */
export function encodeReply(reply: SyncReply): Uint8Array {
  return writeReply(new ByteWriter(EXCHANGE_BYTES_MAX), reply).finish();
}

/** As `requestBytes`. */
export function replyBytes(reply: SyncReply): number {
  return writeReply(new ByteCounter(), reply).length;
}

function writeReply(to: ByteWriter, reply: SyncReply): ByteWriter {
  const writer = begin(to, KIND[reply.type], reply.type === 'refused' ? NO_ROOT : reply.root);
  switch (reply.type) {
    case 'missing':
      reply.vector.writeShort(writer);
      writeDot(writer, reply.after).varint(reply.left);
      writeRecords(writer, reply.records);
      break;
    case 'cells':
      writer.varint(reply.from).block(reply.cells);
      break;
    case 'differences':
      writer.varint(reply.answered).varint(reply.differences.length);
      for (const difference of reply.differences) writeDifference(writer, difference);
      break;
    case 'transferred':
      writePositions(writer.varint(reply.answered).varint(reply.refused), reply.covered);
      writeRecords(writer, reply.records);
      break;
    case 'refused':
      writer.text16(reply.reason.slice(0, REASON_BYTES_MAX));
      break;
  }
  return writer;
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
    case KIND.delta: {
      const vector = VersionVector.readShort(reader);
      const after = readDot(reader);
      const bytesMax = reader.varint();
      return { type: 'delta', root, vector, after, bytesMax, records: readRecords(reader) };
    }
    case KIND.sketch: {
      const from = reader.varint();
      const count = reader.varint();
      const estimator = reader.block(ESTIMATOR_BYTES);
      const isFirst = count === 0;
      if (estimator.length !== (isFirst ? ESTIMATOR_BYTES : 0))
        throw new CodecError(`estimator of ${estimator.length} bytes`);
      return { type: 'sketch', root, estimator, from, count };
    }
    case KIND.compare: {
      const subtrees = times(reader, (): Subtree => ({
        prefix: readPrefix(reader),
        digest: reader.hex32() as Digest,
      }));
      return { type: 'compare', root, subtrees };
    }
    case KIND.transfer: {
      const want = times(reader, () => reader.hex32() as RecordId);
      const wantShort = times(reader, () => reader.u48());
      return { type: 'transfer', root, want, wantShort, records: readRecords(reader) };
    }
    default:
      throw new CodecError(`request kind ${kind}`);
  }
}

function readReply(reader: ByteReader, kind: number, root: Digest): SyncReply {
  switch (kind) {
    case KIND.missing: {
      const vector = VersionVector.readShort(reader);
      const after = readDot(reader);
      const left = reader.varint();
      return { type: 'missing', root, vector, after, left, records: readRecords(reader) };
    }
    case KIND.cells: {
      const from = reader.varint();
      const cells = reader.block(CELLS_BYTES_MAX);
      if (cells.length % CELL_BYTES !== 0) throw new CodecError(`cells of ${cells.length} bytes`);
      return { type: 'cells', root, from, cells };
    }
    case KIND.differences: {
      const answered = reader.varint();
      return {
        type: 'differences',
        root,
        answered,
        differences: times(reader, () => readDifference(reader)),
      };
    }
    case KIND.transferred: {
      const answered = reader.varint();
      const refused = reader.varint();
      const covered = readPositions(reader);
      return { type: 'transferred', root, answered, refused, covered, records: readRecords(reader) };
    }
    case KIND.refused:
      return { type: 'refused', reason: reader.text16(REASON_BYTES_MAX * 4) };
    default:
      throw new CodecError(`reply kind ${kind}`);
  }
}

function begin(writer: ByteWriter, kind: number, root: string): ByteWriter {
  return writer.u8(VERSION).u8(kind).hex32(root);
}

function open(bytes: Uint8Array): {
  readonly reader: ByteReader;
  readonly kind: number;
  readonly root: Digest;
} {
  if (bytes.length > EXCHANGE_BYTES_MAX)
    throw new CodecError(`message of ${bytes.length} bytes, at most ${EXCHANGE_BYTES_MAX}`);
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
      writer.u8(1).varint(difference.ids.length);
      for (const id of difference.ids) writer.hex32(id);
  }
}

function readDifference(reader: ByteReader): Difference {
  const prefix = readPrefix(reader);
  const kind = reader.u8();
  switch (kind) {
    case 0: {
      const digests = Array.from({ length: CHILDREN }, () => reader.hex32() as Digest);
      return { kind: 'children', prefix, digests };
    }
    case 1:
      return { kind: 'entries', prefix, ids: times(reader, () => reader.hex32() as RecordId) };
    default:
      throw new CodecError(`difference kind ${kind}`);
  }
}

function writeDot(writer: ByteWriter, dot: Dot | null): ByteWriter {
  return dot === null ? writer.u8(0) : writer.u8(1).bytes(publicKeyOf(dot.author)).varint(dot.sequence);
}

function readDot(reader: ByteReader): Dot | null {
  const isThere = reader.u8();
  if (isThere > 1) throw new CodecError(`dot kind ${isThere}`);
  if (isThere === 0) return null;
  return { author: nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES)), sequence: reader.varint() };
}

function writePositions(writer: ByteWriter, positions: readonly number[]): void {
  writer.varint(positions.length);
  let last = -1;
  for (const position of positions) {
    writer.varint(position - last - 1);
    last = position;
  }
}

function readPositions(reader: ByteReader): readonly number[] {
  let last = -1;
  return times(reader, () => {
    last += reader.varint() + 1;
    if (!Number.isSafeInteger(last)) throw new CodecError('position above 2^53-1');
    return last;
  });
}

function writeRecords(writer: ByteWriter, records: readonly SignedRecord[]): void {
  writer.varint(records.length);
  for (const record of records) writer.block(record.bytes);
}

function readRecords(reader: ByteReader): readonly SignedRecord[] {
  return times(reader, () => decodeRecord(reader.block(EXCHANGE_BYTES_MAX)));
}

/** Reads a number, and as many items. What is missing ends it: no memory is taken on the number's word. */
function times<T>(reader: ByteReader, make: () => T): readonly T[] {
  const items: T[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) items.push(make());
  return items;
}
