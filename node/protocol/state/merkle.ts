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
 *
 * In memory an entry is 68 bytes of a slab: the next entry of its bucket, path, id. A bucket is a list in path order.
 * An inner node is 588 bytes: count, marks, sixteen references, and what is hashed for it, which is also where its
 * children's digests are kept. With a node per 23 entries at most that is below 100 bytes for an entry. Entries of
 * several ids are conflicts, so rare that their ids may live outside.
 *
 * What a full trie takes is the time to get there: memory that is in no cache. So entries that are set wait until there
 * are 32 of them or somebody asks, and go their ways together (`#approach`); many at once are built from the bottom up (`filling`).
 */
import { hash } from 'node:crypto';
import type { Digest, RecordId } from '../ids.ts';
import type { Pieces } from '../pieces.ts';
import { newChunk, Slab } from './slab.ts';

export const BUCKET_MAX = 16;
export const WIDTH = 16;
const PATH_DOMAIN = 'aethel/path/v1\0';
const HASH_BYTES = 32;
const HASH_WORDS = HASH_BYTES / 4;
const PATH_DIGITS = 2 * HASH_BYTES;
/** digits in a word */
const HEAD_DIGITS = 8;
const IDS_MAX = 0xffff;
const PREFIX = /^[0-9a-f]{0,64}$/;

/** Set in a reference that names an inner node; without it, the first entry of a bucket, or 0 for an empty one. */
const INNER = 0x4000_0000;
/** Set in an entry's first word, beside the next entry, when its ids are in `#conflicts`. */
const MANY = 0x4000_0000;

/** path, id */
const PAIR_BYTES = 2 * HASH_BYTES;
const PAIR_WORDS = PAIR_BYTES / 4;
/** entry: u32 next, path, id */
const ENTRY_BYTES = 4 + PAIR_BYTES;
const PATH_WORD = 1;
const ID_WORD = PATH_WORD + HASH_WORDS;
/** inner node: u32 count, u32 marks (one bit per child with a stale digest), 16 × u32 child, 0x01, 16 × digest, padding */
const INNER_BYTES = 588;
const INNER_WORDS = INNER_BYTES / 4;
const MARKS_WORD = 1;
const CHILD_WORD = 2;
const HASHED_BYTE = 4 * (CHILD_WORD + WIDTH);
const HASHED_BYTES = 1 + WIDTH * HASH_BYTES;
const ALL_MARKS = (1 << WIDTH) - 1;
const CACHE_LINE_WORDS = 16;
/** Entries that are set wait for so many others, 2 KiB, as long as nobody asks; twice or four times as many bring no more (measured, 300,000 entries). */
const TOGETHER = 32;
const APPROACHED_MIN = 4;
/** in a bucket's preimage, with the one id that there usually is */
const LEAF_ENTRY_BYTES = 2 + PAIR_BYTES;
/** So many take a millisecond or a few. */
const PIECE_ENTRIES = 256;
/** A chunk is about 140 KiB of either kind. */
const ENTRY_SHIFT = 11;
const INNER_SHIFT = 8;

const EMPTY_DIGEST = Buffer.from(hash('sha256', Buffer.of(0), 'hex'), 'hex');

/** Where the call under way works: nothing here outlives it, and the trie calls nobody that could call it. */
const pathBytes = Buffer.from(new ArrayBuffer(HASH_BYTES));
const pathWords = new Uint32Array(pathBytes.buffer);
const idBytes = Buffer.from(new ArrayBuffer(HASH_BYTES));
const idWords = new Uint32Array(idBytes.buffer);
const trail = new Int32Array(PATH_DIGITS + 1);
/** of each waiting entry, how far it came */
const ways = new Int32Array(TOGETHER);
const tails = new Int32Array(WIDTH);
/** What `#seek` found: the entry of the path or 0, what is before it or would be, what is after it, how many there are. */
const place = { found: 0, previous: 0, next: 0, length: 0 };
/** What is hashed for a bucket; by number of entries, views of the same memory. */
const leaf = new DataView(new ArrayBuffer(1 + BUCKET_MAX * LEAF_ENTRY_BYTES));
const leaves = Array.from(
  { length: BUCKET_MAX + 1 },
  (_, count) => new Uint8Array(leaf.buffer, 0, 1 + count * LEAF_ENTRY_BYTES),
);

