/**
 * A proof that stands alone: what a node's signed root says about one key, for somebody who trusts neither the node's
 * answer nor the way it came, and who is offline.
 *
 * It binds four things: the node's signature to the root, the root to the ids under the key's path, the ids to the
 * records, the records to their authors' signatures. The winner follows from the records by the rule of merge.ts.
 * What it cannot show: that the node had heard of everything by then, and that no later root exists.
 */
import { CodecError } from '../codec.ts';
import { isNodeId, publicKeyOf } from '../ids.ts';
import type { Digest, NodeId } from '../ids.ts';
import { mergeKey } from './merge.ts';
import { pathOf } from './merkle.ts';
import { parseProof, prove, verifyProof } from './proof.ts';
import type { MerkleProof, ProvableTrie } from './proof.ts';
import { decodeRecord, RECORD_LIMITS, verifyRecord } from './record.ts';
import type { SignedRecord } from './record.ts';
import { SIGNATURE_BYTES, verifySignature } from './signature.ts';
import { base64Of, fieldsOf, hex32Of, listOf, quoted, textOf } from './strict-json.ts';

const DOCUMENT_VERSION = 1;
/** Live records of one key: a guess, far above the authors that a key may have; raising it costs the verifier time. */
const RECORDS_MAX = 1024;
/** Above the largest legal record, whose size `decodeRecord` checks exactly. */
const RECORD_BYTES_MAX = 131_072;
const PEER_ID_CHARACTERS_MAX = 64;

/** A root with its node's word for it, as `GET /api/lattice/state` answers. */
export interface SignedRoot {
  readonly root: Digest;
  /** ms since the epoch, by the node's clock */
  readonly timestamp: number;
  readonly peerId: NodeId;
  /** 64 bytes over `stateText` */
  readonly signature: Uint8Array;
}

/** JSON, so in the names of the HTTP contract. */
export interface ProofDocument {
  readonly version: typeof DOCUMENT_VERSION;
  readonly key: string;
  readonly root: string;
  readonly timestamp: number;
  readonly peer_id: string;
  /** base64 */
  readonly signature: string;
  /** the key's live records, canonical and signed, in base64, the winner first */
  readonly records: readonly string[];
  readonly path: MerkleProof;
}

/** What a proof is made from; a replica is one. */
export interface ProofSource {
  readonly trie: ProvableTrie;
  get(key: string): { readonly winner: SignedRecord; readonly siblings: readonly SignedRecord[] } | null;
}

export type DocumentVerdict =
  | {
      readonly ok: true;
      readonly key: string;
      /** `absent`: nothing is known of the key; `tombstone`: it was deleted */
      readonly state: 'value' | 'tombstone' | 'absent';
      /** null when absent */
      readonly winner: SignedRecord | null;
      /** concurrent records that lost, greatest first */
      readonly siblings: readonly SignedRecord[];
      readonly signed: SignedRoot;
    }
  /** a sentence */
  | { readonly ok: false; readonly reason: string };

/** What a node signs to vouch for a root. */
function stateText(root: string, timestamp: number, peerId: string): string {
  return `aethel/state/v1\n${root}\n${timestamp}\n${peerId}`;
}

export function signRoot(
  root: Digest,
  timestamp: number,
  identity: { readonly id: NodeId; sign(bytes: Uint8Array): Uint8Array },
): SignedRoot {
  const signature = identity.sign(Buffer.from(stateText(root, timestamp, identity.id), 'utf8'));
  return { root, timestamp, peerId: identity.id, signature };
}

/**
 * @param signed the root that the source has now: sign and prove in one turn
 * @throws RangeError when the source has moved on from that root
 */
export function proofDocument(source: ProofSource, key: string, signed: SignedRoot): ProofDocument {
  if (source.trie.root() !== signed.root) throw new RangeError('the signed root is not the present one');
  const view = source.get(key);
  const records = view === null ? [] : [view.winner, ...view.siblings];
  return {
    version: DOCUMENT_VERSION,
    key,
    root: signed.root,
    timestamp: signed.timestamp,
    peer_id: signed.peerId,
    signature: base64(signed.signature),
    records: records.map(({ bytes }) => base64(bytes)),
    path: prove(source.trie, pathOf(key)),
  };
}

/**
 * @param document parsed JSON from anywhere
 * @param peerId who must have signed the root; null takes the document's word for who that is
 */
export function verifyDocument(document: unknown, peerId: NodeId | null): DocumentVerdict {
  try {
    return judge(document, peerId);
  } catch (error) {
    if (error instanceof CodecError) return invalid(`The document is malformed: ${error.reason}.`);
    throw error;
  }
}

