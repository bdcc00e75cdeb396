/**
 * A record as the store keeps it: behind the path of its key and its id, so that a start need not hash a million of them anew.
 *
 *     0x02, path (32), id (32), canonical bytes
 *     canonical bytes          as older versions kept it; they begin with 0x01
 *
 * Bytes out of the store need no second look: this node verified the record before it stored it, and the store's checksum
 * vouches for all of them. No field is checked, and what few ask for at a start, the value, is read when asked for.
 */
import { nodeIdOf, PUBLIC_KEY_BYTES, type NodeId, type RecordId } from '../ids.ts';
import type { Stamp } from './clock.ts';
import { pathOf } from './merkle.ts';
import { idOf, type Dot, type SignedRecord, type VerifiedRecord } from './record.ts';
import { SIGNATURE_BYTES } from './signature.ts';

const TOMBSTONE = 1;
const DOT_AT = 2;
const DOT_BYTES = PUBLIC_KEY_BYTES + 8;
const WALL_AT = DOT_AT + DOT_BYTES;
const KEY_AT = WALL_AT + 6 + 2 + 2;
const NO_DOTS: readonly Dot[] = [];

const KEPT = 2;
const DIGEST_BYTES = 32;
/** where in a kept form the path is, and the id behind it */
export const DIGESTS_AT = 1;
const ID_AT = DIGESTS_AT + DIGEST_BYTES;
const RECORD_AT = ID_AT + DIGEST_BYTES;

export interface KeptRecord {
  readonly record: VerifiedRecord;
  /** what a load need not compute, from `DIGESTS_AT` on; null where the store does not have it */
  readonly digests: Buffer | null;
}

export function keptForm({ key, id, bytes }: SignedRecord): Uint8Array {
  const kept = Buffer.allocUnsafe(RECORD_AT + bytes.length);
  kept[0] = KEPT;
  kept.write(pathOf(key), DIGESTS_AT, 'hex');
  kept.write(id, ID_AT, 'hex');
  kept.set(bytes, RECORD_AT);
  return kept;
}

/** The canonical bytes in a kept form of either kind. */
export function canonicalOf(kept: Uint8Array): Uint8Array {
  return kept[0] === KEPT ? kept.subarray(RECORD_AT) : kept;
}

/** @param kept out of the own store, and no longer anybody else's */
export function readKept(kept: Uint8Array): KeptRecord {
  const own = Buffer.isBuffer(kept) ? kept : Buffer.from(kept.buffer, kept.byteOffset, kept.length);
  if (own[0] !== KEPT)
    return { record: trusted(own, idOf(own, own.length - SIGNATURE_BYTES)), digests: null };
  const id = own.toString('hex', ID_AT, RECORD_AT) as RecordId;
  return { record: trusted(own.subarray(RECORD_AT), id), digests: own };
}

function trusted(bytes: Buffer, id: RecordId): VerifiedRecord {
  return new TrustedRecord(bytes, id) as unknown as VerifiedRecord;
}

class TrustedRecord implements SignedRecord {
  readonly bytes: Buffer;
  readonly id: RecordId;
  readonly key: string;
  readonly dot: Dot;
  readonly context: readonly Dot[];
  readonly stamp: Stamp;
  /** where the value's length is */
  readonly #lengthAt: number;

  constructor(own: Buffer, id: RecordId) {
    this.bytes = own;
    this.id = id;
    this.dot = readDot(own, DOT_AT);
    this.stamp = { wallMs: own.readUIntBE(WALL_AT, 6), counter: own.readUInt16BE(WALL_AT + 6) };
    const keyEnd = KEY_AT + own.readUInt16BE(KEY_AT - 2);
    this.key = own.toString('utf8', KEY_AT, keyEnd);
    const count = own.readUInt16BE(keyEnd);
    this.#lengthAt = keyEnd + 2 + count * DOT_BYTES;
    this.context =
      count === 0
        ? NO_DOTS
        : Array.from({ length: count }, (_, at) => readDot(own, keyEnd + 2 + at * DOT_BYTES));
  }

  get value(): string | null {
    if (this.bytes[1] === TOMBSTONE) return null;
    return this.bytes.toString('utf8', this.#lengthAt + 4, this.bytes.length - SIGNATURE_BYTES);
  }
}

/** The author of most records is that of the record before. */
let last: { readonly key: Buffer; readonly id: NodeId } | null = null;

function readDot(bytes: Buffer, at: number): Dot {
  const end = at + PUBLIC_KEY_BYTES;
  if (last === null || bytes.compare(last.key, 0, PUBLIC_KEY_BYTES, at, end) !== 0) {
    const key = Buffer.from(bytes.subarray(at, end));
    last = { key, id: nodeIdOf(key) };
  }
  return { author: last.id, sequence: bytes.readUInt32BE(end) * 2 ** 32 + bytes.readUInt32BE(end + 4) };
}
