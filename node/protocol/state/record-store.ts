/**
 * The live records, packed: about 130 bytes for a record with a key of 20 bytes, beyond its value, where objects take
 * ten times that. A record becomes an object only when somebody asks for it.
 *
 * A key has a cell, a small number for as long as it is there. Three tables of fingerprints, of the key's path, of
 * the records' ids and of their dots, lead to cells; a cell leads to its record; the records of a conflict beyond the first are on the
 * side. Fingerprints can collide, so the bytes found decide.
 *
 * A block does not say whose it is: one that moves is found by the dot of its record.
 */
import type { RecordId } from '../ids.ts';
import type { Pieces } from '../pieces.ts';
import { Blocks, type Position } from './blocks.ts';
import { Fingerprinter, FingerprintList, FingerprintMap } from './fingerprints.ts';
import { HotKeys } from './hot-keys.ts';
import type { KeptRecord } from './kept-record.ts';
import { KeyOrder, type KeyCells } from './key-order.ts';
import { compareRecords } from './merge.ts';
import { pathOf } from './merkle.ts';
import {
  isPacked,
  OriginTable,
  pack,
  packedBytesMax,
  packedKeyBytes,
  packedKeyStart,
  packedSlot,
  unpack,
  unpackDot,
  unpackHead,
  type PackedHead,
} from './packed-record.ts';
import type { Dot, SignedRecord } from './record.ts';
import { SIGNATURE_BYTES } from './signature.ts';
import type { ShortId } from './sketch/short-id.ts';
import { Slab } from './slab.ts';
import type { StoredRecord } from './write.ts';

/** Larger records are not kept made. */
const HOT_BYTES_MAX = 2_048;
/** A chunk is 64 KiB. */
const CELL_SHIFT = 14;
const NONE = 0;
/** Beside the packed record: tables and cells, its place in the trie, what the engine takes; measured, ADR 12. */
const INDEX_BYTES = 134;

/** About what a record takes in memory, in bytes. */
export function recordCost({ bytes }: Pick<SignedRecord, 'bytes'>): number {
  return bytes.length + INDEX_BYTES;
}

interface Found extends StoredRecord {
  readonly cell: number;
  readonly position: Position;
}

interface Draft extends StoredRecord {
  readonly cell: number;
}

/** @returns the record of that dot, where somebody has it as an object, or null */
export type AtHand = (dot: Dot) => SignedRecord | null;

export interface MemoryUse {
  readonly records: number;
  /** slabs, waste included */
  readonly heldBytes: number;
  /** packed records in their frames */
  readonly liveBytes: number;
  /** what finds them */
  readonly indexBytes: number;
}

