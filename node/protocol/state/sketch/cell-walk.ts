/**
 * The cells that hold a short id: the first one, then ever fewer, cell i with probability 1 / (1 + i/2). Both sides walk the
 * same way from the short id alone. Some 2·ln(cells/2) of the first cells are on it.
 *
 * Only operations that IEEE 754 rounds in one way, so the way is the same on every machine.
 *
 * @see Yang, Gilad, Alizadeh: Practical Rateless Set Reconciliation, SIGCOMM 2024, section 4.2
 */
import type { ShortId } from './short-id.ts';

/** A step from a cell before this one ends below 2^31. */
export const CELLS_MAX = 32_768;
const SPAN = 2 ** 32;
/** square root of 2^30, the number of values of a step's random bits */
const ROOT = 2 ** 15;

export class CellWalk {
  readonly low: number;
  readonly high: number;
  readonly checksum: number;
  /** the cell it stands at */
  index = 0;
  #a: number;
  #b: number;

  constructor(short: ShortId) {
    this.low = short | 0;
    this.high = (short / SPAN) | 0;
    this.checksum = checksumOf(this.low, this.high);
    this.#a = this.low;
    this.#b = Math.imul(this.high + 1, 0x9e37_79b1);
  }

  /** To the next cell: xoroshiro64*, seeded with the short id, which is random already. */
  step(): void {
    const a = this.#a;
    const b = this.#b ^ a;
    this.#a = ((a << 26) | (a >>> 6)) ^ b ^ (b << 9);
    this.#b = (b << 13) | (b >>> 19);
    const random = (Math.imul(this.#a, 0x9e37_79bb) >>> 2) + 1;
    this.index += 1 + (((this.index + 1.5) * (ROOT / Math.sqrt(random) - 1)) | 0);
  }

  /** Whether a cell is on the way. Where it stands is then not known. */
  passes(index: number): boolean {
    while (this.index < index) this.step();
    return this.index === index;
  }
}

/**
 * What tells a cell that holds one short id from a cell that holds several. It needs no key of its own: who does not know
 * the salt knows no short id.
 */
export function checksumOf(low: number, high: number): number {
  let mixed = low ^ Math.imul(high + 0x51_7cc1, 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb_352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846c_a68b);
  return mixed ^ (mixed >>> 16) ^ high;
}
