/**
 * A record: an immutable, signed fact about a key, and its one canonical encoding.
 *
 *     u8  version = 1
 *     u8  flags            1 = tombstone
 *     32  author           Ed25519 public key
 *     u64 sequence         the author's own counter, 1 to 2^53-1
 *     u48 wallMs, u16 counter
 *     u16 length, key      UTF-8, not empty
 *     u16 count, count × (32 author, u64 sequence)    sorted by author, one each
 *     u32 length, value    JSON text; empty for a tombstone
 *     64  signature        over "aethel/record/v1\0" and everything before
 *
 * Every field has one encoding and the decoder refuses all others, so a record has one byte sequence and one id. The
 * id leaves the signature out: a second valid signature of the same fact is the same fact.
 */
import { hash } from 'node:crypto';
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf, type NodeId, type RecordId } from '../ids.ts';
import type { Stamp } from './clock.ts';
import { SIGNATURE_BYTES, verifySignature } from './signature.ts';

/** Names one write: the `sequence`-th of its author. */
export interface Dot {
  readonly author: NodeId;
  /** 1 to 2^53-1 */
  readonly sequence: number;
}

export interface LatticeRecord {
  readonly key: string;
  /** JSON text; null is a tombstone */
  readonly value: string | null;
  readonly dot: Dot;
  /**
   * What this record replaces: per author the greatest sequence of this key, sorted by author, transitively closed.
   * The author's own entry is below the dot's sequence.
   */
  readonly context: readonly Dot[];
  readonly stamp: Stamp;
}

export interface SignedRecord extends LatticeRecord {
  readonly id: RecordId;
  /** canonical body, then 64 bytes of signature */
  readonly bytes: Uint8Array;
}

declare const verified: unique symbol;
/** A record whose signature was found to be its author's. */
export type VerifiedRecord = SignedRecord & { readonly [verified]: true };

export interface RecordLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** authors that may ever write one key; an entry costs 40 bytes in every record of the key */
  readonly contextMax: number;
}

export const RECORD_LIMITS: RecordLimits = { keyBytesMax: 512, valueBytesMax: 65_536, contextMax: 256 };

const VERSION = 1;
const TOMBSTONE = 1;
const SIGNATURE_DOMAIN = Buffer.from('aethel/record/v1\0', 'latin1');
const ID_DOMAIN = Buffer.from('aethel/id/v1\0', 'latin1');
/** behind version and flags */
const MESSAGE_AUTHOR_AT = SIGNATURE_DOMAIN.length + 2;
const NO_SIGNATURE = new Uint8Array(SIGNATURE_BYTES);
const DOT_BYTES = PUBLIC_KEY_BYTES + 8;
/** everything but key, context and value */
const FIXED_BYTES = 1 + 1 + DOT_BYTES + 6 + 2 + 2 + 2 + 4 + SIGNATURE_BYTES;

/**
 * @param sign Ed25519 of the dot's author
 * @throws CodecError when the fields are no legal record
 */
export function signRecord(
  fields: LatticeRecord,
  sign: (bytes: Uint8Array) => Uint8Array,
  limits: RecordLimits = RECORD_LIMITS,
): VerifiedRecord {
  const record = draftRecord(fields, limits);
  signDraft(record, sign);
  return record;
}

/**
 * A record of our own, whole but for its signature: `putSignature` fills that in before anybody else sees the bytes. It has its
 * final id, which leaves the signature out.
 *
 * @throws CodecError when the fields are no legal record
 */
export function draftRecord(fields: LatticeRecord, limits: RecordLimits = RECORD_LIMITS): VerifiedRecord {
  const { key, value, dot, context, stamp } = fields;
  checkDots(dot, context);
  if (value !== null) checkJson(value);
  const writer = new ByteWriter(recordBytesMax(limits))
    .u8(VERSION)
    .u8(value === null ? TOMBSTONE : 0)
    .bytes(publicKeyOf(dot.author))
    .u64(dot.sequence)
    .u48(stamp.wallMs)
    .u16(stamp.counter)
    .text16(key)
    .u16(context.length);
  for (const entry of context) writer.bytes(publicKeyOf(entry.author)).u64(entry.sequence);
  writer.text32(value ?? '');
  checkLimits(fields, limits);
  const bytes = writer.bytes(NO_SIGNATURE).finish();
  const id = idOf(bytes, bytes.length - SIGNATURE_BYTES);
  return { key, value, dot, context, stamp, id, bytes } as VerifiedRecord;
}

export function signDraft(draft: Pick<SignedRecord, 'bytes'>, sign: (bytes: Uint8Array) => Uint8Array): void {
  const message = Buffer.allocUnsafe(messageBytes(draft));
  writeMessage(draft, message, 0);
  putSignature(draft, sign(message));
}

function putSignature({ bytes }: Pick<SignedRecord, 'bytes'>, signature: Uint8Array): void {
  if (signature.length !== SIGNATURE_BYTES) throw new RangeError(`signature of ${signature.length} bytes`);
  bytes.set(signature, bytes.length - SIGNATURE_BYTES);
}

/** How long what is signed of a record is. */
export function messageBytes({ bytes }: Pick<SignedRecord, 'bytes'>): number {
  return SIGNATURE_DOMAIN.length + bytes.length - SIGNATURE_BYTES;
}

/** What is signed of a record: the domain and the body. */
export function writeMessage({ bytes }: Pick<SignedRecord, 'bytes'>, target: Uint8Array, at: number): void {
  target.set(SIGNATURE_DOMAIN, at);
  target.set(bytes.subarray(0, bytes.length - SIGNATURE_BYTES), at + SIGNATURE_DOMAIN.length);
}

