/**
 * Fills a trie with many entries at once. Entries that come in no order touch memory in no order, and each makes again
 * what the one before made of the trie; so all of them wait here, 64 bytes each, and are put in order before any goes in.
 */
import type { RecordId } from '../ids.ts';
import { bigEndian, comparePaths, writePath, type MerkleTrie, type SortedEntries } from './merkle.ts';
import type { Pieces } from '../pieces.ts';
import { giveBack, passingWords } from './passing.ts';

const HASH_BYTES = 32;
const ENTRY_BYTES = 2 * HASH_BYTES;
/** 32 MiB, as `passingWords`. */
const CHUNK_SHIFT = 19;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
/** Many loads are small: 512 KiB. */
const FIRST_ENTRIES = 8_192;

/** So many take a millisecond. */
const PIECE_ENTRIES = 65_536;

/** Entries are ordered by 32 bits of their path, the lowest eleven first. */
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const PASSES = [0, DIGIT_BITS, 2 * DIGIT_BITS] as const;

/** The same memory twice. */
interface Chunk {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
}

export class TrieLoad {
  readonly #trie: MerkleTrie;
  readonly #chunks: Chunk[] = [];
  #capacity = 0;
  #waiting = 0;

  constructor(trie: MerkleTrie) {
    this.#trie = trie;
  }

