/**
 * Which dots a node has seen: per author a set of sequence numbers, kept as ranges. "Seen" means that the record, with its
 * author's signature, was merged here once, or that a tombstone which every member had and which was collected had replaced it. So a
 * dot that is in the vector and has no live record belongs to a record that was replaced: it never comes back to life. Nobody
 * else's claim enters the own vector otherwise, or a lie could keep records out.
 *
 * An author leaves holes (a restart jumps ahead, a record is replaced before it is told), hence ranges instead of one number.
 *
 * @see Preguiça et al. 2010, dotted version vectors; Bieniusa et al. 2012, optimized conflict-free replicated set
 */
import type { ByteReader, ByteWriter } from '../codec.ts';
import { CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES, publicKeyOf, type NodeId } from '../ids.ts';
import type { Dot } from './record.ts';

/** Sorted, disjoint, not adjacent: from, to, from, to, …, both inclusive. */
type Ranges = number[];

const VECTOR_LIMITS = { authorsMax: 4_096, rangesMax: 24_576 } as const;

const EMPTY: ReadonlyMap<NodeId, Ranges> = new Map();

/** A copy shares everything with its original until one of the two changes: a node clones its vector for every message, and changes it rarely. */
export class VersionVector {
  #ranges: ReadonlyMap<NodeId, Ranges> = EMPTY;
  /** the same, while no other vector has it; null when one has, and neither may change it */
  #changing: Map<NodeId, Ranges> | null = null;
  /** authors whose ranges no other vector has; null when that is all of them */
  #own: Set<NodeId> | null = null;
  /** null when that is to be counted */
  #count: number | null = null;
  /** of `#ranges`, sorted; null when that is to be done */
  #authors: readonly NodeId[] | null = null;

  has({ author, sequence }: Dot): boolean {
    const ranges = this.#ranges.get(author);
    return ranges !== undefined && isIn(ranges, sequence);
  }

  add({ author, sequence }: Dot): void {
    this.#include(author, sequence, sequence);
  }

