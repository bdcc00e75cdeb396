/**
 * How a live record lies in memory: its canonical bytes with authors and sequences by number, numbers as short as they are,
 * and without what can be told from the rest; with the slot under which the store keeps it. About 60 bytes less than the
 * canonical form, and 35 less per context entry. The object is made again from it, bit by bit the same.
 *
 *     length, key           UTF-8
 *     slot
 *     2 × entries of the context + 1 for a tombstone
 *     dot
 *     wallMs                what it is more than the sequence / 1000, twice; or less, twice, - 1
 *     counter
 *     entries × dot
 *     value                 up to the signature
 *     64 bytes of signature
 *
 * What has no width is a varint: seven bits a byte, the lowest first, the top bit set where more follow. A dot is the number
 * of its origin and what its sequence is more than the origin's.
 *
 * An author's sequences begin at the time in µs and go on one by one (see `firstSequence`): those of one run are near each
 * other, and near the stamps.
 *
 * Whoever packs bytes answers for them: they come out of `signRecord`, out of `decodeRecord`, or out of the own store.
 */
import { nodeIdOf, PUBLIC_KEY_BYTES } from '../ids.ts';
import type { Stamp } from './clock.ts';
import { idOf, type Dot, type SignedRecord } from './record.ts';
import { SIGNATURE_BYTES } from './signature.ts';
import type { StoredRecord } from './write.ts';

/** of the canonical form: version, flags, author, sequence in front of what follows */
const HEAD_BYTES = 1 + 1 + PUBLIC_KEY_BYTES + 8;
const DOT_BYTES = PUBLIC_KEY_BYTES + 8;
const WALL_BYTES = 6;
const VALUE_LENGTH_BYTES = 4;
/** a varint below 2^53 */
const SLOT_BYTES_MAX = 8;
const VERSION = 1;
const TOMBSTONE = 1;

/** What a sequence is more than its origin's takes three bytes. */
const SEQUENCES_PER_ORIGIN = 2 ** 21;
/**
 * Honest authors need one per start and one per two million writes. Where somebody scatters sequences to fill the memory,
 * the sequences of further origins count from 0.
 */
const ORIGINS_MAX = 65_536;

/**
 * Authors, each with a sequence to count from, by number. They stay when their records go, as authors stay in the version
 * vector.
 */
export class OriginTable {
  readonly #numbers = new Map<string, number>();
  readonly #origins: Dot[] = [];
  #keys = Buffer.alloc(0);
  /** the origin of most records is that of the record before */
  #last = 0;

