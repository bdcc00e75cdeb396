/**
 * Reads an LMDB file page by page, before LMDB may: handed a page that is not what it wrote, lmdb 3.5 ends the process
 * (a failed assertion, SIGBUS beyond the end of a file cut short, SIGSEGV) or hands out pages that are in use. Here every
 * page that the newest snapshot reaches is checked for its form, so that damage has a name and the rest can be saved. What
 * the values hold is not looked at: seal.ts does that.
 *
 *   page     24 bytes: number (u64), transaction (u64), –, flags (u16), lower (u16), upper (u16) | overflow pages (u32);
 *            then offsets of nodes (u16 each, from byte 24 on, `lower` bytes of them), the nodes from `upper` on
 *   node     size or child (48 bits over 3 u16, of which a leaf's size takes 32 and its flags 16), key size (u16), key, data
 *   meta     pages 0 and 1, the greater transaction counts: magic, version, –, map size, two trees (free pages and the
 *            records: page size, flags, depth, 4 counts, root), last page, transaction
 *
 * All numbers are little-endian, as on every machine that lmdb has binaries for.
 *
 * @see lmdb dependencies/lmdb/libraries/liblmdb/mdb.c, MDB_page_header, MDB_node, MDB_meta; midl.c for lists of free pages
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const HEADER = 24;
const META_BYTES = HEADER + 160;
const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const BIG_DATA = 1;
const NODE_BYTES = 8;
/** deeper than any tree of 2^48 bytes */
const DEPTH_MAX = 32;
/** Pages read at once: neighbours in the tree are mostly neighbours in the file. */
const AHEAD = 16;

/** Where the file is not what LMDB wrote. `detail` goes on after "page n"; `between`: the keys next to the gap, as far as there are any. */
export interface PageFault {
  readonly page: number;
  readonly detail: string;
  readonly between: readonly [Buffer | null, Buffer | null];
}

/** What keys of a tree look like, and their order. */
interface KeyRule {
  readonly isKey: (key: Buffer) => boolean;
  readonly isBefore: (one: Buffer, other: Buffer) => boolean;
}

/** Transactions whose pages are free: numbers in the machine's byte order. */
const TRANSACTIONS: KeyRule = {
  isKey: (key) => key.length === 8,
  isBefore: (one, other) => one.readBigUInt64LE() < other.readBigUInt64LE(),
};

/** The greatest key before a page, and the first key known after it. */
interface Around {
  previous: Buffer | null;
  readonly next: Buffer | null;
}

/** The bytes are only good until the next entry is taken. */
export interface FileEntry {
  readonly key: Buffer;
  readonly value: () => Buffer;
}

interface Tree {
  readonly depth: number;
  readonly entries: number;
  readonly root: number;
}

interface Head {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: Tree;
  readonly main: Tree;
}

export class LmdbFile {
  readonly #descriptor: number;
  readonly #bytes: number;
  readonly #head: Head;
  readonly #window: Buffer;
  #windowFirst = -1;
  #windowPages = 0;
  #reached = new Uint8Array(0);

  private constructor(descriptor: number, bytes: number, head: Head) {
    this.#descriptor = descriptor;
    this.#bytes = bytes;
    this.#head = head;
    this.#window = Buffer.alloc(head.pageSize * AHEAD);
  }

