/**
 * A record as the store keeps it: behind the path of its key and its id, so that a start need not hash a million of them anew.
 *
 *     0x02, path (32), id (32), canonical bytes
 *     canonical bytes          as older versions kept it; they begin with 0x01
 *
 * Bytes out of the store need no second look: this node verified the record before it stored it, and the store's checksum
 * vouches for all of them. No field is checked. What a start needs is read where it lies, and no more objects are made than
 * it takes: the engine keeps the room that a million of them once took.
 */
import { nodeIdOf, PUBLIC_KEY_BYTES, type NodeId, type RecordId } from '../ids.ts';
import type { Stamp } from './clock.ts';
import { writePath } from './merkle.ts';
import { idOf, type Dot, type SignedRecord } from './record.ts';
import { SIGNATURE_BYTES } from './signature.ts';

const TOMBSTONE = 1;
const DOT_AT = 2;
const DOT_BYTES = PUBLIC_KEY_BYTES + 8;
const WALL_AT = DOT_AT + DOT_BYTES;
const KEY_AT = WALL_AT + 6 + 2 + 2;

const KEPT = 2;
export const DIGEST_BYTES = 32;
const DIGESTS_AT = 1;
const RECORD_AT = DIGESTS_AT + 2 * DIGEST_BYTES;

export function keptForm({ key, id, bytes }: Pick<SignedRecord, 'key' | 'id' | 'bytes'>): Uint8Array {
  const kept = Buffer.allocUnsafe(RECORD_AT + bytes.length);
  kept[0] = KEPT;
  writeDigests(key, id, kept, DIGESTS_AT);
  kept.set(bytes, RECORD_AT);
  return kept;
}

/** As `keptForm`, of a record of which there is nothing but its canonical bytes. */
export function keptFormOf(canonical: Buffer): Uint8Array {
  const id = idOf(canonical, canonical.length - SIGNATURE_BYTES);
  return keptForm({ key: keyIn(canonical), id, bytes: canonical });
}

/** The canonical bytes in a kept form of either kind. */
export function canonicalOf(kept: Uint8Array): Uint8Array {
  return kept[0] === KEPT ? kept.subarray(RECORD_AT) : kept;
}

/** A kept form of either kind, out of the own store, to be read while its bytes are as they are. */
export class KeptRecord {
  readonly bytes: Buffer;
  /** where the canonical form begins, which goes on to the end */
  readonly from: number;
  /** with the path of its key at `digestsAt`, and its id behind it */
  readonly digests: Buffer;
  readonly digestsAt: number;
  readonly dot: Dot;
  readonly stamp: Stamp;

  constructor(kept: Uint8Array) {
    const bytes = Buffer.isBuffer(kept) ? kept : Buffer.from(kept.buffer, kept.byteOffset, kept.length);
    const hasDigests = bytes[0] === KEPT;
    this.bytes = bytes;
    this.from = hasDigests ? RECORD_AT : 0;
    this.dot = readDot(bytes, this.from + DOT_AT);
    const wallAt = this.from + WALL_AT;
    this.stamp = { wallMs: bytes.readUIntBE(wallAt, 6), counter: bytes.readUInt16BE(wallAt + 6) };
    this.digests = hasDigests ? bytes : this.#digested();
    this.digestsAt = hasDigests ? DIGESTS_AT : 0;
  }

  get isTombstone(): boolean {
    return this.bytes[this.from + 1] === TOMBSTONE;
  }

  get id(): RecordId {
    const at = this.digestsAt + DIGEST_BYTES;
    return this.digests.toString('hex', at, at + DIGEST_BYTES) as RecordId;
  }

  /** What an older version did not keep. */
  #digested(): Buffer {
    const bytes = this.bytes;
    const digests = Buffer.allocUnsafe(2 * DIGEST_BYTES);
    writeDigests(keyIn(bytes), idOf(bytes, bytes.length - SIGNATURE_BYTES), digests, 0);
    return digests;
  }
}

function writeDigests(key: string, id: RecordId, target: Buffer, at: number): void {
  writePath(key, target, at);
  target.write(id, at + DIGEST_BYTES, 'hex');
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

function keyIn(canonical: Buffer): string {
  return canonical.toString('utf8', KEY_AT, KEY_AT + canonical.readUInt16BE(KEY_AT - 2));
}