/** A key's place in the trie with what lives there. */
export interface TrieEntry {
  /** 64 hex digits */
  readonly path: string;
  /** sorted, at least one */
  readonly ids: readonly RecordId[];
}

/** Entries of one id each in path order, no path twice; a rank is a number below `count`. */
export interface SortedEntries {
  readonly count: number;
  /** where the entry is: `words(rank)` from `word(rank)` on are path and id, in the processor's order of bytes */
  words(rank: number): Uint32Array;
  word(rank: number): number;
  /** the first eight digits of the path, as a number */
  head(rank: number): number;
}

export class MerkleTrie {
  readonly #entries = new Slab(ENTRY_BYTES, ENTRY_SHIFT);
  readonly #inners = new Slab(INNER_BYTES, INNER_SHIFT);
  /** by entry, sorted */
  readonly #conflicts = new Map<number, readonly RecordId[]>();
  /** Entries that were set and have not gone in: path, id. */
  readonly #waiting = newChunk(TOGETHER * PAIR_BYTES);
  #waitingCount = 0;
  #top = 0;
  #size = 0;
  #root: Digest | null = null;

  /** Number of keys. */
  get size(): number {
    this.#settle();
    return this.#size;
  }

  /** Memory held, but for the ids of conflicts. */
  get bytes(): number {
    this.#settle();
    return this.#entries.bytes + this.#inners.bytes;
  }