  /** @returns null when there is no file or it is empty; a sentence when it has no head to go by */
  static open(file: string): LmdbFile | string | null {
    let descriptor: number;
    try {
      descriptor = openSync(file, 'r');
    } catch {
      // absent: LMDB makes it; unreadable: LMDB names the error
      return null;
    }
    const { size } = fstatSync(descriptor);
    const head = size === 0 ? null : readHead(descriptor, size);
    if (head !== null && typeof head !== 'string') return new LmdbFile(descriptor, size, head);
    closeSync(descriptor);
    return head;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /**
   * Every entry of the newest snapshot that can be reached, in key order where nothing is damaged.
   *
   * @param fault called for each piece that cannot; afterwards the entries around it follow
   * @param isKey whether a key may be what was written
   */
  *entries(fault: (fault: PageFault) => void, isKey: (key: Buffer) => boolean): Iterable<FileEntry> {
    const { main, pageSize } = this.#head;
    this.#reached = new Uint8Array(Math.ceil(this.#bytes / pageSize));
    let found = 0;
    let isWhole = true;
    const noted = (one: PageFault): void => {
      isWhole = false;
      fault(one);
    };
    const rule = { isKey, isBefore: (one: Buffer, other: Buffer) => Buffer.compare(one, other) < 0 };
    for (const entry of this.#walk(main, noted, rule)) {
      found += 1;
      yield entry;
    }
    if (isWhole && found !== main.entries) {
      noted({
        page: main.root,
        detail: `is the root of ${found} entries where ${main.entries} were written`,
        between: [null, null],
      });
    }
    if (isWhole) this.#checkFree(noted);
  }

  /** A page that is both free and in use would be overwritten by the next commit. */
  #checkFree(fault: (fault: PageFault) => void): void {
    const { free } = this.#head;
    const inFree = ({ page, detail }: PageFault): void => bad(page, detail);
    const bad = (page: number, detail: string): void => fault({ page, detail, between: [null, null] });
    let lists = 0;
    for (const { value } of this.#walk(free, inFree, TRANSACTIONS)) {
      lists += 1;
      const list = value();
      const count = list.length < 8 ? -1 : Number(list.readBigUInt64LE(0));
      if (count < 0 || (count + 1) * 8 > list.length)
        return bad(free.root, 'holds a list of free pages that is cut short');
      let run = 1;
      for (let i = 1; i <= count; i += 1) {
        const entry = Number(list.readBigInt64LE(i * 8));
        if (entry < 0) run = -entry;
        if (entry <= 0) continue;
        // a file may end before free pages do
        for (let page = entry; page < Math.min(entry + run, this.#reached.length); page += 1) {
          if (this.#reached[page] === 1) return bad(page, 'is listed as free and is in use');
        }
        run = 1;
      }
    }
    if (lists !== free.entries) bad(free.root, 'lacks lists of free pages');
  }

  *#walk(tree: Tree, fault: (fault: PageFault) => void, rule: KeyRule): Iterable<FileEntry> {
    if (tree.root < 0) return;
    for (const leaf of this.#leaves(tree.root, tree.depth, { previous: null, next: null }, fault)) {
      const { number, page, around } = leaf;
      const count = page.readUInt16LE(20) >> 1;
      for (let i = 0; i < count; i += 1) {
        const node = nodeOf(page, i);
        const key = keyOf(page, node);
        const isKey = rule.isKey(key);
        if (!isKey || (around.previous !== null && !rule.isBefore(around.previous, key))) {
          fault({
            page: number,
            detail: 'holds a key that was not written',
            between: [copyOf(around.previous), around.next],
          });
          if (!isKey) continue;
        }
        const value = this.#valueOf(page, node);
        if (typeof value === 'string') {
          const copy = Buffer.from(key);
          fault({ page: number, detail: value, between: [copy, copy] });
          continue;
        }
        around.previous = key;
        yield { key, value };
      }
      // the window that the keys lie in moves on with the next page
      around.previous = copyOf(around.previous);
    }
  }

  /**
   * The leaves of a tree in key order.
   *
   * @param around the greatest key before this page, which the caller moves on, and the first key known after it
   */
  *#leaves(
    number: number,
    depth: number,
    around: Around,
    fault: (fault: PageFault) => void,
  ): Iterable<{ readonly number: number; readonly page: Buffer; readonly around: Around }> {
    const page = this.#sound(number, depth);
    if (typeof page === 'string') {
      fault({ page: number, detail: page, between: [around.previous, around.next] });
      return;
    }
    if (depth <= 1) {
      yield { number, page, around };
      return;
    }
    // the window that the page lies in moves on with its children
    const own = Buffer.from(page);
    const count = own.readUInt16LE(20) >> 1;
    for (let i = 0; i < count; i += 1) {
      const after = i + 1 < count ? keyOf(own, nodeOf(own, i + 1)) : around.next;
      const inside = { previous: around.previous, next: after };
      yield* this.#leaves(childOf(own, nodeOf(own, i)), depth - 1, inside, fault);
      around.previous = inside.previous;
    }
  }

