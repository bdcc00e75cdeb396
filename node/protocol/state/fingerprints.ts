/**
 * A multimap from 32-bit fingerprints to small numbers, in 9 to 10 bytes per entry: an open-addressed table whose
 * entries are sorted by fingerprint, each as near as may be to the place where its fingerprint would lie if all were
 * spread evenly. Growing is therefore one pass, and a question ends at the first greater fingerprint.
 *
 * Fingerprints must be spread evenly, also when somebody chooses what is fingerprinted: see `Fingerprinter`. Where they
 * are not the table is slow, not wrong.
 */
import { hash } from 'node:crypto';
import type { NodeId } from '../ids.ts';
import { giveBack, passingWords } from './passing.ts';
import type { Dot } from './record.ts';
import type { ShortId } from './sketch/short-id.ts';

/** Filled further, the walk to an entry gets long: 0.9 is about 5 steps for one that is there, 50 entries moved for a new one. */
const LOAD_MAX = 0.9;
const GROWTH = 1.125;
const HOMES_MIN = 16;
const TAIL_MIN = 16;
const SPAN = 2 ** 32;
const NONE = -1;
/** of a digest, that count */
const FINGERPRINTED_BYTES = 8;
const DIGITS = 2 * FINGERPRINTED_BYTES;
/** hex digits of a short id */
const SHORT_DIGITS = 12;
/** hex digits of a sequence number below 2^53 */
const SEQUENCE_DIGITS = 14;
const WORDS = 16 * (DIGITS + SEQUENCE_DIGITS);
/** A list within this is too short for much care. */
const FEW_WORDS = 16_384;

export class FingerprintMap {
  /** pairs of number + 1, which is 0 where the place is empty, and fingerprint */
  #table = new Uint32Array(2 * (HOMES_MIN + TAIL_MIN));
  /** places at which an entry may be at home; the tail behind takes what the last ones push out */
  #homes = HOMES_MIN;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#table.byteLength;
  }

  /** @param number 0 to 2^32-2 */
  add(fingerprint: number, number: number): void {
    if (this.#size + 1 > this.#homes * LOAD_MAX) this.#rebuild(Math.ceil(this.#homes * GROWTH), TAIL_MIN);
    let table = this.#table;
    if (table[table.length - 2] !== 0) {
      this.#rebuild(this.#homes, 2 * (table.length / 2 - this.#homes));
      table = this.#table;
    }
    const at = this.#lowerBound(fingerprint);
    let end = at;
    while (table[end] !== 0) end += 2;
    table.copyWithin(at + 2, at, end);
    table[at] = number + 1;
    table[at + 1] = fingerprint;
    this.#size += 1;
  }

  /** Makes this, which is empty, the map of all in the list, which is empty afterwards. */
  fill(list: FingerprintList): void {
    this.#size = list.size;
    this.#table = list.takeSorted();
    this.#rebuild(Math.max(HOMES_MIN, Math.ceil(this.#size / LOAD_MAX)), TAIL_MIN);
  }

  /** @returns whether the pair was there */
  remove(fingerprint: number, number: number): boolean {
    const table = this.#table;
    let at = this.#lowerBound(fingerprint);
    while (table[at] !== number + 1 || table[at + 1] !== fingerprint) {
      if (!isAt(table, at, fingerprint)) return false;
      at += 2;
    }
    let end = at + 2;
    while (end < table.length && table[end] !== 0 && this.#homeOf(table[end + 1] ?? 0) < end) end += 2;
    table.copyWithin(at, at + 2, end);
    table[end - 2] = 0;
    table[end - 1] = 0;
    this.#size -= 1;
    if (this.#homes > HOMES_MIN && this.#size < (this.#homes * LOAD_MAX) / 2) {
      this.#rebuild(Math.max(HOMES_MIN, Math.ceil((this.#size * GROWTH) / LOAD_MAX)), TAIL_MIN);
    }
    return true;
  }

  /** A cursor to the first entry of a fingerprint, to be used before the next change; negative when there is none. */
  first(fingerprint: number): number {
    const at = this.#lowerBound(fingerprint);
    return isAt(this.#table, at, fingerprint) ? at : NONE;
  }

  /** The cursor behind this one; negative when it was the last of its fingerprint. */
  next(cursor: number): number {
    return isAt(this.#table, cursor + 2, this.#table[cursor + 1] ?? 0) ? cursor + 2 : NONE;
  }

  /** The number at a cursor. */
  at(cursor: number): number {
    return (this.#table[cursor] ?? 0) - 1;
  }

  /** All numbers, in no order that means anything. */
  numbers(): Uint32Array {
    const numbers = new Uint32Array(this.#size);
    let count = 0;
    for (let at = 0; at < this.#table.length; at += 2) {
      const entry = this.#table[at] ?? 0;
      if (entry !== 0) numbers[count++] = entry - 1;
    }
    return numbers;
  }

  /** Where the first entry with this fingerprint is, or would be inserted. */
  #lowerBound(fingerprint: number): number {
    const table = this.#table;
    let at = this.#homeOf(fingerprint);
    while (table[at] !== 0 && (table[at + 1] ?? SPAN) < fingerprint) at += 2;
    return at;
  }

  #homeOf(fingerprint: number): number {
    return 2 * Math.floor((fingerprint / SPAN) * this.#homes);
  }

  #rebuild(homes: number, tail: number): void {
    const old = this.#table;
    let spill = 0;
    this.#homes = homes;
    // Entries come in order, so each goes behind the one before, or to its home when that is farther.
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] !== 0) spill = Math.max(spill, this.#homeOf(old[from + 1] ?? 0)) + 2;
    }
    const table = new Uint32Array(Math.max(2 * (homes + tail), spill + 2 * tail));
    let to = 0;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === 0) continue;
      to = Math.max(to, this.#homeOf(old[from + 1] ?? 0));
      table[to] = old[from] ?? 0;
      table[to + 1] = old[from + 1] ?? 0;
      to += 2;
    }
    this.#table = table;
    giveBack(old);
  }
}

