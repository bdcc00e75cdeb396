/**
 * A record read from bytes that need no second look: this node verified it before it stored it, and the store's checksum
 * vouches for the bytes. No field is checked, and what few ask for at a start, the value, is read when asked for.
 */
import { nodeIdOf, PUBLIC_KEY_BYTES, type NodeId, type RecordId } from '../ids.ts';
import type { Stamp } from './clock.ts';
import { idOf, type Dot, type SignedRecord, type VerifiedRecord } from './record.ts';
import { SIGNATURE_BYTES } from './signature.ts';

const TOMBSTONE = 1;
const DOT_AT = 2;
const DOT_BYTES = PUBLIC_KEY_BYTES + 8;
const WALL_AT = DOT_AT + DOT_BYTES;
const KEY_AT = WALL_AT + 6 + 2 + 2;
const NO_DOTS: readonly Dot[] = [];

/** @param bytes canonical, and no longer anybody else's */
export function trustedRecord(bytes: Uint8Array): VerifiedRecord {
  return new TrustedRecord(bytes) as unknown as VerifiedRecord;
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

  constructor(bytes: Uint8Array) {
    const own = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.bytes = own;
    this.id = idOf(own, own.length - SIGNATURE_BYTES);
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
