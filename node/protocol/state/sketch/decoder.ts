/**
 * Reads the difference between the own set and a peer's from the peer's cells, as they come.
 *
 * A cell of which the own one is taken out codes what only one side has. A cell with one such id shows it; taking that out of
 * the other cells leaves further ones with one id, and so on until every cell is empty.
 *
 * The own cells are those of the moment the decoder was made: the own set may change meanwhile. A peer's set that changes
 * between two replies makes cells that fit no set: they do not decode, and the exchange falls back.
 *
 * Cells come from a peer that may send anything. Every id found is another one and there are at most as many as cells, which
 * bounds the work; what cannot be is `isStuck`, for good, and no error.
 */
import { CellWalk, checksumOf } from './cell-walk.ts';
import { CELL_BYTES, CELL_WORDS, type CodedSymbols } from './coded-symbols.ts';
import type { ShortId } from './short-id.ts';

const SPAN = 2 ** 32;

export class Decoder {
  /** own cells; those that came from the peer as well hold what is left of the difference */
  readonly #words: Int32Array;
  readonly #cellsMax: number;
  #cells = 0;
  /** cells so far that are not empty */
  #full = 0;
  #isStuck = false;
  readonly #found = new Set<ShortId>();
  /** of what was found, standing at the first cell still to come */
  readonly #walks: CellWalk[] = [];

  constructor(own: Pick<CodedSymbols, 'cells' | 'copy'>) {
    this.#words = own.copy();
    this.#cellsMax = own.cells;
  }

  /** How many cells have come: the next ones to ask for start here. */
  get cells(): number {
    return this.#cells;
  }

  /** What came is read to the end: `differences` are all there are. */
  get isDone(): boolean {
    return !this.#isStuck && this.#cells > 0 && this.#full === 0;
  }

  /** No further cells can help: what came is no set's, or goes beyond the own cells. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  /** The short ids found so far that exactly one side has; which one, a look at the own ones tells. */
  differences(): readonly ShortId[] {
    return [...this.#found];
  }

  /** @param bytes the peer's next cells, 10 bytes each; a part of one, none, or more than there are own ones is stuck */
  add(bytes: Uint8Array): void {
    const from = this.#cells;
    const to = from + bytes.length / CELL_BYTES;
    if (!Number.isInteger(to) || to === from || to > this.#cellsMax) this.#isStuck = true;
    if (this.#isStuck) return;
    this.#subtract(bytes, from, to);
    this.#cells = to;
    for (const walk of this.#walks) this.#takeOut(walk, null);
    const pure: number[] = [];
    for (let cell = from; cell < to; cell++) {
      if (this.#isEmpty(cell)) continue;
      this.#full += 1;
      if (this.#looksPure(cell)) pure.push(cell);
    }
    this.#peel(pure);
  }

  #subtract(bytes: Uint8Array, from: number, to: number): void {
    const words = this.#words;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let cell = from, at = 0; cell < to; cell++, at += CELL_BYTES) {
      const word = CELL_WORDS * cell;
      words[word + 1] = (words[word + 1] ?? 0) ^ view.getUint16(at);
      words[word] = (words[word] ?? 0) ^ view.getInt32(at + 2);
      words[word + 2] = (words[word + 2] ?? 0) ^ view.getInt32(at + 6);
    }
  }

  /** @param pure cells that looked as if they held one id; what was found meanwhile may have changed that */
  #peel(pure: number[]): void {
    const words = this.#words;
    for (let cell = pure.pop(); cell !== undefined; cell = pure.pop()) {
      if (this.#isEmpty(cell) || !this.#looksPure(cell)) continue;
      const at = CELL_WORDS * cell;
      const short: ShortId = (words[at + 1] ?? 0) * SPAN + ((words[at] ?? 0) >>> 0);
      // One in 2^32 cells with several ids looks like one with one; hardly ever is the cell that id's own, too.
      if (!new CellWalk(short).passes(cell)) continue;
      if (this.#found.has(short) || this.#found.size >= this.#cells) {
        this.#isStuck = true;
        return;
      }
      this.#found.add(short);
      const walk = new CellWalk(short);
      this.#takeOut(walk, pure);
      this.#walks.push(walk);
    }
  }

  /**
   * Takes an id out of the cells so far, from where its walk stands.
   *
   * @param pure where cells go that look pure now; null where the cells are new and all are looked at later
   */
  #takeOut(walk: CellWalk, pure: number[] | null): void {
    const words = this.#words;
    const { low, high, checksum } = walk;
    for (; walk.index < this.#cells; walk.step()) {
      const cell = walk.index;
      const at = CELL_WORDS * cell;
      const wasEmpty = pure !== null && this.#isEmpty(cell);
      words[at] = (words[at] ?? 0) ^ low;
      words[at + 1] = (words[at + 1] ?? 0) ^ high;
      words[at + 2] = (words[at + 2] ?? 0) ^ checksum;
      if (pure === null) continue;
      const isEmpty = this.#isEmpty(cell);
      this.#full += Number(wasEmpty) - Number(isEmpty);
      if (!isEmpty && this.#looksPure(cell)) pure.push(cell);
    }
  }

  #isEmpty(cell: number): boolean {
    const at = CELL_WORDS * cell;
    return this.#words[at] === 0 && this.#words[at + 1] === 0 && this.#words[at + 2] === 0;
  }

  #looksPure(cell: number): boolean {
    const at = CELL_WORDS * cell;
    return checksumOf(this.#words[at] ?? 0, this.#words[at + 1] ?? 0) === this.#words[at + 2];
  }
}
