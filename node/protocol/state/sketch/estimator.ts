/**
 * Guesses how many short ids two sets differ in, from 192 bytes of each: it tells how many cells to ask for.
 *
 * Every short id adds +1 or -1 to one of 256 counters. What both sets hold cancels out; a counter's difference between the
 * sets is a sum of signs, whose square is on average the number of ids in it. So the sum of the squares is on average the
 * difference, with a relative error of √(2/256) = 8.8 % (one sigma), and less where few ids share a counter.
 *
 * Only differences count, so six bits of a counter are enough up to some 30,000 differences. Beyond, the guess is too low,
 * and ends at some 87,000: it then says "more than cells can carry", which is all that anybody asks.
 *
 * The counters are those of the count sketch: one step per change, where the classic tug-of-war sketch (AMS) of 64 counters of
 * two bytes takes 64 for twice the error.
 *
 * @see Charikar, Chen, Farach-Colton: Finding Frequent Items in Data Streams, 2002
 * @see Thorup, Zhang: Tabulation Based 4-Universal Hashing with Applications to Second Moment Estimation, 2004
 */
import type { ShortId } from './short-id.ts';

const COUNTERS = 256;
/** four counters of 6 bits in three bytes */
export const ESTIMATOR_BYTES = 192;
const MODULUS = 64;
/** bit 32 of a short id is the sign, bits 40 to 47 the counter */
const SIGN_AT = 2 ** 32;
const COUNTER_AT = 2 ** 40;

export class DifferenceEstimator {
  /** modulo 256, of which six bits count */
  readonly #counters = new Uint8Array(COUNTERS);

  /** @param sign 1 for an id that comes, -1 for one that goes */
  toggle(short: ShortId, sign: 1 | -1): void {
    const counter = (short / COUNTER_AT) | 0;
    const isNegative = (((short / SIGN_AT) | 0) & 1) === 1;
    this.#counters[counter] = (this.#counters[counter] ?? 0) + (isNegative ? -sign : sign);
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(ESTIMATOR_BYTES);
    for (let i = 0, at = 0; i < COUNTERS; i += 4, at += 3) {
      const bits =
        (this.#bits(i) << 18) | (this.#bits(i + 1) << 12) | (this.#bits(i + 2) << 6) | this.#bits(i + 3);
      bytes[at] = bits >> 16;
      bytes[at + 1] = bits >> 8;
      bytes[at + 2] = bits;
    }
    return bytes;
  }

  /** @returns null unless there are 192 bytes; any 192 are counters */
  static decode(bytes: Uint8Array): DifferenceEstimator | null {
    if (bytes.length !== ESTIMATOR_BYTES) return null;
    const estimator = new DifferenceEstimator();
    for (let i = 0, at = 0; i < COUNTERS; i += 4, at += 3) {
      const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      for (let j = 0; j < 4; j++) estimator.#counters[i + j] = (bits >> (18 - 6 * j)) & (MODULUS - 1);
    }
    return estimator;
  }

  /** How many ids are in exactly one of both sets, on average; a whole number. */
  estimate(other: DifferenceEstimator): number {
    let sum = 0;
    for (let i = 0; i < COUNTERS; i++) {
      const apart = (this.#bits(i) - other.#bits(i)) & (MODULUS - 1);
      sum += Math.min(apart, MODULUS - apart) ** 2;
    }
    return sum;
  }

  #bits(counter: number): number {
    return (this.#counters[counter] ?? 0) & (MODULUS - 1);
  }
}
