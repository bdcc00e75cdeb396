/**
 * The Merkle root of the live records: a 16-ary trie over the keys' hashes whose shape depends on the set alone, so
 * that any order of arrival gives the same root.
 *
 * A key's path is the hex SHA-256 of the key; its entry is the sorted ids of its live records. For a prefix of a path,
 * let S be the entries below it. Then
 *
 *     |S| ≤ 16:  digest = SHA-256(0x00 ‖ for each entry in path order: path (32) ‖ u16 count ‖ ids (32 each))
 *     |S| > 16:  digest = SHA-256(0x01 ‖ digests of the 16 longer prefixes (32 each))
 *
 * The digest of a prefix thus depends on S only, not on how the tree above it is cut: replicas of unlike size can
 * compare any prefix. Leaves and nodes have separate domains, as in RFC 6962 section 2.1. Digests are lazy: a change
 * marks the way down, and the next question pays for the marks.
 */
import { hash } from 'node:crypto';
import type { Digest, RecordId } from '../ids.ts';

const BUCKET_MAX = 16;
const WIDTH = 16;
const DIGEST_BYTES = 32;
const IDS_MAX = 0xffff;
const ALL_DIRTY = (1 << WIDTH) - 1;

export class MerkleTrie {
  #root: Tree = emptyBucket();