  /** Makes `ids` the entry of this path; no ids, no entry. @param ids in any order */
  set(path: string, ids: readonly RecordId[]): void {
    if (ids.length > IDS_MAX) throw new RangeError(`${ids.length} live records of one key`);
    const [first] = ids;
    if (ids.length === 1 && first !== undefined) {
      const at = this.#waitingCount * PAIR_BYTES;
      readHex(path, this.#waiting.bytes, at);
      readHex(first, this.#waiting.bytes, at + HASH_BYTES);
      this.#wait();
      return;
    }
    this.#settle();
    readHex(path, pathBytes, 0);
    for (const id of ids) readHex(id, idBytes, 0);
    if (first === undefined) this.#remove();
    else this.#put(ids.toSorted());
  }

  /**
   * As `set` of every entry, in pieces. A trie that was empty is built at once, bottom up: no place is sought, no bucket
   * split, a bucket's entries lie side by side, and no digest is left to be made. It stays empty until the last piece.
   */
  *filling(entries: SortedEntries): Pieces<void> {
    if (this.size > 0) {
      for (let rank = 0; rank < entries.count; rank++) {
        const from = entries.word(rank);
        const pair = entries.words(rank).subarray(from, from + PAIR_WORDS);
        this.#waiting.words.set(pair, this.#waitingCount * PAIR_WORDS);
        this.#wait();
        if (rank % PIECE_ENTRIES === 0) yield;
      }
      return;
    }
    const { count } = entries;
    const top =
      count > BUCKET_MAX ? yield* this.#planting(entries, 0, count, 0) : this.#lay(entries, 0, count);
    if (this.size > 0) throw new Error('a trie that is being filled was changed');
    this.#top = top;
    this.#size = count;
    this.#root = null;
  }

  root(): Digest {
    this.#settle();
    this.#root ??= this.#digest(this.#top);
    return this.#root;
  }

  /** @param prefix hex digits, '' for the whole */
  digest(prefix: string): Digest {
    if (prefix === '') return this.root();
    const tree = this.#find(prefix);
    return isInner(tree) ? this.#digest(tree) : hashLeaf(this.#below(tree, prefix));
  }

  /** The digests of the sixteen prefixes that are longer by one digit; null when at most 16 keys are below. */
  children(prefix: string): readonly Digest[] | null {
    const tree = this.#find(prefix);
    if (!isInner(tree)) return null;
    this.#freshen(tree);
    const { bytes } = this.#inners.chunk(tree & ~INNER);
    const from = 4 * this.#inners.word(tree & ~INNER) + HASHED_BYTE + 1;
    return Array.from({ length: WIDTH }, (_, at) => {
      const start = from + at * HASH_BYTES;
      return bytes.toString('hex', start, start + HASH_BYTES) as Digest;
    });
  }

  /** The ids below the prefix, by path, then id; the first `limit` of them. */
  ids(prefix: string, limit: number): readonly RecordId[] {
    const found: RecordId[] = [];
    const collect = (tree: number): void => {
      if (isInner(tree)) {
        for (let at = 0; at < WIDTH && found.length < limit; at++) collect(this.#child(tree, at));
      } else for (const { ids } of this.#below(tree, prefix)) found.push(...ids);
    };
    collect(this.#find(prefix));
    return found.slice(0, limit);
  }

  /** Number of keys below the prefix. */
  count(prefix: string): number {
    const tree = this.#find(prefix);
    return isInner(tree) ? this.#count(tree) : this.#below(tree, prefix).length;
  }

  /** The entries below the prefix in path order; null when more than 16 keys are below. */
  entries(prefix: string): readonly TrieEntry[] | null {
    const tree = this.#find(prefix);
    return isInner(tree) ? null : this.#below(tree, prefix);
  }

  /** One more entry waits. */
  #wait(): void {
    this.#waitingCount += 1;
    if (this.#waitingCount === TOGETHER) this.#settle();
  }

  /** Puts in what waits; before anything else is done or told. */
  #settle(): void {
    const count = this.#waitingCount;
    if (count === 0) return;
    this.#waitingCount = 0;
    if (count >= APPROACHED_MIN) this.#approach(count);
    const { words } = this.#waiting;
    for (let from = 0; from < count * PAIR_WORDS; from += PAIR_WORDS) {
      for (let i = 0; i < HASH_WORDS; i++) {
        pathWords[i] = words[from + i] ?? 0;
        idWords[i] = words[from + HASH_WORDS + i] ?? 0;
      }
      this.#put(null);
    }
  }

  /**
   * Reads what so many waiting entries are about to need: their inner nodes level by level, then the first entries of
   * their buckets, then the second ones. In a full trie all of it is far away, and a way of ten steps waits for memory ten
   * times; of thirty-two ways at once, most of the waiting is done at the same time.
   */
  #approach(count: number): void {
    const { bytes } = this.#waiting;
    let read = 0;
    ways.fill(this.#top, 0, count);
    for (let depth = 0, isDeeper = true; isDeeper; depth++) {
      isDeeper = false;
      for (let n = 0; n < count; n++) {
        const tree = ways[n] ?? 0;
        if (!isInner(tree)) continue;
        isDeeper = true;
        const { words } = this.#inners.chunk(tree & ~INNER);
        const at = this.#inners.word(tree & ~INNER);
        for (let i = 0; i < INNER_WORDS; i += CACHE_LINE_WORDS) read ^= words[at + i] ?? 0;
        ways[n] = words[at + CHILD_WORD + nibble(bytes, 2 * n * PAIR_BYTES + depth)] ?? 0;
      }
    }
    for (let isLonger = true; isLonger;) {
      isLonger = false;
      for (let n = 0; n < count; n++) {
        const entry = ways[n] ?? 0;
        if (entry === 0) continue;
        isLonger = true;
        const { words } = this.#entries.chunk(entry);
        const at = this.#entries.word(entry);
        read ^= words[at + ID_WORD + HASH_WORDS - 1] ?? 0;
        ways[n] = (words[at] ?? 0) & ~MANY;
      }
    }
    // Kept, or the compiler might read nothing.
    ways[0] = read;
  }

  /** Stores the entry of `pathBytes`. @param ids sorted, several; null for the one in `idBytes` */
  #put(ids: readonly RecordId[] | null): void {
    const depth = this.#descend();
    const head = trail[depth] ?? 0;
    this.#seek(head);
    const { found, previous, next, length } = place;
    if (found !== 0) {
      if (this.#fill(found, ids)) this.#grown(depth, 0);
      return;
    }
    const entry = this.#entries.allocate();
    const { words } = this.#entries.chunk(entry);
    const at = this.#entries.word(entry);
    words[at] = next;
    words.set(pathWords, at + PATH_WORD);
    this.#fill(entry, ids);
    if (previous !== 0) this.#setNext(previous, entry);
    const first = previous === 0 ? entry : head;
    const tree = length === BUCKET_MAX ? this.#split(first, depth) : first;
    if (tree !== head) this.#replace(depth, tree);
    this.#grown(depth, 1);
  }

  #remove(): void {
    const depth = this.#descend();
    const head = trail[depth] ?? 0;
    this.#seek(head);
    const { found, previous, next } = place;
    if (found === 0) return;
    if (previous === 0) this.#replace(depth, next);
    else this.#setNext(previous, next);
    this.#conflicts.delete(found);
    this.#entries.free(found);
    this.#grown(depth, -1);
    for (let level = 0; level < depth; level++) {
      const tree = trail[level] ?? 0;
      if (this.#count(tree) > BUCKET_MAX) continue;
      this.#replace(level, this.#gather(tree, 0));
      break;
    }
  }

  /** Leaves the way to `pathBytes` in `trail`: inner nodes, then the bucket. @returns the bucket's depth */
  #descend(): number {
    let tree = this.#top;
    let depth = 0;
    while (isInner(tree)) {
      trail[depth] = tree;
      tree = this.#child(tree, nibble(pathBytes, depth));
      depth += 1;
    }
    trail[depth] = tree;
    return depth;
  }

  /** Leaves in `place` where `pathBytes` is in a bucket. */
  #seek(head: number): void {
    let previous = 0;
    let found = 0;
    let length = 0;
    let entry = head;
    while (entry !== 0) {
      const { words } = this.#entries.chunk(entry);
      const at = this.#entries.word(entry);
      const order = comparePaths(words, at + PATH_WORD, pathWords, 0);
      if (order > 0) break;
      length += 1;
      const current = entry;
      entry = (words[at] ?? 0) & ~MANY;
      if (order === 0) {
        found = current;
        break;
      }
      previous = current;
    }
    place.found = found;
    place.previous = previous;
    place.next = entry;
    place.length = length + this.#lengthOf(entry);
  }

  /** Gives the entry its ids. @returns whether that changed anything */
  #fill(entry: number, ids: readonly RecordId[] | null): boolean {
    const { words } = this.#entries.chunk(entry);
    const at = this.#entries.word(entry);
    const next = words[at] ?? 0;
    if (ids !== null) {
      const before = this.#conflicts.get(entry);
      words[at] = next | MANY;
      this.#conflicts.set(entry, ids);
      return before === undefined || before.join() !== ids.join();
    }
    let isChanged = (next & MANY) !== 0;
    if (isChanged) {
      this.#conflicts.delete(entry);
      words[at] = next & ~MANY;
    }
    for (let i = 0; i < HASH_WORDS; i++) {
      const word = idWords[i] ?? 0;
      if (words[at + ID_WORD + i] === word) continue;
      words[at + ID_WORD + i] = word;
      isChanged = true;
    }
    return isChanged;
  }

  /** Puts another tree at this depth of the trail. */
  #replace(depth: number, tree: number): void {
    if (depth === 0) this.#top = tree;
    else this.#setChild(trail[depth - 1] ?? 0, nibble(pathBytes, depth - 1), tree);
  }