/**
 * Reads a record without checking its signature. Copies: the result keeps no hold on `bytes`.
 *
 * @throws CodecError on anything but the canonical encoding of a legal record within the limits
 */
export function decodeRecord(bytes: Uint8Array, limits: RecordLimits = RECORD_LIMITS): SignedRecord {
  const bytesMax = recordBytesMax(limits);
  if (bytes.length > bytesMax) throw new CodecError(`record of ${bytes.length} bytes, at most ${bytesMax}`);
  const own = new Uint8Array(bytes);
  const reader = new ByteReader(own);
  const version = reader.u8();
  if (version !== VERSION) throw new CodecError(`record version ${version}`);
  const flags = reader.u8();
  if (flags !== 0 && flags !== TOMBSTONE) throw new CodecError(`record flags ${flags}`);
  const dot = readDot(reader);
  const stamp: Stamp = { wallMs: reader.u48(), counter: reader.u16() };
  const key = reader.text16(limits.keyBytesMax);
  if (key === '') throw new CodecError('empty key');
  const count = reader.u16();
  if (count > limits.contextMax)
    throw new CodecError(`context of ${count} authors, at most ${limits.contextMax}`);
  const context = Array.from({ length: count }, () => readDot(reader));
  checkDots(dot, context);
  const text = reader.text32(limits.valueBytesMax);
  if (flags === TOMBSTONE && text !== '') throw new CodecError('tombstone with a value');
  if (flags !== TOMBSTONE) checkJson(text);
  const body = own.subarray(0, own.length - SIGNATURE_BYTES);
  reader.bytes(SIGNATURE_BYTES);
  reader.end();
  return {
    key,
    value: flags === TOMBSTONE ? null : text,
    dot,
    context,
    stamp,
    id: idOf(body, body.length),
    bytes: own,
  };
}

/** Without anybody having looked at it. */
export function signatureOf({ bytes }: SignedRecord): Uint8Array {
  return bytes.subarray(bytes.length - SIGNATURE_BYTES);
}

/** The same record, with the brand, when its signature is its author's; null when it is not. About 70 µs. */
export function verifyRecord(record: SignedRecord): VerifiedRecord | null {
  const message = Buffer.allocUnsafe(messageBytes(record));
  writeMessage(record, message, 0);
  return verifyMessage(message, signatureOf(record)) ? (record as VerifiedRecord) : null;
}

/** @param message of a legal record, as `writeMessage` wrote it. @returns whether the signature is that of the author in it */
export function verifyMessage(message: Uint8Array, signature: Uint8Array): boolean {
  const author = message.subarray(MESSAGE_AUTHOR_AT, MESSAGE_AUTHOR_AT + PUBLIC_KEY_BYTES);
  return verifySignature(signature, message, author);
}

/** The brand for a record that this node verified before it stored it, and whose bytes the store's checksum vouches for. */
export function trustStored(record: SignedRecord): VerifiedRecord {
  return record as VerifiedRecord;
}

function recordBytesMax(limits: RecordLimits): number {
  return FIXED_BYTES + limits.keyBytesMax + limits.contextMax * DOT_BYTES + limits.valueBytesMax;
}

function readDot(reader: ByteReader): Dot {
  return { author: nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES)), sequence: reader.u64() };
}

/** Names of equal length in base58 sort as the keys' bytes do, so the order of the texts is the order on the wire. */
function checkDots(dot: Dot, context: readonly Dot[]): void {
  if (dot.sequence < 1) throw new CodecError('sequence below 1');
  let previous = '';
  for (const { author, sequence } of context) {
    if (author <= previous) throw new CodecError('context not sorted by author, or an author twice');
    if (sequence < 1) throw new CodecError('sequence below 1 in a context');
    if (author === dot.author && sequence >= dot.sequence)
      throw new CodecError('context covers its own record');
    previous = author;
  }
}

function checkLimits({ key, value, context }: LatticeRecord, limits: RecordLimits): void {
  if (key === '') throw new CodecError('empty key');
  const keyBytes = Buffer.byteLength(key);
  if (keyBytes > limits.keyBytesMax)
    throw new CodecError(`key of ${keyBytes} bytes, at most ${limits.keyBytesMax}`);
  const valueBytes = value === null ? 0 : Buffer.byteLength(value);
  if (valueBytes > limits.valueBytesMax) {
    throw new CodecError(`value of ${valueBytes} bytes, at most ${limits.valueBytesMax}`);
  }
  if (context.length > limits.contextMax) {
    throw new CodecError(`context of ${context.length} authors, at most ${limits.contextMax}`);
  }
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new CodecError('value is not JSON');
  }
}

/**
 * The name of the fact: without the signature, of which there may be several.
 *
 * @param bytes whose first `bodyBytes` are the body
 */
export function idOf(bytes: Uint8Array, bodyBytes: number): RecordId {
  const length = ID_DOMAIN.length + bodyBytes;
  const input = idInputOf(length);
  if (Buffer.isBuffer(bytes)) bytes.copy(input, ID_DOMAIN.length, 0, bodyBytes);
  else input.set(bytes.length === bodyBytes ? bytes : bytes.subarray(0, bodyBytes), ID_DOMAIN.length);
  return hash('sha256', input, 'hex') as RecordId;
}

/**
 * Where a body is put behind the domain. Every record that comes or goes passes here and most are of a few lengths, so
 * memory and views are kept: making them takes as long as the hash.
 */
function idInputOf(length: number): Buffer {
  if (length > ID_INPUT_KEPT) return Buffer.concat([ID_DOMAIN], length);
  return (idInputs[length] ??= idInput.subarray(0, length));
}

const ID_INPUT_KEPT = 2_048;
const idInput = Buffer.concat([ID_DOMAIN], ID_INPUT_KEPT);
const idInputs: Buffer[] = [];