function isAt(table: Uint32Array, at: number, fingerprint: number): boolean {
  return at < table.length && table[at] !== 0 && table[at + 1] === fingerprint;
}

/** Entries of a map to be. Adding one by one touches memory in no order; a list is sorted at the end, in one go. */
export class FingerprintList {
  /** pairs of number + 1 and fingerprint, and room for more */
  #pairs = new Uint32Array(2 * HOMES_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(fingerprint: number, number: number): void {
    if (2 * this.#size === this.#pairs.length) this.#grow();
    this.#pairs[2 * this.#size] = number + 1;
    this.#pairs[2 * this.#size + 1] = fingerprint;
    this.#size += 1;
  }

  /** Numbers of one fingerprint after the first, lowest first; sorts. */
  *repeated(): Generator<number, void, undefined> {
    this.#sort();
    for (let at = 2; at < 2 * this.#size; at += 2) {
      if (this.#pairs[at + 1] === this.#pairs[at - 1]) yield (this.#pairs[at] ?? 0) - 1;
    }
  }

  /** Pairs of number + 1 and fingerprint, by fingerprint, then number. */
  takeSorted(): Uint32Array<ArrayBuffer> {
    this.#sort();
    const pairs = this.#pairs.subarray(0, 2 * this.#size);
    this.#pairs = new Uint32Array(0);
    this.#size = 0;
    return pairs;
  }

  #sort(): void {
    // The second word is the higher one on every processor that Node runs on but s390x.
    new BigUint64Array(this.#pairs.buffer, 0, this.#size).sort();
  }

  #grow(): void {
    const length = 2 * this.#pairs.length;
    const grown = length > FEW_WORDS ? passingWords(length) : new Uint32Array(length);
    grown.set(this.#pairs);
    giveBack(this.#pairs);
    this.#pairs = grown;
  }
}

/**
 * 32 bits of a digest, or of a dot, that nobody can foresee who does not know the secret: else somebody who tries keys
 * or values for a while could give many of them one place in the table, and each question there would walk past all of
 * them.
 *
 * Simple tabulation: a secret word per digit and place, which is enough for linear probing.
 *
 * @see Pătrașcu, Thorup: The Power of Simple Tabulation Hashing, 2012
 */
export class Fingerprinter {
  readonly #words: Uint32Array;
  readonly #authors = new Map<NodeId, number>();

  constructor(secret: Uint8Array) {
    const seed = hash('sha256', secret, 'hex');
    const blocks = Array.from({ length: WORDS / 8 }, (_, i) =>
      hash('sha256', `aethel/fingerprint/v1\0${seed}${i}`, 'hex'),
    );
    const bytes = Buffer.from(blocks.join(''), 'hex');
    this.#words = Uint32Array.from({ length: WORDS }, (_, i) => bytes.readUInt32BE(4 * i));
  }

  /** @param digest lower-case hex, at least 16 digits */
  of(digest: string): number {
    if (digest.length < DIGITS) throw new RangeError('a digest has at least 16 digits');
    const words = this.#words;
    let fingerprint = 0;
    for (let i = 0; i < DIGITS; i++) {
      const unit = digest.charCodeAt(i);
      fingerprint ^= words[16 * i + (unit & 15) + (unit >> 6) * 9] ?? 0;
    }
    return fingerprint >>> 0;
  }

  /** As `of` the digest whose bytes are at `from`. */
  in(bytes: Uint8Array, from: number): number {
    const words = this.#words;
    let fingerprint = 0;
    for (let i = 0; i < FINGERPRINTED_BYTES; i++) {
      const byte = bytes[from + i] ?? 0;
      fingerprint ^= (words[32 * i + (byte >>> 4)] ?? 0) ^ (words[32 * i + 16 + (byte & 15)] ?? 0);
    }
    return fingerprint >>> 0;
  }

  ofShort(short: ShortId): number {
    const words = this.#words;
    let fingerprint = 0;
    let low = short | 0;
    let high = (short / SPAN) | 0;
    for (let at = 0; at < 16 * SHORT_DIGITS; at += 16) {
      fingerprint ^= words[at + (low & 15)] ?? 0;
      low = (low >>> 4) | (high << 28);
      high >>>= 4;
    }
    return fingerprint >>> 0;
  }

  ofDot({ author, sequence }: Dot): number {
    const words = this.#words;
    let fingerprint = this.#ofAuthor(author);
    let low = sequence % 2 ** 32;
    let high = Math.floor(sequence / 2 ** 32);
    for (let at = 16 * DIGITS; at < words.length; at += 16) {
      fingerprint ^= words[at + (low & 15)] ?? 0;
      low = (low >>> 4) | (high << 28);
      high >>>= 4;
    }
    return fingerprint >>> 0;
  }

  #ofAuthor(author: NodeId): number {
    const known = this.#authors.get(author);
    if (known !== undefined) return known;
    const fingerprint = this.of(hash('sha256', author, 'hex'));
    this.#authors.set(author, fingerprint);
    return fingerprint;
  }
}