  /** @param bytes with a public key at `at` */
  numberOf(bytes: Buffer, at: number, sequence: number): number {
    if (!this.#isLast(bytes, at, sequence)) this.#last = this.#look(bytes, at, sequence);
    return this.#last;
  }

  originOf(number: number): Dot {
    const origin = this.#origins[number];
    if (origin === undefined) throw new RangeError(`no origin ${number}`);
    return origin;
  }

  writeKey(number: number, target: Buffer, at: number): void {
    this.#keys.copy(target, at, number * PUBLIC_KEY_BYTES, (number + 1) * PUBLIC_KEY_BYTES);
  }

  #isLast(bytes: Buffer, at: number, sequence: number): boolean {
    const more = sequence - (this.#origins[this.#last]?.sequence ?? 0);
    if (more < 0 || more >= SEQUENCES_PER_ORIGIN) return false;
    const from = this.#last * PUBLIC_KEY_BYTES;
    for (let i = 0; i < PUBLIC_KEY_BYTES; i++) if (bytes[at + i] !== this.#keys[from + i]) return false;
    return true;
  }

  #look(bytes: Buffer, at: number, sequence: number): number {
    const key = bytes.toString('latin1', at, at + PUBLIC_KEY_BYTES);
    const first = sequence - (sequence % SEQUENCES_PER_ORIGIN);
    const known = this.#numbers.get(`${key}${first}`);
    if (known !== undefined) return known;
    const origin = this.#origins.length < ORIGINS_MAX ? first : 0;
    return this.#numbers.get(`${key}${origin}`) ?? this.#add(bytes, at, key, origin);
  }

  #add(bytes: Buffer, at: number, key: string, sequence: number): number {
    const number = this.#origins.length;
    const end = (number + 1) * PUBLIC_KEY_BYTES;
    if (end > this.#keys.length)
      this.#keys = Buffer.concat([this.#keys], Math.max(4 * PUBLIC_KEY_BYTES, end * 2));
    bytes.copy(this.#keys, end - PUBLIC_KEY_BYTES, at, at + PUBLIC_KEY_BYTES);
    this.#origins.push({ author: nodeIdOf(bytes.subarray(at, at + PUBLIC_KEY_BYTES)), sequence });
    this.#numbers.set(`${key}${sequence}`, number);
    return number;
  }
}

/** Room that `pack` may need: all but the slot gets shorter, or stays. @param canonicalBytes of a legal record */
export function packedBytesMax(canonicalBytes: number): number {
  return canonicalBytes + SLOT_BYTES_MAX;
}

/**
 * @param bytes a legal record, canonical, from `from` to their end
 * @param target with `packedBytesMax` bytes of room
 * @returns how many were written
 */
export function pack(
  slot: number,
  bytes: Buffer,
  from: number,
  origins: OriginTable,
  target: Buffer,
): number {
  const keyAt = from + HEAD_BYTES + WALL_BYTES + 2 + 2;
  const keyEnd = keyAt + bytes.readUInt16BE(keyAt - 2);
  const count = bytes.readUInt16BE(keyEnd);
  let to = writeVarint(target, 0, keyEnd - keyAt);
  to += bytes.copy(target, to, keyAt, keyEnd);
  to = writeVarint(target, to, slot);
  to = writeVarint(target, to, 2 * count + (bytes[from + 1] === TOMBSTONE ? 1 : 0));
  to = packDot(bytes, from + 2, origins, target, to);
  const late = bytes.readUIntBE(from + HEAD_BYTES, WALL_BYTES) - msOf(sequenceAt(bytes, from + 2));
  to = writeVarint(target, to, late < 0 ? -2 * late - 1 : 2 * late);
  to = writeVarint(target, to, bytes.readUInt16BE(from + HEAD_BYTES + WALL_BYTES));
  const valueAt = keyEnd + 2 + count * DOT_BYTES + VALUE_LENGTH_BYTES;
  for (let at = keyEnd + 2; at < valueAt - VALUE_LENGTH_BYTES; at += DOT_BYTES)
    to = packDot(bytes, at, origins, target, to);
  return to + bytes.copy(target, to, valueAt);
}

/** The record packed into the bytes from `start` to `end`. */
export function unpack(packed: Buffer, start: number, end: number, origins: OriginTable): StoredRecord {
  const reader = new Reader(packed, start);
  const keyBytes = reader.varint();
  const keyAt = reader.skip(keyBytes);
  const slot = reader.varint();
  const flags = reader.varint();
  const packedDot = reader.dot();
  const late = reader.varint();
  const counter = reader.varint();
  const entries: PackedDot[] = [];
  for (let left = flags >>> 1; left > 0; left--) entries.push(reader.dot());
  const valueAt = reader.at;
  const valueEnd = end - SIGNATURE_BYTES;

  const keyTo = HEAD_BYTES + WALL_BYTES + 2 + 2;
  const lengthTo = keyTo + keyBytes + 2 + entries.length * DOT_BYTES;
  const bytes = new Uint8Array(lengthTo + VALUE_LENGTH_BYTES + end - valueAt);
  const canonical = Buffer.from(bytes.buffer);
  canonical[0] = VERSION;
  canonical[1] = flags & TOMBSTONE;
  const dot = writeDot(packedDot, origins, canonical, 2);
  const wallMs = wallMsOf(dot, late);
  canonical.writeUIntBE(wallMs, HEAD_BYTES, WALL_BYTES);
  canonical.writeUInt16BE(counter, HEAD_BYTES + WALL_BYTES);
  canonical.writeUInt16BE(keyBytes, keyTo - 2);
  packed.copy(canonical, keyTo, keyAt, keyAt + keyBytes);
  canonical.writeUInt16BE(entries.length, keyTo + keyBytes);
  const context = entries.map((entry, at) =>
    writeDot(entry, origins, canonical, keyTo + keyBytes + 2 + at * DOT_BYTES),
  );
  canonical.writeUInt32BE(valueEnd - valueAt, lengthTo);
  packed.copy(canonical, lengthTo + VALUE_LENGTH_BYTES, valueAt, end);

  const record: SignedRecord = {
    key: packed.toString('utf8', keyAt, keyAt + keyBytes),
    value: (flags & TOMBSTONE) === 0 ? packed.toString('utf8', valueAt, valueEnd) : null,
    dot,
    context,
    stamp: { wallMs, counter },
    id: idOf(canonical, canonical.length - SIGNATURE_BYTES),
    bytes,
  };
  return { slot, record };
}

/**
 * Whether a record packed into the bytes from `start` to `end` is this one, bit by bit: then it need not be made.
 *
 * @param record a legal one, whose bytes are its fields
 */
export function isPacked(
  record: SignedRecord,
  packed: Buffer,
  start: number,
  end: number,
  origins: OriginTable,
): boolean {
  const { bytes, dot, context, stamp } = record;
  const reader = new Reader(packed, start);
  const keyBytes = reader.varint();
  const keyAt = reader.skip(keyBytes);
  reader.varint();
  const flags = reader.varint();
  if (flags !== 2 * context.length + (record.value === null ? TOMBSTONE : 0)) return false;
  if (!isDot(dot, reader.dot(), origins) || wallMsOf(dot, reader.varint()) !== stamp.wallMs) return false;
  if (reader.varint() !== stamp.counter) return false;
  for (const entry of context) if (!isDot(entry, reader.dot(), origins)) return false;
  const keyFrom = HEAD_BYTES + WALL_BYTES + 2 + 2;
  const valueFrom = keyFrom + keyBytes + 2 + context.length * DOT_BYTES + VALUE_LENGTH_BYTES;
  return (
    bytes.length - valueFrom === end - reader.at &&
    areSame(packed, keyAt, bytes, keyFrom, keyBytes) &&
    areSame(packed, reader.at, bytes, valueFrom, end - reader.at)
  );
}

/** Below this many bytes a loop is quicker than a call out of JavaScript. */
const FEW_BYTES = 512;

function areSame(packed: Buffer, at: number, bytes: Uint8Array, from: number, count: number): boolean {
  if (count > FEW_BYTES) return packed.compare(bytes, from, from + count, at, at + count) === 0;
  for (let i = 0; i < count; i += 1) if (packed[at + i] !== bytes[from + i]) return false;
  return true;
}

/** What of a record can be read without making it. */
export interface PackedHead {
  readonly slot: number;
  readonly dot: Dot;
  readonly stamp: Stamp;
}

export function unpackHead(packed: Buffer, start: number, origins: OriginTable): PackedHead {
  const reader = new Reader(packed, start);
  reader.skip(reader.varint());
  const slot = reader.varint();
  reader.varint();
  const dot = dotOf(reader.dot(), origins);
  return { slot, dot, stamp: { wallMs: wallMsOf(dot, reader.varint()), counter: reader.varint() } };
}

export function unpackDot(packed: Buffer, start: number, origins: OriginTable): Dot {
  const reader = new Reader(packed, start);
  reader.skip(reader.varint());
  reader.varint();
  reader.varint();
  return dotOf(reader.dot(), origins);
}

/** The slot of a record packed at `start`. */
export function packedSlot(packed: Buffer, start: number): number {
  const reader = new Reader(packed, start);
  reader.skip(reader.varint());
  return reader.varint();
}

/** Where the key of a record packed at `start` begins. It ends `packedKeyBytes` later. */
export function packedKeyStart(packed: Buffer, start: number): number {
  return start + ((packed[start] ?? 0) < 0x80 ? 1 : 2);
}

/** A key of at most 16383 bytes. */
export function packedKeyBytes(packed: Buffer, start: number): number {
  const first = packed[start] ?? 0;
  return first < 0x80 ? first : (first & 0x7f) + 0x80 * (packed[start + 1] ?? 0);
}

/** A dot, its sequence less its origin's. */
interface PackedDot {
  readonly origin: number;
  readonly more: number;
}

function packDot(canonical: Buffer, from: number, origins: OriginTable, target: Buffer, to: number): number {
  const sequence = sequenceAt(canonical, from);
  const origin = origins.numberOf(canonical, from, sequence);
  return writeVarint(target, writeVarint(target, to, origin), sequence - origins.originOf(origin).sequence);
}

/** @param at where the dot is in the canonical form */
function sequenceAt(canonical: Buffer, at: number): number {
  const from = at + PUBLIC_KEY_BYTES;
  return canonical.readUInt32BE(from) * 2 ** 32 + canonical.readUInt32BE(from + 4);
}

function dotOf({ origin, more }: PackedDot, origins: OriginTable): Dot {
  const { author, sequence } = origins.originOf(origin);
  return { author, sequence: sequence + more };
}

function isDot({ author, sequence }: Dot, { origin, more }: PackedDot, origins: OriginTable): boolean {
  const from = origins.originOf(origin);
  return from.author === author && from.sequence + more === sequence;
}

function writeDot(packedDot: PackedDot, origins: OriginTable, target: Buffer, to: number): Dot {
  const dot = dotOf(packedDot, origins);
  origins.writeKey(packedDot.origin, target, to);
  target.writeUInt32BE(Math.floor(dot.sequence / 2 ** 32), to + PUBLIC_KEY_BYTES);
  target.writeUInt32BE(dot.sequence % 2 ** 32, to + PUBLIC_KEY_BYTES + 4);
  return dot;
}

/** The time that a sequence would be, were it the first of a run. */
function msOf(sequence: number): number {
  return Math.floor(sequence / 1_000);
}

function wallMsOf({ sequence }: Dot, late: number): number {
  return msOf(sequence) + (late % 2 === 0 ? late / 2 : -(late + 1) / 2);
}

/** @returns where it ends */
function writeVarint(target: Buffer, at: number, value: number): number {
  let end = at;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[end++] = (rest % 0x80) | 0x80;
  target[end++] = rest;
  return end;
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.#bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  }

  dot(): PackedDot {
    return { origin: this.varint(), more: this.varint() };
  }

  /** @returns where the skipped bytes begin */
  skip(count: number): number {
    this.at += count;
    return this.at - count;
  }
}