  /** Number of keys. */
  get size(): number {
    return countOf(this.#root);
  }

  /** Makes `ids` the entry of this path; no ids, no entry. @param ids in any order */
  set(path: string, ids: readonly RecordId[]): void {
    if (ids.length > IDS_MAX) throw new RangeError(`${ids.length} live records of one key`);
    this.#root =
      ids.length === 0 ? without(this.#root, path, 0) : having(this.#root, { path, ids: ids.toSorted() }, 0);
  }

  root(): Digest {
    return digestOf(this.#root);
  }

  /** @param prefix hex digits, '' for the whole */
  digest(prefix: string): Digest {
    const tree = this.#find(prefix);
    return tree.kind === 'inner' ? digestOf(tree) : hashEntries(below(tree, prefix));
  }

  /** The digests of the sixteen prefixes that are longer by one digit; null when at most 16 keys are below. */
  children(prefix: string): readonly Digest[] | null {
    const tree = this.#find(prefix);
    return tree.kind === 'inner' ? tree.children.map(digestOf) : null;
  }

  /** The ids below the prefix, by path, then id; the first `limit` of them. */
  ids(prefix: string, limit: number): readonly RecordId[] {
    const found: RecordId[] = [];
    const collect = (tree: Tree): void => {
      if (tree.kind === 'bucket') for (const entry of below(tree, prefix)) found.push(...entry.ids);
      else for (const child of tree.children) if (found.length < limit) collect(child);
    };
    collect(this.#find(prefix));
    return found.slice(0, limit);
  }

  /** Number of keys below the prefix. */
  count(prefix: string): number {
    const tree = this.#find(prefix);
    return tree.kind === 'inner' ? tree.count : below(tree, prefix).length;
  }

  /** The subtree of the prefix, or the bucket in which it ends. */
  #find(prefix: string): Tree {
    let tree = this.#root;
    for (let depth = 0; depth < prefix.length && tree.kind === 'inner'; depth++)
      tree = childOf(tree, prefix, depth);
    return tree;
  }
}

/** Where a key lives in the trie: 64 hex digits. */
export function pathOf(key: string): string {
  return hash('sha256', `aethel/path/v1\0${key}`, 'hex');
}

interface Entry {
  /** 64 hex digits */
  readonly path: string;
  /** sorted, at least one */
  readonly ids: readonly RecordId[];
}

interface Bucket {
  readonly kind: 'bucket';
  /** by path; at most 16, except on the way to being split */
  readonly entries: Entry[];
  digest: Digest | null;
}

interface Inner {
  readonly kind: 'inner';
  readonly children: Tree[];
  /** keys below, always above 16 */
  count: number;
  /** what is hashed: 0x01, then the children's digests, of which the clean ones are right */
  readonly preimage: Buffer;
  /** one bit per child whose digest in `preimage` is stale */
  dirty: number;
  digest: Digest | null;
}

type Tree = Bucket | Inner;

function emptyBucket(): Bucket {
  return { kind: 'bucket', entries: [], digest: null };
}

function countOf(tree: Tree): number {
  return tree.kind === 'inner' ? tree.count : tree.entries.length;
}

/** The tree with this entry; changed in place where it can be. */
function having(tree: Tree, entry: Entry, depth: number): Tree {
  if (tree.kind === 'bucket') {
    const at = positionOf(tree.entries, entry.path);
    const isReplaced = tree.entries[at]?.path === entry.path;
    tree.entries.splice(at, isReplaced ? 1 : 0, entry);
    tree.digest = null;
    return tree.entries.length > BUCKET_MAX ? split(tree, depth) : tree;
  }
  const before = childOf(tree, entry.path, depth);
  const countBefore = countOf(before);
  const after = having(before, entry, depth + 1);
  return replaceChild(tree, nibble(entry.path, depth), after, countOf(after) - countBefore);
}

/** The tree without an entry of this path. */
function without(tree: Tree, path: string, depth: number): Tree {
  if (tree.kind === 'bucket') {
    const at = positionOf(tree.entries, path);
    if (tree.entries[at]?.path !== path) return tree;
    tree.entries.splice(at, 1);
    tree.digest = null;
    return tree;
  }
  const before = childOf(tree, path, depth);
  const countBefore = countOf(before);
  const after = without(before, path, depth + 1);
  const growth = countOf(after) - countBefore;
  if (growth === 0) return tree;
  replaceChild(tree, nibble(path, depth), after, growth);
  return tree.count > BUCKET_MAX ? tree : { kind: 'bucket', entries: entriesOf(tree), digest: null };
}

function replaceChild(tree: Inner, at: number, child: Tree, growth: number): Inner {
  tree.children[at] = child;
  tree.count += growth;
  tree.dirty |= 1 << at;
  tree.digest = null;
  return tree;
}

function split(bucket: Bucket, depth: number): Inner {
  const children: Tree[] = Array.from({ length: WIDTH }, emptyBucket);
  for (const entry of bucket.entries) {
    const at = nibble(entry.path, depth);
    children[at] = having(children[at] ?? emptyBucket(), entry, depth + 1);
  }
  const preimage = Buffer.alloc(1 + WIDTH * DIGEST_BYTES);
  preimage[0] = 1;
  return { kind: 'inner', children, count: bucket.entries.length, preimage, dirty: ALL_DIRTY, digest: null };
}

function digestOf(tree: Tree): Digest {
  if (tree.digest !== null) return tree.digest;
  if (tree.kind === 'bucket') {
    tree.digest = hashEntries(tree.entries);
    return tree.digest;
  }
  for (const [at, child] of tree.children.entries()) {
    if ((tree.dirty & (1 << at)) !== 0) tree.preimage.write(digestOf(child), 1 + at * DIGEST_BYTES, 'hex');
  }
  tree.dirty = 0;
  tree.digest = hash('sha256', tree.preimage, 'hex') as Digest;
  return tree.digest;
}

function hashEntries(entries: readonly Entry[]): Digest {
  let length = 1;
  for (const entry of entries) length += DIGEST_BYTES + 2 + DIGEST_BYTES * entry.ids.length;
  const preimage = Buffer.allocUnsafe(length);
  let at = preimage.writeUInt8(0, 0);
  for (const { path, ids } of entries) {
    at += preimage.write(path, at, 'hex');
    at = preimage.writeUInt16BE(ids.length, at);
    for (const id of ids) at += preimage.write(id, at, 'hex');
  }
  return hash('sha256', preimage, 'hex') as Digest;
}

/** The entries of a tree in path order. */
function entriesOf(tree: Tree): Entry[] {
  return tree.kind === 'bucket' ? tree.entries : tree.children.flatMap(entriesOf);
}

function below(bucket: Bucket, prefix: string): readonly Entry[] {
  return bucket.entries.filter((entry) => entry.path.startsWith(prefix));
}

/** Where the path is, or would be. */
function positionOf(entries: readonly Entry[], path: string): number {
  const at = entries.findIndex((entry) => entry.path >= path);
  return at < 0 ? entries.length : at;
}

function childOf(tree: Inner, path: string, depth: number): Tree {
  const child = tree.children[nibble(path, depth)];
  if (child === undefined) throw new RangeError(`no hex digit at ${depth} of ${path.slice(0, 80)}`);
  return child;
}

function nibble(path: string, depth: number): number {
  return '0123456789abcdef'.indexOf(path.charAt(depth) || '?');
}