  /** Counts and marks the way down to a bucket that changed. */
  #grown(depth: number, growth: number): void {
    for (let level = 0; level < depth; level++) {
      const inner = (trail[level] ?? 0) & ~INNER;
      const { words } = this.#inners.chunk(inner);
      const at = this.#inners.word(inner);
      words[at] = (words[at] ?? 0) + growth;
      words[at + MARKS_WORD] = (words[at + MARKS_WORD] ?? 0) | (1 << nibble(pathBytes, level));
    }
    this.#size += growth;
    this.#root = null;
  }

  /** Makes an inner node of a bucket that is too long. */
  #split(head: number, depth: number): number {
    const inner = this.#newInner();
    const { words } = this.#inners.chunk(inner);
    const at = this.#inners.word(inner);
    words[at + MARKS_WORD] = ALL_MARKS;
    tails.fill(0);
    let count = 0;
    for (let entry = head; entry !== 0; count++) {
      const next = this.#next(entry);
      this.#setNext(entry, 0);
      const { bytes: path } = this.#entries.chunk(entry);
      const digit = nibble(path, depth + 8 * (this.#entries.word(entry) + PATH_WORD));
      const tail = tails[digit] ?? 0;
      if (tail === 0) words[at + CHILD_WORD + digit] = entry;
      else this.#setNext(tail, entry);
      tails[digit] = entry;
      entry = next;
    }
    words[at] = count;
    const tree = inner | INNER;
    for (let digit = 0; digit < WIDTH; digit++) {
      const child = this.#child(tree, digit);
      if (this.#lengthOf(child) > BUCKET_MAX) this.#setChild(tree, digit, this.#split(child, depth + 1));
    }
    return tree;
  }

  /** Without children, nothing marked. */
  #newInner(): number {
    const inner = this.#inners.allocate();
    const { words, bytes } = this.#inners.chunk(inner);
    const at = this.#inners.word(inner);
    words.fill(0, at, at + CHILD_WORD + WIDTH);
    bytes[4 * at + HASHED_BYTE] = 1;
    return inner;
  }

  /** Makes an inner node of so many entries, with the digests of its children. */
  *#planting(entries: SortedEntries, from: number, to: number, depth: number): Pieces<number> {
    const inner = this.#newInner();
    this.#inners.chunk(inner).words[this.#inners.word(inner)] = to - from;
    let end = from;
    for (let digit = 0; digit < WIDTH; digit++) {
      const start = end;
      while (end < to && digitOf(entries, end, depth) === digit) end += 1;
      const child =
        end - start > BUCKET_MAX
          ? yield* this.#planting(entries, start, end, depth + 1)
          : this.#lay(entries, start, end);
      // Asked for anew: a child may have moved it.
      const { words, bytes } = this.#inners.chunk(inner);
      const at = this.#inners.word(inner);
      words[at + CHILD_WORD + digit] = child;
      const target = 4 * at + HASHED_BYTE + 1 + digit * HASH_BYTES;
      if (child === 0) bytes.set(EMPTY_DIGEST, target);
      else writeBinary(isInner(child) ? sha256(this.#hashed(child)) : hashLeafOf(end - start), bytes, target);
    }
    if (to - from > PIECE_ENTRIES) yield;
    return inner | INNER;
  }

  /** Makes a bucket of so many entries, and leaves in `leaf` what is hashed for it. @returns the first entry */
  #lay(entries: SortedEntries, from: number, to: number): number {
    let first = 0;
    let previous = 0;
    for (let rank = from; rank < to; rank++) {
      const source = entries.words(rank);
      const start = entries.word(rank);
      const entry = this.#entries.allocate();
      const { words } = this.#entries.chunk(entry);
      const at = this.#entries.word(entry);
      words[at] = 0;
      for (let i = 0; i < PAIR_WORDS; i++) words[at + PATH_WORD + i] = source[start + i] ?? 0;
      writeToLeaf(rank - from, source, start);
      if (previous === 0) first = entry;
      else this.#setNext(previous, entry);
      previous = entry;
    }
    return first;
  }

  /** Makes one bucket of a tree and frees its inner nodes. @param after the entries that follow @returns the first entry */
  #gather(tree: number, after: number): number {
    if (!isInner(tree)) {
      if (tree === 0) return after;
      let last = tree;
      for (let next = this.#next(last); next !== 0; next = this.#next(last)) last = next;
      this.#setNext(last, after);
      return tree;
    }
    let first = after;
    for (let at = WIDTH - 1; at >= 0; at--) first = this.#gather(this.#child(tree, at), first);
    this.#inners.free(tree & ~INNER);
    return first;
  }

  #digest(tree: number): Digest {
    if (!isInner(tree)) return hashLeaf(this.#below(tree, ''));
    return hash('sha256', this.#hashed(tree), 'hex') as Digest;
  }

  #writeDigest(tree: number, target: Buffer, at: number): void {
    if (tree === 0) target.set(EMPTY_DIGEST, at);
    else writeBinary(isInner(tree) ? sha256(this.#hashed(tree)) : this.#hashBucket(tree), target, at);
  }

  /** What is hashed for an inner node, up to date; a view, for that is quicker to make than a copy. */
  #hashed(tree: number): Uint8Array {
    this.#freshen(tree);
    const { words } = this.#inners.chunk(tree & ~INNER);
    const from = 4 * this.#inners.word(tree & ~INNER) + HASHED_BYTE;
    return new Uint8Array(words.buffer, from, HASHED_BYTES);
  }

  /** Writes anew the digests of the marked children. */
  #freshen(tree: number): void {
    const inner = tree & ~INNER;
    const { words, bytes } = this.#inners.chunk(inner);
    const at = this.#inners.word(inner);
    const from = 4 * at + HASHED_BYTE + 1;
    let marks = words[at + MARKS_WORD] ?? 0;
    while (marks !== 0) {
      const child = 31 - Math.clz32(marks);
      marks ^= 1 << child;
      this.#writeDigest(words[at + CHILD_WORD + child] ?? 0, bytes, from + child * HASH_BYTES);
    }
    words[at + MARKS_WORD] = 0;
  }

  /** Bytes as 'binary' text. The usual bucket is hashed from bytes to bytes, one with a conflict the plain way. */
  #hashBucket(head: number): string {
    let count = 0;
    for (let entry = head; entry !== 0; count++) {
      const { words } = this.#entries.chunk(entry);
      const at = this.#entries.word(entry);
      const next = words[at] ?? 0;
      if ((next & MANY) !== 0) return Buffer.from(hashLeaf(this.#below(head, '')), 'hex').toString('binary');
      writeToLeaf(count, words, at + PATH_WORD);
      entry = next;
    }
    return hashLeafOf(count);
  }

  /** The subtree of the prefix, or the bucket in which it ends. */
  #find(prefix: string): number {
    this.#settle();
    if (!PREFIX.test(prefix)) throw new RangeError(`no prefix of a path: ${prefix.slice(0, 80)}`);
    let tree = this.#top;
    for (let depth = 0; depth < prefix.length && isInner(tree); depth++) {
      tree = this.#child(tree, Number.parseInt(prefix.charAt(depth), 16));
    }
    return tree;
  }

  /** The entries of a bucket whose paths begin so. */
  #below(head: number, prefix: string): readonly TrieEntry[] {
    const found: TrieEntry[] = [];
    for (let entry = head; entry !== 0; entry = this.#next(entry)) {
      const { bytes } = this.#entries.chunk(entry);
      const at = 4 * (this.#entries.word(entry) + PATH_WORD);
      const path = bytes.toString('hex', at, at + HASH_BYTES);
      if (!path.startsWith(prefix)) continue;
      const id = bytes.toString('hex', at + HASH_BYTES, at + 2 * HASH_BYTES) as RecordId;
      found.push({ path, ids: this.#conflicts.get(entry) ?? [id] });
    }
    return found;
  }

  #lengthOf(tree: number): number {
    let length = 0;
    if (!isInner(tree)) for (let entry = tree; entry !== 0; entry = this.#next(entry)) length += 1;
    return length;
  }

  #next(entry: number): number {
    return (this.#entries.chunk(entry).words[this.#entries.word(entry)] ?? 0) & ~MANY;
  }

  #setNext(entry: number, next: number): void {
    const { words } = this.#entries.chunk(entry);
    const at = this.#entries.word(entry);
    words[at] = ((words[at] ?? 0) & MANY) | next;
  }

  #count(tree: number): number {
    const inner = tree & ~INNER;
    return this.#inners.chunk(inner).words[this.#inners.word(inner)] ?? 0;
  }

  #child(tree: number, at: number): number {
    const inner = tree & ~INNER;
    return this.#inners.chunk(inner).words[this.#inners.word(inner) + CHILD_WORD + at] ?? 0;
  }

  #setChild(tree: number, at: number, child: number): void {
    const inner = tree & ~INNER;
    this.#inners.chunk(inner).words[this.#inners.word(inner) + CHILD_WORD + at] = child;
  }
}

