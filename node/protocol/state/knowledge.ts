/**
 * What a node knows beside its live records, as the store keeps it: u8 version = 1, the version vector, and u16 n × 32
 * the members it has ever met. Members count when a tombstone is to be collected: one that is away may still have the old value.
 */
import { ByteReader, ByteWriter, CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf, type NodeId } from '../ids.ts';
import { VersionVector } from './version-vector.ts';

const VERSION = 1;
const BYTES_MAX = 1_048_576;
const MEMBERS_MAX = 4_096;

export interface Knowledge {
  readonly vector: Pick<VersionVector, 'write'>;
  readonly members: readonly NodeId[];
}

export function encodeKnowledge({ vector, members }: Knowledge): Uint8Array {
  const writer = vector.write(new ByteWriter(BYTES_MAX).u8(VERSION));
  const told = members.toSorted().slice(0, MEMBERS_MAX);
  writer.u16(told.length);
  for (const member of told) writer.bytes(publicKeyOf(member));
  return writer.finish();
}

/** @throws CodecError */
export function decodeKnowledge(bytes: Uint8Array): Knowledge & { readonly vector: VersionVector } {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new CodecError(`knowledge version ${version}`);
  const vector = VersionVector.read(reader);
  const members: NodeId[] = [];
  for (let count = reader.u16(); count > 0; count -= 1)
    members.push(nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES)));
  reader.end();
  return { vector, members };
}
