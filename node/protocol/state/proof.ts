/**
 * Merkle proofs: which record ids live under a path, or that none do, checked against a root and nothing else.
 *
 * A proof is the way from the root down to the bucket where the path ends: at every inner node the digests of the
 * fifteen other children, at the end the whole bucket. The same proof shows presence and absence, for a bucket is
 * hashed as a whole: a path that is not in it is nowhere. In JSON it is written as it is here.
 *
 * The verifier hashes the bucket, then one inner node per level, and must arrive at the root. It takes only what an
 * honest trie can have (see merkle.ts): sorted paths of the right prefix, sorted ids.
 */
import { CodecError } from '../codec.ts';
import type { Digest, RecordId } from '../ids.ts';
import { BUCKET_MAX, hashInner, hashLeaf, WIDTH } from './merkle.ts';
import type { MerkleTrie, TrieEntry } from './merkle.ts';
import { fieldsOf, hex32Of, listOf } from './strict-json.ts';

const PROOF_VERSION = 1;
const PATH_DIGITS = 64;
const IDS_MAX = 0xffff;
const PATH = /^[0-9a-f]{64}$/;

export interface MerkleProof {
  readonly version: typeof PROOF_VERSION;
  /** from the root down; each the 15 digests of the other children, in the order of their digits */
  readonly siblings: readonly (readonly Digest[])[];
  /** everything in the bucket where the path ends, in path order */
  readonly entries: readonly TrieEntry[];
}

/** `ids`: the live records under the path, sorted; none when the path is not in the trie */
export type ProofVerdict =
  | { readonly ok: true; readonly ids: readonly RecordId[] }
  | { readonly ok: false; readonly reason: string };

export type ProvableTrie = Pick<MerkleTrie, 'root' | 'children' | 'entries'>;

/** @param path 64 hex digits, see `pathOf` */
export function prove(trie: ProvableTrie, path: string): MerkleProof {
  if (!PATH.test(path)) throw new RangeError(`no path: ${path.slice(0, 80)}`);
  const siblings: (readonly Digest[])[] = [];
  for (let depth = 0; depth <= PATH_DIGITS; depth++) {
    const prefix = path.slice(0, depth);
    const entries = trie.entries(prefix);
    if (entries !== null) return { version: PROOF_VERSION, siblings, entries };
    siblings.push((trie.children(prefix) ?? []).toSpliced(digitAt(path, depth), 1));
  }
  throw new Error('a trie has more than one entry of one path');
}

/** @param proof may come from a stranger: its shape is checked too */
export function verifyProof(proof: MerkleProof, root: string, path: string): ProofVerdict {
  if (!PATH.test(path)) return { ok: false, reason: 'the path is not 64 hex digits' };
  try {
    const { siblings, entries } = parseProof(proof);
    const prefix = path.slice(0, siblings.length);
    if (!entries.every((entry) => entry.path.startsWith(prefix))) {
      return { ok: false, reason: 'the bucket of the proof is not the one where the path of this key ends' };
    }
    let digest = hashLeaf(entries);
    for (const [depth, others] of [...siblings.entries()].reverse()) {
      digest = hashInner(others.toSpliced(digitAt(path, depth), 0, digest));
    }
    if (digest !== root) return { ok: false, reason: 'the proof does not lead to this root' };
    return { ok: true, ids: entries.find((entry) => entry.path === path)?.ids ?? [] };
  } catch (error) {
    if (error instanceof CodecError) return { ok: false, reason: error.reason };
    throw error;
  }
}

/**
 * The proof in parsed JSON.
 *
 * @throws CodecError on anything that no trie can have made
 */
export function parseProof(json: unknown): MerkleProof {
  const fields = fieldsOf(json, 'proof', ['version', 'siblings', 'entries']);
  if (fields.version !== PROOF_VERSION) throw new CodecError(`proof version is not ${PROOF_VERSION}`);
  const siblings = listOf(fields.siblings, 'siblings', 0, PATH_DIGITS).map((level) =>
    listOf(level, 'a level of siblings', WIDTH - 1, WIDTH - 1).map(
      (digest) => hex32Of(digest, 'a sibling') as Digest,
    ),
  );
  const entries = listOf(fields.entries, 'entries', 0, BUCKET_MAX).map(parseEntry);
  if (!isAscending(entries.map(({ path }) => path))) throw new CodecError('entries not in path order');
  return { version: PROOF_VERSION, siblings, entries };
}

function parseEntry(json: unknown): TrieEntry {
  const fields = fieldsOf(json, 'an entry', ['path', 'ids']);
  const path = hex32Of(fields.path, 'the path of an entry');
  const ids = listOf(fields.ids, 'the ids of an entry', 1, IDS_MAX).map(
    (id) => hex32Of(id, 'an id of an entry') as RecordId,
  );
  if (!isAscending(ids)) throw new CodecError('ids of an entry not in order');
  return { path, ids };
}

/** Sorted, and each once. */
function isAscending(texts: readonly string[]): boolean {
  return texts.every((text, i) => i === 0 || text > (texts[i - 1] ?? ''));
}

function digitAt(path: string, depth: number): number {
  return Number.parseInt(path.charAt(depth), 16);
}