/** Where a key lives in the trie: 64 hex digits. */
export function pathOf(key: string): string {
  return hash('sha256', `${PATH_DOMAIN}${key}`, 'hex');
}

/** As `pathOf`, in 32 bytes. */
export function writePath(key: string, target: Buffer, at: number): void {
  writeBinary(hash('sha256', `${PATH_DOMAIN}${key}`, 'binary'), target, at);
}

/** The digest of at most sixteen entries. @param entries in path order, their ids sorted */
export function hashLeaf(entries: readonly TrieEntry[]): Digest {
  let length = 1;
  for (const entry of entries) length += HASH_BYTES + 2 + HASH_BYTES * entry.ids.length;
  const leaf = Buffer.allocUnsafe(length);
  let at = leaf.writeUInt8(0, 0);
  for (const { path, ids } of entries) {
    at += leaf.write(path, at, 'hex');
    at = leaf.writeUInt16BE(ids.length, at);
    for (const id of ids) at += leaf.write(id, at, 'hex');
  }
  return hash('sha256', leaf, 'hex') as Digest;
}

/** The digest of a prefix with more entries. @param children of the sixteen longer prefixes */
export function hashInner(children: readonly Digest[]): Digest {
  return hash('sha256', Buffer.from(`01${children.join('')}`, 'hex'), 'hex') as Digest;
}

