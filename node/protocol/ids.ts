/**
 * Names of nodes, records and states.
 *
 * A node is named by its Ed25519 public key, written as libp2p writes it: base58btc of the identity multihash of
 * the protobuf-wrapped key ("12D3KooW…"). One name serves both lungs, the records and the logs.
 *
 * @see https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */
import { base58btc } from 'multiformats/bases/base58';

/** A node's name: the text form of its libp2p peer id, always of an Ed25519 key (52 characters). */
export type NodeId = string & { readonly __brand: 'NodeId' };

/** SHA-256 of a record's canonical body, 64 lower-case hex characters. */
export type RecordId = string & { readonly __brand: 'RecordId' };

/** SHA-256 digest of a subtree or of the whole state, 64 lower-case hex characters. */
export type Digest = string & { readonly __brand: 'Digest' };

export const PUBLIC_KEY_BYTES = 32;

/** identity multihash (0x00), 36 bytes; protobuf PublicKey { Type: Ed25519 (1), Data: 32 bytes } */
const PREFIX = Uint8Array.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);

const namesByKey = new Map<string, NodeId>();
const keysByName = new Map<NodeId, Uint8Array>();
const NAMES_KEPT_MAX = 10_000;

/** @param publicKey 32 bytes */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new RangeError(`public key of ${publicKey.length} bytes`);
  const hex = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const known = namesByKey.get(hex);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(PREFIX.length + PUBLIC_KEY_BYTES);
  bytes.set(PREFIX);
  bytes.set(publicKey, PREFIX.length);
  const id = base58btc.baseEncode(bytes) as NodeId;
  if (namesByKey.size >= NAMES_KEPT_MAX) {
    namesByKey.clear();
    keysByName.clear();
  }
  namesByKey.set(hex, id);
  keysByName.set(id, bytes.subarray(PREFIX.length));
  return id;
}

/** The 32 bytes inside a node's name. Throws on a text that is no Ed25519 peer id. */
export function publicKeyOf(id: NodeId): Uint8Array {
  const known = keysByName.get(id);
  if (known !== undefined) return known;
  const key = parseNodeId(id);
  if (key === null) throw new RangeError(`not an Ed25519 peer id: ${id.slice(0, 80)}`);
  nodeIdOf(key);
  return key;
}

export function isNodeId(text: string): text is NodeId {
  return keysByName.has(text as NodeId) || parseNodeId(text) !== null;
}

function parseNodeId(text: string): Uint8Array | null {
  if (text.length < 40 || text.length > 60) return null;
  let bytes: Uint8Array;
  try {
    bytes = base58btc.baseDecode(text);
  } catch {
    return null;
  }
  if (bytes.length !== PREFIX.length + PUBLIC_KEY_BYTES) return null;
  if (!PREFIX.every((byte, i) => bytes[i] === byte)) return null;
  return bytes.subarray(PREFIX.length);
}