  /** Takes over all that the other one has seen. */
  join(other: VersionVector): void {
    if (other.#ranges === this.#ranges) return;
    for (const [author, ranges] of other.#ranges) {
      for (let i = 0; i < ranges.length; i += 2) this.#include(author, ranges[i] ?? 0, ranges[i + 1] ?? 0);
    }
  }

  /** Greatest sequence seen of this author; 0 when none. */
  last(author: NodeId): number {
    return this.#ranges.get(author)?.at(-1) ?? 0;
  }

  /** Sorted by name. */
  authors(): readonly NodeId[] {
    return (this.#authors ??= [...this.#ranges.keys()].toSorted());
  }

  /** Ranges over all authors: what the vector costs to send, 16 bytes each. */
  get size(): number {
    let size = 0;
    for (const ranges of this.#ranges.values()) size += ranges.length / 2;
    return size;
  }

  /** How many dots it holds. */
  get count(): number {
    return (this.#count ??= this.countAfter(null));
  }

  /** How many dots it holds behind this one, in the order of `dots`; null counts all. */
  countAfter(after: Dot | null): number {
    let count = 0;
    for (const [author, ranges] of this.#ranges) {
      if (after !== null && author < after.author) continue;
      const least = after?.author === author ? after.sequence + 1 : 1;
      for (let i = 0; i < ranges.length; i += 2)
        count += Math.max(0, (ranges[i + 1] ?? 0) - Math.max(least, ranges[i] ?? 0) + 1);
    }
    return count;
  }

  /** What is in here and not in the other one. */
  without(other: VersionVector): VersionVector {
    if (other.#ranges.size === 0) return this.clone();
    const rest = new VersionVector();
    if (other.#ranges === this.#ranges) return rest;
    for (const [author, ranges] of this.#ranges) {
      const theirs = other.#ranges.get(author) ?? NONE;
      if (areWithin(ranges, theirs)) continue;
      const left = cutOut(ranges, theirs);
      if (left.length > 0) rest.#part().set(author, left);
    }
    return rest;
  }

  /** Whether nothing is in here that is not in the other one. */
  isWithin(other: VersionVector): boolean {
    if (other.#ranges === this.#ranges) return true;
    for (const [author, ranges] of this.#ranges) {
      const theirs = other.#ranges.get(author) ?? NONE;
      if (!areWithin(ranges, theirs) && cutOut(ranges, theirs).length > 0) return false;
    }
    return true;
  }

  /** All dots by author, then sequence. @param after where to go on; it need not be in here */
  *dots(after: Dot | null): Generator<Dot, void, undefined> {
    for (const author of this.authors()) {
      if (after !== null && author < after.author) continue;
      const least = after?.author === author ? after.sequence + 1 : 1;
      const ranges = this.#ranges.get(author) ?? [];
      for (let i = 0; i < ranges.length; i += 2) {
        const to = ranges[i + 1] ?? 0;
        for (let sequence = Math.max(least, ranges[i] ?? 0); sequence <= to; sequence += 1)
          yield { author, sequence };
      }
    }
  }

  equals(other: VersionVector): boolean {
    if (this.#ranges.size !== other.#ranges.size) return false;
    for (const [author, ranges] of this.#ranges) {
      const theirs = other.#ranges.get(author);
      if (theirs?.length !== ranges.length || ranges.some((bound, i) => theirs[i] !== bound)) return false;
    }
    return true;
  }

  clone(): VersionVector {
    const copy = new VersionVector();
    copy.#ranges = this.#ranges;
    copy.#authors = this.#authors;
    copy.#count = this.#count;
    this.#changing = null;
    return copy;
  }

  /**
   * u16 authors × (32 key, u16 ranges × (u64 from, u64 to)), sorted by author. Beyond the limits the rest is left out: a
   * vector may claim less than is true, never more.
   */
  write(writer: ByteWriter): ByteWriter {
    return this.#write(
      writer,
      (count) => writer.u16(count),
      (from, to) => writer.u64(from).u64(to),
    );
  }

  /**
   * The same for a message, as short as may be: varint authors × (32 key, varint ranges × (varint distance from the end of the range
   * before, varint length - 1)), sorted by author. About 45 bytes an author without holes.
   */
  writeShort(writer: ByteWriter): ByteWriter {
    return this.#write(
      writer,
      (count) => writer.varint(count),
      (from, to, end) => writer.varint(from - end).varint(to - from),
    );
  }

  /** @param range writes a range, given the end of the one before */
  #write(
    writer: ByteWriter,
    count: (count: number) => void,
    range: (from: number, to: number, end: number) => void,
  ): ByteWriter {
    let room: number = VECTOR_LIMITS.rangesMax;
    const authors = this.authors().slice(0, VECTOR_LIMITS.authorsMax);
    count(authors.length);
    for (const author of authors) {
      const ranges = this.#ranges.get(author) ?? [];
      const told = Math.min(room, ranges.length / 2);
      room -= told;
      writer.bytes(publicKeyOf(author));
      count(told);
      for (let i = 0; i < 2 * told; i += 2) range(ranges[i] ?? 0, ranges[i + 1] ?? 0, ranges[i - 1] ?? 0);
    }
    return writer;
  }

  /** @throws CodecError on anything but one whole vector as `writeShort` writes it */
  static readShort(reader: ByteReader): VersionVector {
    const next = (end: number): readonly [number, number] => {
      const from = end + reader.varint();
      return [from, from + reader.varint()];
    };
    return VersionVector.#read(reader, () => reader.varint(), next);
  }

  /** @throws CodecError on anything but one whole vector in its one encoding */
  static read(reader: ByteReader): VersionVector {
    return VersionVector.#read(
      reader,
      () => reader.u16(),
      () => [reader.u64(), reader.u64()],
    );
  }

  /** @param next reads a range, given the end of the one before */
  static #read(
    reader: ByteReader,
    count: () => number,
    next: (end: number) => readonly [number, number],
  ): VersionVector {
    const vector = new VersionVector();
    const authors = count();
    if (authors > VECTOR_LIMITS.authorsMax) throw new CodecError(`vector of ${authors} authors`);
    let room: number = VECTOR_LIMITS.rangesMax;
    let previous = '';
    for (let n = 0; n < authors; n += 1) {
      const author = nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES));
      if (author <= previous) throw new CodecError('vector not sorted by author, or an author twice');
      previous = author;
      const told = count();
      room -= told;
      if (room < 0) throw new CodecError(`vector of more than ${VECTOR_LIMITS.rangesMax} ranges`);
      const ranges: Ranges = [];
      // A range begins two above the end of the one before, or they would be one.
      let least = 1;
      for (let i = 0; i < told; i += 1) {
        const [from, to] = next(ranges.at(-1) ?? 0);
        if (from < least || to < from || !Number.isSafeInteger(to))
          throw new CodecError('vector with ranges out of order');
        ranges.push(from, to);
        least = to + 2;
      }
      if (told > 0) vector.#part().set(author, ranges);
    }
    return vector;
  }

  #include(author: NodeId, from: number, to: number): void {
    const known = this.#ranges.get(author);
    if (known !== undefined && holds(known, from, to)) return;
    const all = this.#part();
    this.#count = null;
    if (known === undefined) {
      all.set(author, [from, to]);
      this.#own?.add(author);
      this.#authors = null;
      return;
    }
    const ranges = this.#ownRanges(all, author, known);
    const last = ranges.length - 1;
    // The usual case: the next one of this author.
    if (from === (ranges[last] ?? 0) + 1) {
      ranges[last] = to;
      return;
    }
    // The ranges that touch [from, to], adjacent ones included, become one with it.
    const first = firstTouching(ranges, from);
    let end = first;
    let low = from;
    let high = to;
    while (end < ranges.length && (ranges[end] ?? 0) <= to + 1) {
      low = Math.min(low, ranges[end] ?? low);
      high = Math.max(high, ranges[end + 1] ?? high);
      end += 2;
    }
    ranges.splice(first, end - first, low, high);
  }