/** As text of one character per byte, which is the quickest way out of node:crypto. */
function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary');
}

function writeBinary(digest: string, target: Buffer, at: number): void {
  target.write(digest, at, HASH_BYTES, 'latin1');
}

/** Puts into `leaf`, as its entry of this number, the path and the one id that are at `from`. */
function writeToLeaf(number: number, words: Uint32Array, from: number): void {
  let to = 1 + number * LEAF_ENTRY_BYTES;
  for (let i = 0; i < HASH_WORDS; i++, to += 4) leaf.setUint32(to, words[from + i] ?? 0, true);
  leaf.setUint16(to, 1);
  to += 2;
  for (let i = HASH_WORDS; i < PAIR_WORDS; i++, to += 4) leaf.setUint32(to, words[from + i] ?? 0, true);
}

/** The digest of so many entries of `leaf`. */
function hashLeafOf(count: number): string {
  const hashed = leaves[count];
  if (hashed === undefined) throw new RangeError(`${count} entries in a bucket`);
  return sha256(hashed);
}

/** How the path at `from` stands to the other one: below 0, 0, or above. */
export function comparePaths(words: Uint32Array, from: number, others: Uint32Array, other: number): number {
  for (let i = 0; i < HASH_WORDS; i++) {
    const a = words[from + i] ?? 0;
    const b = others[other + i] ?? 0;
    if (a !== b) return bigEndian(a) - bigEndian(b);
  }
  return 0;
}

