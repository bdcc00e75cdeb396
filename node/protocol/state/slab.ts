/**
 * Numbered items of one size in few large pieces of memory, outside of the garbage collector's walk.
 *
 * A million small objects cost a million headers and make every collection slower; a slab of them costs their bytes.
 * It grows chunk by chunk, so that growing copies next to nothing and at most one chunk lies idle; a small slab starts
 * with a small chunk. Freed items are used again before the slab grows.
 */
export interface Chunk {
  readonly bytes: Buffer;
  /** the same memory */
  readonly words: Uint32Array;
}

const FIRST_ITEMS = 8;

export class Slab {
  readonly #wordsPerItem: number;
  readonly #shift: number;
  readonly #mask: number;
  readonly #chunks: Chunk[] = [];
  /** items there is memory for, and items ever handed out; number 0 stands for none and is never handed out */
  #capacity = 0;
  #used = 1;
  /** the last freed item, whose first word names the one freed before it */
  #freed = 0;

  /** @param chunkShift a chunk holds 2^chunkShift items */
  constructor(itemBytes: number, chunkShift: number) {
    this.#wordsPerItem = itemBytes / 4;
    this.#shift = chunkShift;
    this.#mask = (1 << chunkShift) - 1;
    if (!Number.isInteger(this.#wordsPerItem)) throw new RangeError(`items of ${itemBytes} bytes`);
  }

  /** Memory held, items in use or not. */
  get bytes(): number {
    return this.#capacity * this.#wordsPerItem * 4;
  }

  /** An item with undefined content. Chunks asked for earlier may be stale afterwards. */
  allocate(): number {
    const freed = this.#freed;
    if (freed !== 0) {
      this.#freed = this.chunk(freed).words[this.word(freed)] ?? 0;
      return freed;
    }
    if (this.#used >= this.#capacity) this.#grow();
    this.#used += 1;
    return this.#used - 1;
  }

  free(item: number): void {
    this.chunk(item).words[this.word(item)] = this.#freed;
    this.#freed = item;
  }

  /** Where the item is. */
  chunk(item: number): Chunk {
    const chunk = this.#chunks[item >>> this.#shift];
    if (chunk === undefined) throw new RangeError(`no item ${item}`);
    return chunk;
  }

  /** Index in `words` of the item's first word; its first byte is at four times that. */
  word(item: number): number {
    return (item & this.#mask) * this.#wordsPerItem;
  }

  #grow(): void {
    const chunkItems = this.#mask + 1;
    const last = this.#chunks.length - 1;
    if (last > 0 || this.#capacity >= chunkItems) {
      this.#chunks.push(this.#newChunk(chunkItems));
      this.#capacity += chunkItems;
      return;
    }
    const items = Math.min(chunkItems, Math.max(FIRST_ITEMS, this.#capacity * 2));
    const first = this.#newChunk(items);
    const before = this.#chunks[0];
    if (before !== undefined) first.words.set(before.words);
    this.#chunks[0] = first;
    this.#capacity = items;
  }

  #newChunk(items: number): Chunk {
    return newChunk(items * this.#wordsPerItem * 4);
  }
}

/** Zeros. */
export function newChunk(bytes: number): Chunk {
  const memory = new ArrayBuffer(bytes);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory) };
}
