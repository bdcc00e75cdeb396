/**
 * How a live record lies in memory: its canonical bytes with authors by number, numbers as short as they are, and
 * without what can be told from the rest; with the slot under which the store keeps it. About 50 bytes less than the
 * canonical form, and 35 less per context entry. The object is made again from it, bit by bit the same.
 *
 *     length, key           UTF-8
 *     slot
 *     2 × entries of the context + 1 for a tombstone
 *     number of the author, sequence
 *     u48 wallMs, counter
 *     entries × (number of the author, sequence)
 *     value                 up to the signature
 *     64 bytes of signature
 *
 * What has no width is a varint: seven bits a byte, the lowest first, the top bit set where more follow.
 *
 * Whoever packs bytes answers for them: they come out of `signRecord`, out of `decodeRecord`, or out of the own store.
 */
import { nodeIdOf, PUBLIC_KEY_BYTES, type NodeId } from '../ids.ts';
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

/**
 * Authors by number. They stay when their records go, as they stay in the version vector.
 */
export class AuthorTable {
  readonly #numbers = new Map<string, number>();
  readonly #ids: NodeId[] = [];
  #keys = Buffer.alloc(0);
  /** the author of most records is that of the record before */
  #last = 0;

  get size(): number {
    return this.#ids.length;
  }