/**
 * As if its first byte were the highest, as paths are ordered; the lowest is what it is on every processor that Node runs
 * on but s390x.
 */
export function bigEndian(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

function isInner(tree: number): boolean {
  return (tree & INNER) !== 0;
}

/** Of a path. @param depth from the first digit */
function digitOf(entries: SortedEntries, rank: number, depth: number): number {
  if (depth < HEAD_DIGITS) return (entries.head(rank) >>> (4 * (HEAD_DIGITS - 1 - depth))) & 0xf;
  const word = entries.words(rank)[entries.word(rank) + Math.floor(depth / HEAD_DIGITS)] ?? 0;
  return (bigEndian(word) >>> (4 * (HEAD_DIGITS - 1 - (depth % HEAD_DIGITS)))) & 0xf;
}

/** @param at in half bytes */
function nibble(bytes: Buffer, at: number): number {
  const byte = bytes[at >>> 1] ?? 0;
  return (at & 1) === 0 ? byte >>> 4 : byte & 0xf;
}

function readHex(text: string, target: Buffer, at: number): void {
  if (text.length !== PATH_DIGITS || target.write(text, at, 'hex') !== HASH_BYTES) {
    throw new RangeError(`not 64 hex digits: ${text.slice(0, 80)}`);
  }
}
