/**
 * The keys in the order of their UTF-8 bytes, for listings, in 4 bytes per key: the numbers of the keys' cells, sorted
 * by the keys that lie in those cells.
 *
 * Nothing is sorted before somebody lists. From then on keys that come and go are noted, and the next listing merges
 * the few into the many in one pass. When more than a quarter has changed unlisted, the order is forgotten again. So
 * neither a write nor a page of a listing pays for the whole order; only the first one does.
 */
export interface KeyCells {
  /** all cells that have a key, in any order */
  cells(): Uint32Array;
  /** four bytes of the cell's key from `depth` on, as a big-endian number, with zeros behind its end */
  wordAt(cell: number, depth: number): number;
  compare(a: number, b: number): number;
  /** how the cell's key stands to this one */
  compareWith(cell: number, key: Uint8Array): number;
  /** the order has let go of a removed cell: its number may be used again */
  released(cell: number): void;
}

/** Below this many changes the order is kept, however small it is. */
const CHANGES_MIN = 1_024;
/** Shorter runs are sorted by comparing whole keys. */
const RUN_MIN = 16;

export class KeyOrder {
  readonly #keys: KeyCells;
  #sorted: Uint32Array | null = null;
  #added: number[] = [];
  readonly #gone = new Set<number>();

  constructor(keys: KeyCells) {
    this.#keys = keys;
  }

  /** @param cell not in the order */
  add(cell: number): void {
    if (this.#sorted === null) return;
    this.#added.push(cell);
    this.#bound(this.#sorted.length);
  }

  /** Answers with `released`, now or later. Until then the cell's number is not added again. */
  remove(cell: number): void {
    if (this.#sorted === null) {
      this.#keys.released(cell);
      return;
    }
    this.#gone.add(cell);
    this.#bound(this.#sorted.length);
  }

  /** Cells of the keys greater than the cursor, of all when it is null. A change ends a walk under way. */
  *after(cursor: Uint8Array | null): Generator<number, void, undefined> {
    const sorted = this.#refresh();
    const from =
      cursor === null ? 0 : firstAbove(sorted, 0, (cell) => this.#keys.compareWith(cell, cursor) > 0);
    for (let i = from; i < sorted.length; i++) yield sorted[i] ?? 0;
  }

  #bound(size: number): void {
    if (this.#added.length + this.#gone.size <= Math.max(CHANGES_MIN, size / 4)) return;
    this.#sorted = null;
    this.#added = [];
    this.#release();
  }

  #refresh(): Uint32Array {
    if (this.#sorted === null) {
      this.#sorted = this.#keys.cells();
      sortByKey(this.#sorted, this.#keys);
      return this.#sorted;
    }
    const gone = this.#gone;
    const kept = gone.size === 0 ? this.#sorted : this.#sorted.filter((cell) => !gone.has(cell));
    const added = this.#added.filter((cell) => !gone.has(cell)).sort((a, b) => this.#keys.compare(a, b));
    this.#sorted = added.length === 0 ? kept : this.#merged(kept, added);
    this.#added = [];
    this.#release();
    return this.#sorted;
  }

  #merged(kept: Uint32Array, added: readonly number[]): Uint32Array {
    const merged = new Uint32Array(kept.length + added.length);
    let from = 0;
    for (const [before, cell] of added.entries()) {
      const to = firstAbove(kept, from, (other) => this.#keys.compare(other, cell) > 0);
      merged.set(kept.subarray(from, to), from + before);
      merged[to + before] = cell;
      from = to;
    }
    merged.set(kept.subarray(from), from + added.length);
    return merged;
  }

  #release(): void {
    for (const cell of this.#gone) this.#keys.released(cell);
    this.#gone.clear();
  }
}

/** Index of the first cell from `low` on that is above, or the length. */
function firstAbove(sorted: Uint32Array, low: number, isAbove: (cell: number) => boolean): number {
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isAbove(sorted[middle] ?? 0)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Sorts by four bytes at a time: key bytes and cell make one 64-bit number, which the engine sorts natively, and runs
 * of equal bytes go on with the next four. Comparing whole keys takes four times as long.
 */
function sortByKey(cells: Uint32Array, keys: KeyCells): void {
  // The second word is the higher one on every processor that Node runs on but s390x.
  const words = new Uint32Array(2 * cells.length);
  const numbers = new BigUint64Array(words.buffer);
  const sortRun = (from: number, to: number, depth: number): void => {
    for (let i = from; i < to; i++) {
      const cell = cells[i] ?? 0;
      words[2 * i] = cell;
      words[2 * i + 1] = keys.wordAt(cell, depth);
    }
    numbers.subarray(from, to).sort();
    for (let i = from; i < to; i++) cells[i] = words[2 * i] ?? 0;
    for (let start = from; start < to;) {
      const word = words[2 * start + 1] ?? 0;
      let end = start + 1;
      while (end < to && words[2 * end + 1] === word) end += 1;
      // Zeros may be bytes of the key or stand behind its end.
      if (word === 0 || end - start < RUN_MIN) cells.subarray(start, end).sort((a, b) => keys.compare(a, b));
      else sortRun(start, end, depth + 4);
      start = end;
    }
  };
  sortRun(0, cells.length, 0);
}