  /** From the vectors that have the same map: this one is about to change. @returns its own map */
  #part(): Map<NodeId, Ranges> {
    if (this.#changing !== null) return this.#changing;
    this.#own = this.#ranges.size === 0 ? null : new Set();
    this.#changing = new Map(this.#ranges);
    this.#ranges = this.#changing;
    return this.#changing;
  }

  #ownRanges(all: Map<NodeId, Ranges>, author: NodeId, known: Ranges): Ranges {
    if (this.#own === null || this.#own.has(author)) return known;
    const ranges = [...known];
    all.set(author, ranges);
    this.#own.add(author);
    return ranges;
  }
}

const NONE: Ranges = [];

/** Told at a glance: false says nothing. */
function areWithin(ranges: Ranges, others: Ranges): boolean {
  if (ranges === others) return true;
  return ranges.length === 2 && holds(others, ranges[0] ?? 0, ranges[1] ?? 0);
}

/** Whether one range has all from here to there. */
function holds(ranges: Ranges, from: number, to: number): boolean {
  const first = firstTouching(ranges, from);
  for (let i = first; i < ranges.length && (ranges[i] ?? 0) <= from; i += 2)
    if ((ranges[i + 1] ?? 0) >= to) return true;
  return false;
}

/** @returns the even index of the first range that ends at `from - 1` or later */
function firstTouching(ranges: Ranges, from: number): number {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[2 * middle + 1] ?? 0) < from - 1) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

/** @returns what of the ranges is outside the others */
function cutOut(ranges: Ranges, others: Ranges): Ranges {
  const left: Ranges = [];
  let at = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    let from = ranges[i] ?? 0;
    const to = ranges[i + 1] ?? 0;
    while (at < others.length && (others[at + 1] ?? 0) < from) at += 2;
    for (let j = at; from <= to && j < others.length && (others[j] ?? 0) <= to; j += 2) {
      if ((others[j] ?? 0) > from) left.push(from, (others[j] ?? 0) - 1);
      from = (others[j + 1] ?? 0) + 1;
    }
    if (from <= to) left.push(from, to);
  }
  return left;
}

function isIn(ranges: Ranges, sequence: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[2 * middle + 1] ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length / 2 && (ranges[2 * low] ?? 0) <= sequence;
}