  /** Of two entries of one path the later counts. @param bytes with a path at `from`, and its id behind it */
  add(bytes: Buffer, from: number): void {
    const { bytes: target } = this.#chunkForNext();
    bytes.copy(target, startOf(this.#waiting), from, from + ENTRY_BYTES);
    this.#waiting += 1;
  }

  /** As `add`, for whoever has a key. */
  addKey(key: string, id: RecordId): void {
    const { bytes } = this.#chunkForNext();
    const at = startOf(this.#waiting);
    writePath(key, bytes, at);
    if (id.length !== 2 * HASH_BYTES || bytes.write(id, at + HASH_BYTES, 'hex') !== HASH_BYTES)
      throw new RangeError(`not 64 hex digits: ${id.slice(0, 80)}`);
    this.#waiting += 1;
  }

  /** What was added is in the trie; in pieces. */
  *finishing(): Pieces<void> {
    if (this.#waiting === 0) return;
    const entries = yield* sorting(this.#chunks, this.#waiting);
    yield* this.#trie.filling(entries);
    for (const { bytes } of this.#chunks) giveBack(bytes);
    giveBack(entries.order);
    this.#chunks.length = 0;
    this.#capacity = 0;
    this.#waiting = 0;
  }

  #chunkForNext(): Chunk {
    if (this.#waiting === this.#capacity) this.#grow();
    return chunkOf(this.#chunks, this.#waiting);
  }

  #grow(): void {
    const [first] = this.#chunks;
    const chunk = newChunk(first === undefined ? FIRST_ENTRIES : CHUNK_ENTRIES);
    if (this.#capacity === FIRST_ENTRIES && first !== undefined) {
      first.bytes.copy(chunk.bytes);
      giveBack(first.bytes);
      this.#chunks.length = 0;
      this.#capacity = 0;
    }
    this.#chunks.push(chunk);
    this.#capacity += chunk.bytes.length / ENTRY_BYTES;
  }
}

/** Entries where they came to lie, and their order: of each its number and the first word of its path. */
class Order implements SortedEntries {
  readonly #chunks: readonly Chunk[];
  readonly order: Uint32Array<ArrayBuffer>;
  readonly count: number;

  constructor(chunks: readonly Chunk[], order: Uint32Array<ArrayBuffer>, count: number) {
    this.#chunks = chunks;
    this.order = order;
    this.count = count;
  }

  words(rank: number): Uint32Array {
    return chunkOf(this.#chunks, this.order[2 * rank] ?? 0).words;
  }

  word(rank: number): number {
    return startOf(this.order[2 * rank] ?? 0) / 4;
  }

  head(rank: number): number {
    return this.order[2 * rank + 1] ?? 0;
  }
}

/** By path; of several with one path only the last. */
function* sorting(chunks: readonly Chunk[], count: number): Pieces<Order> {
  const room = roomBehind(chunks, count);
  let order = room.subarray(0, 2 * count);
  let spare = room.subarray(2 * count, 4 * count);
  for (let n = 0; n < count; n++) {
    order[2 * n] = n;
    order[2 * n + 1] = bigEndian(chunkOf(chunks, n).words[startOf(n) / 4] ?? 0);
    if (n % PIECE_ENTRIES === 0) yield;
  }
  for (const shift of PASSES) {
    yield* scattering(order, spare, count, shift);
    [order, spare] = [spare, order];
  }
  return new Order(chunks, order, yield* untying(chunks, order, count));
}

/** Puts into `to` what is in `from`, ordered by eleven bits; what is alike there keeps its order. */
function* scattering(from: Uint32Array, to: Uint32Array, count: number, shift: number): Pieces<void> {
  const starts = new Uint32Array(DIGITS + 1);
  for (let n = 0; n < count; n++) {
    const digit = ((from[2 * n + 1] ?? 0) >>> shift) & (DIGITS - 1);
    starts[digit + 1] = (starts[digit + 1] ?? 0) + 1;
  }
  for (let digit = 0; digit < DIGITS; digit++)
    starts[digit + 1] = (starts[digit + 1] ?? 0) + (starts[digit] ?? 0);
  for (let n = 0; n < count; n++) {
    const head = from[2 * n + 1] ?? 0;
    const digit = (head >>> shift) & (DIGITS - 1);
    const at = starts[digit] ?? 0;
    starts[digit] = at + 1;
    to[2 * at] = from[2 * n] ?? 0;
    to[2 * at + 1] = head;
    if (n % PIECE_ENTRIES === 0) yield;
  }
}

/** Orders by the whole path the few that are alike in 32 bits, and drops all but the last of one path. @returns how many are left */
function* untying(chunks: readonly Chunk[], order: Uint32Array, count: number): Pieces<number> {
  let kept = 0;
  let from = 0;
  while (from < count) {
    const end = Math.min(from + PIECE_ENTRIES, count);
    const tie = firstTie(order, from, end);
    if (kept < from) order.copyWithin(2 * kept, 2 * from, 2 * tie);
    kept += tie - from;
    from = tie;
    if (tie === end) yield;
    else {
      kept = insert(chunks, order, kept, tie);
      from += 1;
    }
  }
  return kept;
}

/** The first rank whose 32 bits are those of the rank before. */
function firstTie(order: Uint32Array, from: number, end: number): number {
  for (let rank = Math.max(1, from); rank < end; rank++) {
    if (order[2 * rank + 1] === order[2 * rank - 1]) return rank;
  }
  return end;
}

/** Puts one more behind or among those that are in order, or in the place of the one of its path. @returns how many they are now */
function insert(chunks: readonly Chunk[], order: Uint32Array, kept: number, rank: number): number {
  const n = order[2 * rank] ?? 0;
  const head = order[2 * rank + 1] ?? 0;
  let to = kept;
  for (; to > 0 && order[2 * to - 1] === head; to--) {
    const difference = compare(chunks, n, order[2 * to - 2] ?? 0);
    if (difference > 0) break;
    if (difference < 0) continue;
    order[2 * to - 2] = n;
    return kept;
  }
  order.copyWithin(2 * to + 2, 2 * to, 2 * kept);
  order[2 * to] = n;
  order[2 * to + 1] = head;
  return kept + 1;
}

function compare(chunks: readonly Chunk[], one: number, other: number): number {
  return comparePaths(
    chunkOf(chunks, one).words,
    startOf(one) / 4,
    chunkOf(chunks, other).words,
    startOf(other) / 4,
  );
}

function newChunk(entries: number): Chunk {
  const { buffer } = Buffer.allocUnsafeSlow(entries * ENTRY_BYTES);
  return { bytes: Buffer.from(buffer), words: new Uint32Array(buffer) };
}

/**
 * Memory for four words per entry: if possible where no entry came to lie. The engine collects garbage, all of it, for
 * every 64 MiB that are asked for.
 */
function roomBehind(chunks: readonly Chunk[], count: number): Uint32Array<ArrayBuffer> {
  const [{ words } = newChunk(0)] = chunks;
  const behind = words.subarray((count * ENTRY_BYTES) / 4);
  return behind.length >= 4 * count ? behind : passingWords(4 * count);
}

function chunkOf(chunks: readonly Chunk[], n: number): Chunk {
  const chunk = chunks[n >>> CHUNK_SHIFT];
  if (chunk === undefined) throw new RangeError(`no entry ${n}`);
  return chunk;
}

/** In bytes. */
function startOf(n: number): number {
  return (n % CHUNK_ENTRIES) * ENTRY_BYTES;
}