function judge(json: unknown, peerId: NodeId | null): DocumentVerdict {
  const { key, signed, path, records: blocks } = parseDocument(json);
  if (peerId !== null && signed.peerId !== peerId)
    return invalid(`The root is signed by ${signed.peerId}, not by ${peerId}.`);
  const text = Buffer.from(stateText(signed.root, signed.timestamp, signed.peerId), 'utf8');
  if (!verifySignature(signed.signature, text, publicKeyOf(signed.peerId)))
    return invalid(`The signature of the root is not ${signed.peerId}'s over this root and time.`);

  const proven = verifyProof(path, signed.root, pathOf(key));
  if (!proven.ok) return invalid(`The path is wrong: ${proven.reason}.`);

  const records: SignedRecord[] = [];
  for (const [i, bytes] of blocks.entries()) {
    const name = `Record ${i + 1}`;
    let record: SignedRecord;
    try {
      record = decodeRecord(bytes);
    } catch (error) {
      if (error instanceof CodecError) return invalid(`${name} is not canonical: ${error.reason}.`);
      throw error;
    }
    if (record.key !== key)
      return invalid(`${name} is of the key ${quoted(record.key)}, not ${quoted(key)}.`);
    if (verifyRecord(record) === null)
      return invalid(`${name} does not have the signature of its author ${record.dot.author}.`);
    if (!proven.ids.includes(record.id))
      return invalid(`${name} is not among those that the root has under this key.`);
    records.push(record);
  }
  if (records.length !== proven.ids.length)
    return invalid(
      `The root has ${proven.ids.length} records under this key, the document brings ${records.length}.`,
    );
  const disorder = whyNotLive(records);
  if (disorder !== null) return invalid(disorder);

  const [winner = null, ...siblings] = records;
  const state = winner === null ? 'absent' : winner.value === null ? 'tombstone' : 'value';
  return { ok: true, key, state, winner, siblings, signed };
}

/** Merges the records anew: none may replace another, and the order must come out the same. */
function whyNotLive(records: readonly SignedRecord[]): string | null {
  let live: readonly SignedRecord[] = [];
  for (const [i, record] of records.entries()) {
    const merged = mergeKey(live, record);
    if (merged.outcome === 'known') return `Record ${i + 1} is there already.`;
    if (merged.outcome === 'covered')
      return `Record ${i + 1} is replaced by one before it, so it does not live.`;
    if (merged.removed.length > 0) return `Record ${i + 1} replaces one before it.`;
    live = merged.live;
  }
  return live.every((record, i) => record === records[i])
    ? null
    : 'The records are not in order: the winner comes first, then the others, greatest first.';
}

interface Parsed {
  readonly key: string;
  readonly signed: SignedRoot;
  readonly records: readonly Uint8Array[];
  readonly path: MerkleProof;
}

function parseDocument(json: unknown): Parsed {
  const fields = fieldsOf(json, 'document', [
    'version',
    'key',
    'root',
    'timestamp',
    'peer_id',
    'signature',
    'records',
    'path',
  ]);
  if (fields.version !== DOCUMENT_VERSION) throw new CodecError(`version is not ${DOCUMENT_VERSION}`);
  const { keyBytesMax } = RECORD_LIMITS;
  const key = textOf(fields.key, 'key', keyBytesMax);
  // A lone surrogate would be hashed as U+FFFD, and so prove something about another key.
  if (key === '' || !key.isWellFormed() || Buffer.byteLength(key) > keyBytesMax)
    throw new CodecError(`key is not 1 to ${keyBytesMax} bytes of UTF-8`);
  const { timestamp } = fields;
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp) || timestamp < 0)
    throw new CodecError('timestamp is no number of milliseconds');
  const peerId = textOf(fields.peer_id, 'peer_id', PEER_ID_CHARACTERS_MAX);
  if (!isNodeId(peerId)) throw new CodecError('peer_id is no Ed25519 peer id');
  return {
    key,
    signed: {
      root: hex32Of(fields.root, 'root') as Digest,
      timestamp,
      peerId,
      signature: base64Of(fields.signature, 'signature', SIGNATURE_BYTES),
    },
    records: listOf(fields.records, 'records', 0, RECORDS_MAX).map((record) =>
      base64Of(record, 'a record', RECORD_BYTES_MAX),
    ),
    path: parseProof(fields.path),
  };
}

function invalid(reason: string): DocumentVerdict {
  return { ok: false, reason };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