export class RecordStore {
  readonly #blocks = new Blocks((to, from) => this.#moved(to, from));
  readonly #origins = new OriginTable();
  readonly #fingerprinter: Fingerprinter;
  readonly #shortOf: (id: RecordId) => ShortId;
  readonly #atHand: AtHand | null;
  readonly #byPath = new FingerprintMap();
  /** one entry per record, by the fingerprint of its short id */
  readonly #byId = new FingerprintMap();
  /** one entry per record, though dots of equivocal authors may be equal */
  readonly #byDot = new FingerprintMap();
  readonly #order = new KeyOrder(this.#keyCells());
  /** by cell: where its record is */
  readonly #cells = new Slab(4, CELL_SHIFT);
  /** by cell: where its other records are */
  readonly #others = new Map<number, readonly Position[]>();
  /** the last answer of `live`, which a write asks for several times */
  #asked: { readonly key: string; readonly live: readonly SignedRecord[] } | null = null;
  /** the record put last, which is asked for at once: it need not be made anew */
  #newest: (StoredRecord & { readonly position: Position }) | null = null;
  readonly #hot = new HotKeys();
  /** the last key whose path was asked for */
  #way: { readonly key: string; readonly path: string; readonly print: number } | null = null;
  #scratch = Buffer.alloc(0);
  /** what is loaded; empty afterwards */
  readonly #lists = {
    byPath: new FingerprintList(),
    byId: new FingerprintList(),
    byDot: new FingerprintList(),
  };
  /** records whose packed form has no signature yet, in the order of their slots */
  #drafts: Draft[] = [];

  /**
   * @param secret nobody else knows it; see `Fingerprinter`
   * @param atHand records that are there anyway, by dot: one that is bit by bit what is packed is shown instead of being made anew
   */
  constructor(secret: Uint8Array, shortOf: (id: RecordId) => ShortId, atHand: AtHand | null = null) {
    this.#fingerprinter = new Fingerprinter(secret);
    this.#shortOf = shortOf;
    this.#atHand = atHand;
  }

  /** Records, those of one key each counted. */
  get count(): number {
    return this.#byId.size;
  }

  get keyCount(): number {
    return this.#byPath.size;
  }

  /** About what the records take in memory, with what finds them. See `recordCost`. */
  get bytes(): number {
    return this.#blocks.liveBytes + this.count * INDEX_BYTES;
  }

  memory(): MemoryUse {
    const tables = this.#byPath.bytes + this.#byId.bytes + this.#byDot.bytes;
    return {
      records: this.count,
      heldBytes: this.#blocks.heldBytes,
      liveBytes: this.#blocks.liveBytes,
      indexBytes: tables + this.#cells.bytes,
    };
  }

  /**
   * Adds a record beside what lives of its key.
   *
   * @param slot its number in the store
   * @param record not there yet
   * @param isDraft it has no signature yet: until `signed` the very object is shown, never what is packed
   */
  put(slot: number, record: SignedRecord, isDraft = false): void {
    const { print: pathPrint } = this.#wayOf(record.key);
    const isNew = this.#asked?.key === record.key && this.#asked.live.length === 0;
    const known = isNew ? NONE : this.#cellOfKey(record.key);
    const cell = known === NONE ? this.#cells.allocate() : known;
    const position = this.#place(slot, bufferOf(record.bytes), 0);
    if (known === NONE) {
      this.#setPosition(cell, position);
      this.#byPath.add(pathPrint, cell);
      this.#order.add(cell);
    } else this.#setPositions(cell, [...this.#positionsIn(cell), position]);
    this.#byId.add(this.#idPrint(record.id), cell);
    this.#byDot.add(this.#fingerprinter.ofDot(record.dot), cell);
    this.#changed(record.key);
    this.#newest = { position, slot, record };
    if (isDraft) this.#drafts.push({ slot, record, cell });
    if (known === NONE) this.#asked = { key: record.key, live: [record] };
  }

  /** Puts a record out of the own store, twice as fast as `put`. Before, nothing was put; nobody finds it before `loaded`. */
  load(slot: number, kept: KeptRecord, short: ShortId): void {
    const cell = this.#cells.allocate();
    this.#setPosition(cell, this.#place(slot, kept.bytes, kept.from));
    this.#lists.byPath.add(this.#fingerprinter.in(kept.digests, kept.digestsAt), cell);
    this.#lists.byId.add(this.#fingerprinter.ofShort(short), cell);
    this.#lists.byDot.add(this.#fingerprinter.ofDot(kept.dot), cell);
  }

  /**
   * What was loaded is there; in pieces.
   *
   * @returns records beyond the first of their key, which are not put; and of those that share a dot all but one
   */
  *loaded(): Pieces<{ readonly left: readonly StoredRecord[]; readonly doubled: readonly SignedRecord[] }> {
    const { byPath, byId, byDot } = this.#lists;
    const [manyOfKey, manyOfDot] = [[...byPath.repeated()], [...byDot.repeated()]];
    yield;
    this.#byPath.fill(byPath);
    yield;
    this.#byId.fill(byId);
    yield;
    this.#byDot.fill(byDot);
    yield;

    const left: StoredRecord[] = [];
    const empty = new Set<number>();
    for (const cell of manyOfKey) {
      const stored = this.#storedAt(this.#positionOf(cell));
      const { print } = this.#wayOf(stored.record.key);
      const { memory, start, end } = this.#keyIn(cell);
      // Equal fingerprints are in the order of their cells, so the first of a key is found first.
      if (this.#cellOf(print, memory, start, end) === cell) continue;
      left.push(stored);
      empty.add(cell);
      this.#drop(cell, this.#positionOf(cell), stored.record);
    }
    const doubled: SignedRecord[] = [];
    for (const cell of manyOfDot) {
      if (empty.has(cell)) continue;
      const { record } = this.#storedAt(this.#positionOf(cell));
      // Where the first of a dot is among those left, one of the others takes its place.
      const others = this.ofDot(record.dot).filter(({ id }) => id !== record.id);
      if (others.some(({ id }) => doubled.every((one) => one.id !== id))) doubled.push(record);
    }
    return { left: left.sort((a, b) => a.slot - b.slot), doubled };
  }

  /** These records have their signatures now; those that are gone do not matter. @param records in the order of their slots */
  signed(records: readonly StoredRecord[]): void {
    const waiting: Draft[] = [];
    let at = 0;
    for (const draft of this.#drafts) {
      while ((records[at]?.slot ?? Infinity) < draft.slot) at += 1;
      if (records[at]?.slot === draft.slot) this.#fillIn(draft);
      else waiting.push(draft);
    }
    this.#drafts = waiting;
  }

  /** What waits for its signature. */
  drafts(): readonly StoredRecord[] {
    return this.#drafts;
  }

  #fillIn({ slot, cell, record: { bytes } }: Draft): void {
    for (const position of this.#positionsIn(cell)) {
      if (this.#slotAt(position) !== slot) continue;
      const end = this.#blocks.startOf(position) + this.#blocks.lengthOf(position);
      this.#blocks.bytesOf(position).set(bytes.subarray(-SIGNATURE_BYTES), end - SIGNATURE_BYTES);
    }
  }

  #draftAt(position: Position): Draft | undefined {
    if (this.#drafts.length === 0) return undefined;
    const slot = this.#slotAt(position);
    let [low, high] = [0, this.#drafts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#drafts[middle]?.slot ?? 0) < slot) low = middle + 1;
      else high = middle;
    }
    const draft = this.#drafts[low];
    return draft?.slot === slot ? draft : undefined;
  }

  /** @returns the record's slot, or null when it is not there */
  remove(id: RecordId): number | null {
    const found = this.#find(id);
    if (found === null) return null;
    if (this.#draftAt(found.position) !== undefined)
      this.#drafts = this.#drafts.filter(({ slot }) => slot !== found.slot);
    this.#drop(found.cell, found.position, found.record);
    return found.slot;
  }

  /** The records of a key, greatest first. */
  live(key: string): readonly SignedRecord[] {
    if (this.#asked?.key === key) return this.#asked.live;
    const hot = this.#hot.get(key);
    if (hot !== null) return hot;
    const cell = this.#cellOfKey(key);
    const live =
      cell === NONE ? [] : this.#positionsIn(cell).map((position) => this.#storedAt(position).record);
    if (live.length > 1) live.sort((a, b) => compareRecords(b, a));
    this.#asked = { key, live };
    const [only] = live;
    if (live.length <= 1 && (only === undefined || only.bytes.length <= HOT_BYTES_MAX))
      this.#hot.set(key, live);
    return live;
  }

  /** As `pathOf`, which takes a hash; several ask in a row for one key. */
  path(key: string): string {
    return this.#wayOf(key).path;
  }

  #wayOf(key: string): { readonly path: string; readonly print: number } {
    if (this.#way?.key === key) return this.#way;
    const path = pathOf(key);
    const way = { key, path, print: this.#fingerprinter.of(path) };
    this.#way = way;
    return way;
  }

  hasKey(key: string): boolean {
    return this.#cellOfKey(key) !== NONE;
  }

  record(id: RecordId): SignedRecord | null {
    return this.#find(id)?.record ?? null;
  }

  has(id: RecordId): boolean {
    return this.#find(id) !== null;
  }

  /** As `has` of its id, quicker where these very bytes are there. */
  holds(record: SignedRecord): boolean {
    const print = this.#idPrint(record.id);
    for (let at = this.#byId.first(print); at >= 0; at = this.#byId.next(at)) {
      for (const position of this.#positionsIn(this.#byId.at(at))) {
        const from = this.#blocks.startOf(position);
        const end = from + this.#blocks.lengthOf(position);
        if (isPacked(record, this.#blocks.bytesOf(position), from, end, this.#origins)) return true;
      }
    }
    // The same fact may be there with another signature, or as a draft.
    return this.has(record.id);
  }

  /** The records of this dot: several only where their author signed it twice. */
  ofDot(dot: Dot): readonly SignedRecord[] {
    const print = this.#fingerprinter.ofDot(dot);
    const records: SignedRecord[] = [];
    for (let at = this.#byDot.first(print); at >= 0; at = this.#byDot.next(at)) {
      for (const position of this.#positionsIn(this.#byDot.at(at))) {
        const { record } = this.#storedAt(position);
        const { author, sequence } = record.dot;
        const isNew = records.every(({ id }) => id !== record.id);
        if (author === dot.author && sequence === dot.sequence && isNew) records.push(record);
      }
    }
    return records;
  }

  /** The records with this short id: several only where ids share it. */
  ofShort(short: ShortId): readonly SignedRecord[] {
    const print = this.#fingerprinter.ofShort(short);
    const cells = new Set<number>();
    for (let at = this.#byId.first(print); at >= 0; at = this.#byId.next(at)) cells.add(this.#byId.at(at));
    return [...cells]
      .flatMap((cell) => this.#positionsIn(cell))
      .map((position) => this.#storedAt(position).record)
      .filter(({ id }) => this.#shortOf(id) === short);
  }

  slotOf(id: RecordId): number | null {
    return this.#find(id)?.slot ?? null;
  }

  /** All records, in no order that means anything. A change ends a walk under way. */
  *heads(): Generator<PackedHead & { readonly read: () => SignedRecord }, void, undefined> {
    for (const cell of this.#byPath.numbers()) {
      for (const position of this.#positionsIn(cell)) {
        const start = this.#blocks.startOf(position);
        const head = unpackHead(this.#blocks.bytesOf(position), start, this.#origins);
        yield { ...head, read: () => this.#storedAt(position).record };
      }
    }
  }

  /** Keys above the cursor, of all when it is null, in the order of their UTF-8 bytes. A change ends a walk under way. */
  *keysAfter(cursor: string | null): Generator<string, void, undefined> {
    for (const cell of this.#order.after(cursor === null ? null : Buffer.from(cursor))) {
      const { memory, start, end } = this.#keyIn(cell);
      yield memory.toString('utf8', start, end);
    }
  }

  #idPrint(id: RecordId): number {
    return this.#fingerprinter.ofShort(this.#shortOf(id));
  }

  #find(id: RecordId): Found | null {
    const print = this.#idPrint(id);
    for (let at = this.#byId.first(print); at >= 0; at = this.#byId.next(at)) {
      const cell = this.#byId.at(at);
      for (const position of this.#positionsIn(cell)) {
        const { slot, record } = this.#storedAt(position);
        if (record.id === id) return { cell, position, slot, record };
      }
    }
    return null;
  }

  #drop(cell: number, position: Position, record: SignedRecord): void {
    this.#byId.remove(this.#idPrint(record.id), cell);
    this.#byDot.remove(this.#fingerprinter.ofDot(record.dot), cell);
    const left = this.#positionsIn(cell).filter((other) => other !== position);
    this.#setPositions(cell, left);
    if (this.#newest?.position === position) this.#newest = null;
    this.#blocks.release(position);
    if (left.length === 0) {
      this.#byPath.remove(this.#wayOf(record.key).print, cell);
      this.#order.remove(cell);
    }
    this.#changed(record.key);
  }

  /** What was made for this key is no longer so. */
  #changed(key: string): void {
    this.#asked = null;
    this.#hot.delete(key);
  }

  /** @param bytes the record, canonical, from `from` to their end */
  #place(slot: number, bytes: Buffer, from: number): Position {
    if (!Number.isSafeInteger(slot) || slot < 0) throw new RangeError(`slot ${slot}`);
    const packed = this.#scratchOf(packedBytesMax(bytes.length - from));
    const length = pack(slot, bytes, from, this.#origins, packed);
    const position = this.#blocks.allocate(length);
    packed.copy(this.#blocks.bytesOf(position), this.#blocks.startOf(position), 0, length);
    return position;
  }

  #storedAt(position: Position): StoredRecord {
    if (this.#newest?.position === position) return this.#newest;
    const draft = this.#draftAt(position);
    if (draft !== undefined) return draft;
    const from = this.#blocks.startOf(position);
    const [start, end] = [from, from + this.#blocks.lengthOf(position)];
    const memory = this.#blocks.bytesOf(position);
    if (this.#atHand !== null) {
      const { slot, dot } = unpackHead(memory, start, this.#origins);
      const record = this.#atHand(dot);
      if (record !== null && isPacked(record, memory, start, end, this.#origins)) return { slot, record };
    }
    return unpack(memory, start, end, this.#origins);
  }

  #slotAt(position: Position): number {
    return packedSlot(this.#blocks.bytesOf(position), this.#blocks.startOf(position));
  }

  #cellOfKey(key: string): number {
    // A lone surrogate would be encoded as another character, and find that one's key.
    if (!key.isWellFormed()) return NONE;
    const bytes = this.#scratchOf(key.length * 3);
    return this.#cellOf(this.#wayOf(key).print, bytes, 0, bytes.write(key, 0, 'utf8'));
  }

  #cellOf(pathPrint: number, key: Buffer, start: number, end: number): number {
    for (let at = this.#byPath.first(pathPrint); at >= 0; at = this.#byPath.next(at)) {
      const cell = this.#byPath.at(at);
      const found = this.#keyIn(cell);
      if (found.memory.compare(key, start, end, found.start, found.end) === 0) return cell;
    }
    return NONE;
  }

  #keyIn(cell: number): { memory: Buffer; start: number; end: number } {
    const position = this.#positionOf(cell);
    const memory = this.#blocks.bytesOf(position);
    const at = this.#blocks.startOf(position);
    const start = packedKeyStart(memory, at);
    return { memory, start, end: start + packedKeyBytes(memory, at) };
  }

  /** Good until the next call. */
  #scratchOf(length: number): Buffer {
    if (length > this.#scratch.length) this.#scratch = Buffer.alloc(length);
    return this.#scratch;
  }

  #positionsIn(cell: number): readonly Position[] {
    const first = this.#positionOf(cell);
    const others = this.#others.get(cell);
    return others === undefined ? [first] : [first, ...others];
  }

  #setPositions(cell: number, [first, ...others]: readonly Position[]): void {
    if (first !== undefined) this.#setPosition(cell, first);
    if (others.length === 0) this.#others.delete(cell);
    else this.#others.set(cell, others);
  }

  /** A record lies elsewhere now: its slab was emptied. */
  #moved(to: Position, from: Position): void {
    this.#newest = null;
    const dot = unpackDot(this.#blocks.bytesOf(to), this.#blocks.startOf(to), this.#origins);
    const print = this.#fingerprinter.ofDot(dot);
    for (let at = this.#byDot.first(print); at >= 0; at = this.#byDot.next(at))
      if (this.#replacePosition(this.#byDot.at(at), from, to)) return;
    throw new Error(`block ${to} is no record's`);
  }

  /** @returns whether it was one of the cell's */
  #replacePosition(cell: number, from: Position, to: Position): boolean {
    if (this.#positionOf(cell) === from) {
      this.#setPosition(cell, to);
      return true;
    }
    const others = this.#others.get(cell);
    if (others?.includes(from) !== true) return false;
    this.#others.set(
      cell,
      others.map((position) => (position === from ? to : position)),
    );
    return true;
  }

  #positionOf(cell: number): Position {
    return this.#cells.chunk(cell).words[this.#cells.word(cell)] ?? 0;
  }

  #setPosition(cell: number, position: Position): void {
    this.#cells.chunk(cell).words[this.#cells.word(cell)] = position;
  }

  #keyCells(): KeyCells {
    return {
      cells: () => this.#byPath.numbers(),
      wordAt: (cell, depth) => {
        const { memory, start, end } = this.#keyIn(cell);
        const at = start + depth;
        if (at + 4 <= end) return memory.readUInt32BE(at);
        let word = 0;
        for (let i = at; i < at + 4; i++) word = word * 256 + (i < end ? (memory[i] ?? 0) : 0);
        return word;
      },
      compare: (a, b) => {
        const [x, y] = [this.#keyIn(a), this.#keyIn(b)];
        return x.memory.compare(y.memory, y.start, y.end, x.start, x.end);
      },
      compareWith: (cell, key) => {
        const { memory, start, end } = this.#keyIn(cell);
        return memory.compare(key, 0, key.length, start, end);
      },
      released: (cell) => this.#cells.free(cell),
    };
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