  /** @param bytes with a public key at `at` */
  numberOf(bytes: Buffer, at: number): number {
    if (this.#isLast(bytes, at)) return this.#last;
    this.#last = this.#look(bytes, at);
    return this.#last;
  }

  #isLast(bytes: Buffer, at: number): boolean {
    const from = this.#last * PUBLIC_KEY_BYTES;
    for (let i = 0; i < PUBLIC_KEY_BYTES; i++) if (bytes[at + i] !== this.#keys[from + i]) return false;
    return true;
  }

  #look(bytes: Buffer, at: number): number {
    const text = bytes.toString('latin1', at, at + PUBLIC_KEY_BYTES);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#ids.length;
    const end = (number + 1) * PUBLIC_KEY_BYTES;
    if (end > this.#keys.length)
      this.#keys = Buffer.concat([this.#keys], Math.max(4 * PUBLIC_KEY_BYTES, end * 2));
    bytes.copy(this.#keys, end - PUBLIC_KEY_BYTES, at, at + PUBLIC_KEY_BYTES);
    this.#ids.push(nodeIdOf(bytes.subarray(at, at + PUBLIC_KEY_BYTES)));
    this.#numbers.set(text, number);
    return number;
  }

  idOf(number: number): NodeId {
    const id = this.#ids[number];
    if (id === undefined) throw new RangeError(`no author ${number}`);
    return id;
  }

  writeKey(number: number, target: Buffer, at: number): void {
    this.#keys.copy(target, at, number * PUBLIC_KEY_BYTES, (number + 1) * PUBLIC_KEY_BYTES);
  }
}

/** Room that `pack` may need: every other field gets shorter, or stays. @param canonical a legal record */
export function packedBytesMax(canonical: Uint8Array): number {
  return canonical.length + SLOT_BYTES_MAX;
}

/**
 * @param canonical a legal record
 * @param target with `packedBytesMax` bytes of room
 * @returns how many were written
 */
export function pack(slot: number, canonical: Buffer, authors: AuthorTable, target: Buffer): number {
  const keyAt = HEAD_BYTES + WALL_BYTES + 2 + 2;
  const keyEnd = keyAt + canonical.readUInt16BE(keyAt - 2);
  const count = canonical.readUInt16BE(keyEnd);
  let to = writeVarint(target, 0, keyEnd - keyAt);
  to += canonical.copy(target, to, keyAt, keyEnd);
  to = writeVarint(target, to, slot);
  to = writeVarint(target, to, 2 * count + (canonical[1] === TOMBSTONE ? 1 : 0));
  to = packDot(canonical, 2, authors, target, to);
  to += canonical.copy(target, to, HEAD_BYTES, HEAD_BYTES + WALL_BYTES);
  to = writeVarint(target, to, canonical.readUInt16BE(HEAD_BYTES + WALL_BYTES));
  const valueAt = keyEnd + 2 + count * DOT_BYTES + VALUE_LENGTH_BYTES;
  for (let from = keyEnd + 2; from < valueAt - VALUE_LENGTH_BYTES; from += DOT_BYTES)
    to = packDot(canonical, from, authors, target, to);
  return to + canonical.copy(target, to, valueAt);
}

/** The record packed into the bytes from `start` to `end`. */
export function unpack(packed: Buffer, start: number, end: number, authors: AuthorTable): StoredRecord {
  const reader = new Reader(packed, start);
  const keyBytes = reader.varint();
  const keyAt = reader.skip(keyBytes);
  const slot = reader.varint();
  const flags = reader.varint();
  const author = reader.varint();
  const sequence = reader.varint();
  const wallAt = reader.skip(WALL_BYTES);
  const counter = reader.varint();
  const entries: { readonly author: number; readonly sequence: number }[] = [];
  for (let left = flags >>> 1; left > 0; left--)
    entries.push({ author: reader.varint(), sequence: reader.varint() });
  const valueAt = reader.at;
  const valueEnd = end - SIGNATURE_BYTES;

  const keyTo = HEAD_BYTES + WALL_BYTES + 2 + 2;
  const lengthTo = keyTo + keyBytes + 2 + entries.length * DOT_BYTES;
  const bytes = new Uint8Array(lengthTo + VALUE_LENGTH_BYTES + end - valueAt);
  const canonical = Buffer.from(bytes.buffer);
  canonical[0] = VERSION;
  canonical[1] = flags & TOMBSTONE;
  const dot = writeDot(author, sequence, authors, canonical, 2);
  packed.copy(canonical, HEAD_BYTES, wallAt, wallAt + WALL_BYTES);
  canonical.writeUInt16BE(counter, HEAD_BYTES + WALL_BYTES);
  canonical.writeUInt16BE(keyBytes, keyTo - 2);
  packed.copy(canonical, keyTo, keyAt, keyAt + keyBytes);
  canonical.writeUInt16BE(entries.length, keyTo + keyBytes);
  const context = entries.map((entry, at) =>
    writeDot(entry.author, entry.sequence, authors, canonical, keyTo + keyBytes + 2 + at * DOT_BYTES),
  );
  canonical.writeUInt32BE(valueEnd - valueAt, lengthTo);
  packed.copy(canonical, lengthTo + VALUE_LENGTH_BYTES, valueAt, end);

  const record: SignedRecord = {
    key: packed.toString('utf8', keyAt, keyAt + keyBytes),
    value: (flags & TOMBSTONE) === 0 ? packed.toString('utf8', valueAt, valueEnd) : null,
    dot,
    context,
    stamp: { wallMs: packed.readUIntBE(wallAt, WALL_BYTES), counter },
    id: idOf(canonical, canonical.length - SIGNATURE_BYTES),
    bytes,
  };
  return { slot, record };
}

/** What of a record can be read without making it. */
export interface PackedHead {
  readonly slot: number;
  readonly dot: Dot;
  readonly stamp: Stamp;
}

export function unpackHead(packed: Buffer, start: number, authors: AuthorTable): PackedHead {
  const reader = new Reader(packed, start);
  reader.skip(reader.varint());
  const slot = reader.varint();
  reader.varint();
  const dot: Dot = { author: authors.idOf(reader.varint()), sequence: reader.varint() };
  const wallMs = packed.readUIntBE(reader.skip(WALL_BYTES), WALL_BYTES);
  return { slot, dot, stamp: { wallMs, counter: reader.varint() } };
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

function packDot(canonical: Buffer, from: number, authors: AuthorTable, target: Buffer, to: number): number {
  const sequenceAt = from + PUBLIC_KEY_BYTES;
  const sequence = canonical.readUInt32BE(sequenceAt) * 2 ** 32 + canonical.readUInt32BE(sequenceAt + 4);
  return writeVarint(target, writeVarint(target, to, authors.numberOf(canonical, from)), sequence);
}

function writeDot(author: number, sequence: number, authors: AuthorTable, target: Buffer, to: number): Dot {
  authors.writeKey(author, target, to);
  target.writeUInt32BE(Math.floor(sequence / 2 ** 32), to + PUBLIC_KEY_BYTES);
  target.writeUInt32BE(sequence % 2 ** 32, to + PUBLIC_KEY_BYTES + 4);
  return { author: authors.idOf(author), sequence };
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

  /** @returns where the skipped bytes begin */
  skip(count: number): number {
    this.at += count;
    return this.at - count;
  }
}
