/**
 * Fills a trie with many entries at once. Entries that come in no order touch memory in no order, which for a million of
 * them is most of the work; so all but the first few wait here, 72 bytes each, and go in by path.
 */
import type { MerkleTrie } from './merkle.ts';
import type { Pieces } from '../pieces.ts';
import { giveBack, passingWords } from './passing.ts';

const HASH_BYTES = 32;
const ENTRY_BYTES = 2 * HASH_BYTES;
/** So few that their order is nothing. */
const UNSORTED_MAX = 8_192;
/** 32 MiB, as `passingWords`. */
const CHUNK_SHIFT = 19;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;

/** So many take some milliseconds. */
const PIECE_ENTRIES = 4_096;

export class TrieLoad {
  readonly #trie: MerkleTrie;
  readonly #chunks: Buffer[] = [];
  #unsorted = 0;
  #waiting = 0;

  constructor(trie: MerkleTrie) {
    this.#trie = trie;
  }

  /** @param bytes with a path, not added before, at `from`, and its id behind it */
  add(bytes: Buffer, from: number): void {
    if (this.#unsorted < UNSORTED_MAX) {
      this.#unsorted += 1;
      this.#trie.setBytes(bytes, from);
      return;
    }
    const at = startOf(this.#waiting);
    if (at === 0) this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_ENTRIES * ENTRY_BYTES));
    bytes.copy(this.#chunkOf(this.#waiting), at, from, from + ENTRY_BYTES);
    this.#waiting += 1;
  }

  /** What was added is in the trie; in pieces. */
  *finishing(): Pieces<void> {
    if (this.#waiting === 0) return;
    const words = passingWords(2 * this.#waiting);
    for (let n = 0; n < this.#waiting; n++) {
      words[2 * n] = n;
      words[2 * n + 1] = this.#chunkOf(n).readUInt32BE(startOf(n));
    }
    // The second word is the higher one on every processor that Node runs on but s390x.
    new BigUint64Array(words.buffer, 0, this.#waiting).sort();
    for (let i = 0; i < 2 * this.#waiting; i += 2) {
      const n = words[i] ?? 0;
      this.#trie.setBytes(this.#chunkOf(n), startOf(n));
      if (i % (2 * PIECE_ENTRIES) === 0) yield;
    }
    for (const chunk of this.#chunks) giveBack(chunk);
    giveBack(words);
    this.#chunks.length = 0;
    this.#waiting = 0;
  }

  #chunkOf(n: number): Buffer {
    const chunk = this.#chunks[n >>> CHUNK_SHIFT];
    if (chunk === undefined) throw new RangeError(`no entry ${n}`);
    return chunk;
  }
}

function startOf(n: number): number {
  return (n % CHUNK_ENTRIES) * ENTRY_BYTES;
}
