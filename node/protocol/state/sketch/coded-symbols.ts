/**
 * The first cells of the endless sequence that codes a set of short ids, kept up to date with every change of the set.
 *
 * Cell by cell, the xor of two sets' cells codes their symmetric difference, and about 1.4 cells per difference, from the
 * first on, are enough to read it. So whoever is asked needs to know neither the asker nor the difference.
 *
 * No cell counts what it holds: whoever decodes looks up which short ids are its own.
 *
 * @see Yang, Gilad, Alizadeh: Practical Rateless Set Reconciliation, SIGCOMM 2024
 */
import { CELLS_MAX, CellWalk } from './cell-walk.ts';
import type { ShortId } from './short-id.ts';

/** On the wire: u48 xor of the short ids, u32 xor of their checksums. */
export const CELL_BYTES = 10;
/** In memory: low and high word of the short ids, checksum. */
export const CELL_WORDS = 3;

export class CodedSymbols {
  readonly cells: number;
  readonly #words: Int32Array;

  /** @param cells 1 to 32768; a set is read by a peer only where the difference is below 0.7 of it. 12 bytes each */
  constructor(cells: number) {
    if (!Number.isInteger(cells) || cells < 1 || cells > CELLS_MAX) throw new RangeError(`${cells} cells`);
    this.cells = cells;
    this.#words = new Int32Array(CELL_WORDS * cells);
  }

  /** Adds a short id, or takes it out: xor is its own inverse. */
  toggle(short: ShortId): void {
    const words = this.#words;
    const { cells } = this;
    const walk = new CellWalk(short);
    const { low, high, checksum } = walk;
    for (; walk.index < cells; walk.step()) {
      const at = CELL_WORDS * walk.index;
      words[at] = (words[at] ?? 0) ^ low;
      words[at + 1] = (words[at + 1] ?? 0) ^ high;
      words[at + 2] = (words[at + 2] ?? 0) ^ checksum;
    }
  }

  /** Cells for the wire, 10 bytes each; fewer than `count` where there are no more. */
  slice(from: number, count: number): Uint8Array {
    const end = Math.min(this.cells, from + count);
    const bytes = Buffer.allocUnsafeSlow(CELL_BYTES * Math.max(0, end - from));
    for (let i = from, to = 0; i < end; i++, to += CELL_BYTES) {
      const at = CELL_WORDS * i;
      bytes.writeUInt16BE(this.#words[at + 1] ?? 0, to);
      bytes.writeInt32BE(this.#words[at] ?? 0, to + 2);
      bytes.writeInt32BE(this.#words[at + 2] ?? 0, to + 6);
    }
    return bytes;
  }

  /** All cells as they are now, three words each, in memory of its own. */
  copy(): Int32Array {
    return this.#words.slice();
  }
}