  /** @returns a sentence where the value lies outside of the file or on pages that are not its own */
  #valueOf(page: Buffer, node: number): (() => Buffer) | string {
    const size = page.readUInt16LE(node) + page.readUInt16LE(node + 2) * 65_536;
    const from = node + NODE_BYTES + page.readUInt16LE(node + 6);
    if ((page.readUInt16LE(node + 4) & BIG_DATA) === 0) {
      return () => page.subarray(from, from + size);
    }
    const first = Number(page.readBigUInt64LE(from));
    const pages = Math.floor((HEADER - 1 + size) / this.#head.pageSize) + 1;
    const head = Buffer.alloc(HEADER);
    const at = first * this.#head.pageSize;
    if (at + HEADER + size > this.#bytes || first + pages - 1 > this.#head.lastPage)
      return 'refers to a value beyond the end of the file';
    readSync(this.#descriptor, head, 0, HEADER, at);
    const isOwn =
      Number(head.readBigUInt64LE(0)) === first &&
      (head.readUInt16LE(18) & OVERFLOW) !== 0 &&
      head.readUInt32LE(20) === pages;
    if (!isOwn) return `refers to page ${first}, which is not what was written`;
    for (let i = 0; i < pages; i += 1) {
      if (!this.#reach(first + i)) return `refers to page ${first + i}, which is in use twice`;
    }
    return () => {
      const value = Buffer.alloc(size);
      readSync(this.#descriptor, value, 0, size, at + HEADER);
      return value;
    };
  }

  /** @returns the page, or a sentence where it is not what was written */
  #sound(number: number, depth: number): Buffer | string {
    const { pageSize, lastPage } = this.#head;
    if (number < 2 || number > lastPage || (number + 1) * pageSize > this.#bytes)
      return 'lies beyond the end of the file';
    if (!this.#reach(number)) return 'is in use twice';
    const page = this.#page(number);
    return page === null ? 'cannot be read' : (faultOfPage(page, number, depth, this.#head) ?? page);
  }

  #page(number: number): Buffer | null {
    const { pageSize } = this.#head;
    const held = this.#windowHolds(number);
    if (held !== null) return held;
    const bytes = readSync(this.#descriptor, this.#window, 0, this.#window.length, number * pageSize);
    this.#windowFirst = number;
    this.#windowPages = Math.floor(bytes / pageSize);
    return this.#windowHolds(number);
  }

  #windowHolds(number: number): Buffer | null {
    const index = number - this.#windowFirst;
    if (this.#windowFirst < 0 || index < 0 || index >= this.#windowPages) return null;
    return this.#window.subarray(index * this.#head.pageSize, (index + 1) * this.#head.pageSize);
  }

  #reach(number: number): boolean {
    if (this.#reached[number] !== 0) return false;
    this.#reached[number] = 1;
    return true;
  }
}

function readHead(descriptor: number, bytes: number): Head | string {
  const first = readMeta(descriptor, 0);
  if (first === null) return 'its first page is not LMDB’s';
  const { pageSize } = first;
  if (!PAGE_SIZES.includes(pageSize) || bytes < 2 * pageSize) return 'it is cut short';
  const second = readMeta(descriptor, pageSize);
  if (second === null || second.pageSize !== pageSize) return 'its second page is not LMDB’s';
  // they take turns, the even transactions on page 0
  const inTurn = first.transaction % 2 === 0 && (second.transaction % 2 === 1 || second.transaction === 0);
  if (!inTurn || Math.abs(first.transaction - second.transaction) > 1) {
    return `its two heads (transactions ${first.transaction} and ${second.transaction}) do not follow each other`;
  }
  const newest = first.transaction >= second.transaction ? first : second;
  if (newest.main.depth > DEPTH_MAX || newest.free.depth > DEPTH_MAX)
    return 'its head is not what was written';
  return newest;
}

function readMeta(descriptor: number, position: number): Head | null {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, page, 0, META_BYTES, position) !== META_BYTES) return null;
  if (page.readUInt32LE(HEADER) !== MAGIC || (page.readUInt32LE(HEADER + 4) & 0xffff) !== VERSION)
    return null;
  const trees = HEADER + 24;
  const tree = (at: number): Tree => ({
    depth: page.readUInt16LE(at + 6),
    entries: Number(page.readBigUInt64LE(at + 32)),
    root: Number(page.readBigInt64LE(at + 40)),
  });
  return {
    pageSize: page.readUInt32LE(trees),
    free: tree(trees),
    main: tree(trees + 48),
    lastPage: Number(page.readBigUInt64LE(trees + 96)),
    transaction: Number(page.readBigUInt64LE(trees + 104)),
  };
}

function faultOfPage(page: Buffer, number: number, depth: number, head: Head): string | null {
  const kind = depth > 1 ? BRANCH : LEAF;
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = head.pageSize - HEADER;
  const isOwn =
    Number(page.readBigUInt64LE(0)) === number && Number(page.readBigUInt64LE(8)) <= head.transaction;
  if (!isOwn || page.readUInt16LE(18) !== kind) return 'is not what was written';
  if (lower % 2 !== 0 || lower > upper || upper > room || lower === 0) return 'is not what was written';
  for (let i = 0; i < lower >> 1; i += 1) {
    const offset = page.readUInt16LE(HEADER + 2 * i);
    if (offset < upper || offset + NODE_BYTES > room) return 'is not what was written';
    if (nodeEnd(page, offset + HEADER, depth) > head.pageSize) return 'is not what was written';
  }
  return null;
}

/** @returns where the node's bytes end within its page; infinity where its flags are none that we write */
function nodeEnd(page: Buffer, node: number, depth: number): number {
  const keyEnd = node + NODE_BYTES + page.readUInt16LE(node + 6);
  if (depth > 1) return keyEnd;
  const flags = page.readUInt16LE(node + 4);
  if (flags === BIG_DATA) return keyEnd + 8;
  return flags === 0 ? keyEnd + page.readUInt16LE(node) + page.readUInt16LE(node + 2) * 65_536 : Infinity;
}

function copyOf(key: Buffer | null): Buffer | null {
  return key === null ? null : Buffer.from(key);
}

function nodeOf(page: Buffer, index: number): number {
  return page.readUInt16LE(HEADER + 2 * index) + HEADER;
}

function keyOf(page: Buffer, node: number): Buffer {
  const from = node + NODE_BYTES;
  return page.subarray(from, from + page.readUInt16LE(node + 6));
}

function childOf(page: Buffer, node: number): number {
  return (
    page.readUInt16LE(node) + page.readUInt16LE(node + 2) * 2 ** 16 + page.readUInt16LE(node + 4) * 2 ** 32
  );
}
