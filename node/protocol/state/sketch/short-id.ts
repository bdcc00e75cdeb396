/**
 * Short ids: 48 bits of a record's id under a salt that only the cluster knows, so that a difference between two sets costs ten
 * bytes on the wire and not forty.
 *
 * Simple tabulation over all 256 bits: a secret word per hex digit and place. For any two ids, whatever a client chose that
 * led to them, the chance over the salt that they share a short id is 2^-48: about one pair in a cluster with 20 million
 * records. Who does not know the salt cannot grind for more of them. A member knows it, and can find a pair with some
 * 2^24 ids; the two then hide each other from the sketch, and the exchange falls back to what needs no short ids.
 *
 * @see Pătrașcu, Thorup: The Power of Simple Tabulation Hashing, 2012
 */
import { createHash } from 'node:crypto';
import type { RecordId } from '../../ids.ts';

/** Integer below 2^48. */
export type ShortId = number;

const SALT_BYTES_MIN = 16;
const DIGITS = 64;
/** of a digit: 16 pairs of low and high word */
const DIGIT_WORDS = 32;
const WORDS_BYTES = DIGITS * DIGIT_WORDS * 4;
const SPAN = 2 ** 32;

export class ShortIds {
  readonly #words: Uint32Array;
  /** the last answer, which is asked for several times in a row */
  #id: RecordId | null = null;
  #short: ShortId = 0;

  /** @param salt at least 16 bytes, secret to the cluster: with another salt, two nodes have nothing in common */
  constructor(salt: Uint8Array) {
    if (salt.length < SALT_BYTES_MIN) throw new RangeError(`salt of ${salt.length} bytes`);
    const bytes = createHash('shake256', { outputLength: WORDS_BYTES })
      .update('aethel/short-id/v1\0')
      .update(salt)
      .digest();
    this.#words = new Uint32Array(WORDS_BYTES / 4);
    for (let i = 0; i < this.#words.length; i += 2) {
      this.#words[i] = bytes.readUInt32BE(4 * i);
      this.#words[i + 1] = bytes.readUInt16BE(4 * i + 4);
    }
  }

  of(id: RecordId): ShortId {
    if (id === this.#id) return this.#short;
    if (id.length !== DIGITS) throw new RangeError('a record id has 64 hex digits');
    const words = this.#words;
    let low = 0;
    let high = 0;
    for (let i = 0; i < DIGITS; i++) {
      const unit = id.charCodeAt(i);
      const at = i * DIGIT_WORDS + 2 * ((unit & 15) + (unit >> 6) * 9);
      low ^= words[at] ?? 0;
      high ^= words[at + 1] ?? 0;
    }
    this.#id = id;
    this.#short = high * SPAN + (low >>> 0);
    return this.#short;
  }

  /** As `of` the id whose 32 bytes are at `from`. */
  in(bytes: Uint8Array, from: number): ShortId {
    const words = this.#words;
    let low = 0;
    let high = 0;
    for (let i = 0; i < DIGITS / 2; i++) {
      const byte = bytes[from + i] ?? 0;
      const first = 2 * i * DIGIT_WORDS + 2 * (byte >>> 4);
      const second = (2 * i + 1) * DIGIT_WORDS + 2 * (byte & 15);
      low ^= (words[first] ?? 0) ^ (words[second] ?? 0);
      high ^= (words[first + 1] ?? 0) ^ (words[second + 1] ?? 0);
    }
    return high * SPAN + (low >>> 0);
  }
}
