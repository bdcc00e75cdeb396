/**
 * What a node knows beside its live records, as the store keeps it: u8 version = 2, the version vector, and u16 n × 44 the members it
 * has ever met: 32 bytes of the key, u48 ms of silence, u48 when it was heard last (monitor/members.ts). Version 1 had their keys only.
 * Members count for `w=`, and when a tombstone is to be collected: one that is away may still have the old value.
 */
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf, type NodeId } from '../ids.ts';
import { VersionVector } from './version-vector.ts';

const VERSION = 2;
const VERSION_BEFORE = 1;
const BYTES_MAX = 1_048_576;
const MEMBERS_MAX = 4_096;
/** of a u48 */
const MS_MAX = 2 ** 48 - 1;

/** See `KnownMember` of the monitor, which this room does not know. */
interface Member {
  readonly id: NodeId;
  readonly silentMs: number;
  readonly heardAtMs: number;
}

export interface Knowledge {
  readonly vector: Pick<VersionVector, 'write'>;
  readonly members: readonly Member[];
}

export function encodeKnowledge({ vector, members }: Knowledge): Uint8Array {
  const writer = vector.write(new ByteWriter(BYTES_MAX).u8(VERSION));
  // Not sorted: the first one met is the first one told.
  const told = members.slice(0, MEMBERS_MAX);
  writer.u16(told.length);
  for (const { id, silentMs, heardAtMs } of told)
    writer.bytes(publicKeyOf(id)).u48(Math.min(silentMs, MS_MAX)).u48(Math.min(heardAtMs, MS_MAX));
  return writer.finish();
}

/** @throws CodecError */
export function decodeKnowledge(bytes: Uint8Array): Knowledge & { readonly vector: VersionVector } {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION && version !== VERSION_BEFORE) throw new CodecError(`knowledge version ${version}`);
  const vector = VersionVector.read(reader);
  const members: Member[] = [];
  for (let count = reader.u16(); count > 0; count -= 1) {
    const id = nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES));
    const isTold = version === VERSION;
    members.push({ id, silentMs: isTold ? reader.u48() : 0, heardAtMs: isTold ? reader.u48() : 0 });
  }
  reader.end();
  return { vector, members };
}

/** The same without what was seen, for a store that lost records: it may say whom it met, but not that it lacks nothing. */
export function membersOnly(bytes: Uint8Array): Uint8Array {
  return encodeKnowledge({ ...decodeKnowledge(bytes), vector: new VersionVector() });
}
