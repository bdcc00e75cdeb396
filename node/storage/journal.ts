/**
 * The journal: a file of fixed size beside LMDB's, to which a batch is appended in one write that is durable when it returns, where
 * a commit of LMDB is twice as many pages and two flushes. It has two halves, which take turns: while what is in one is being
 * written to LMDB (journaled-writer.ts), the other fills.
 *
 *     frame   u32 0x314a4541, u32 CRC-32 of what follows, u64 name, u32 number, u32 length, content; zeros up to the next 512
 *             bytes, a disk's sector
 *     mark    u64 name, u32 number, of the first frame that LMDB lacks, which keeps it (JOURNAL_KEY)
 *
 * All numbers are little-endian. Names count from a random one on, each turn of a half has the next, an even one the first half; so
 * what is left of earlier turns is never taken for a frame of this one. Frames are numbered one after the other, also from turn to turn. A
 * frame that is not whole was being written when the power went, and nobody was told of it: unless there is one behind it,
 * which shows that it was whole once.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { flushDirectory } from './lmdb-environment.ts';
import { assertLinked } from './open-file.ts';

/** In a store's directory. */
export const JOURNAL_NAME = 'journal';
const MAGIC = 0x314a_4541;
const SECTOR = 512;
const HEAD_BYTES = 24;
const NAME_BYTES = 8;
const CHECKED_FROM = 8;
/** Some 80 groups of 32 writes. */
const HALF_BYTES = 1_048_576;
const FILE_BYTES = 2 * HALF_BYTES;

/** The names of the turns of a half, one after the other. */
type JournalName = bigint;

/** Where a turn begins. */
export interface JournalMark {
  readonly name: JournalName;
  /** of its first frame */
  readonly number: number;
}

export function encodeMark({ name, number }: JournalMark): Buffer {
  const bytes = Buffer.alloc(NAME_BYTES + 4);
  bytes.writeUInt32LE(number, bytes.writeBigUInt64LE(name, 0));
  return bytes;
}

export function decodeMark(bytes: Buffer): JournalMark {
  return { name: bytes.readBigUInt64LE(0), number: bytes.readUInt32LE(NAME_BYTES) };
}

function startOf(name: JournalName): number {
  return name % 2n === 0n ? 0 : HALF_BYTES;
}

export class Journal {
  readonly #descriptor: number;
  readonly #file: string;
  // below 2^63: no journal lives to see the end of the names
  #mark: JournalMark = { name: randomBytes(NAME_BYTES).readBigUInt64LE() >> 1n, number: 0 };
  /** of the next frame */
  #number = 0;
  /** bytes of this turn's frames */
  #used = 0;

  /**
   * Makes the file where there is none, whole and durable.
   *
   * @throws the system's error
   */
  constructor(dir: string) {
    const file = join(dir, JOURNAL_NAME);
    this.#file = file;
    this.#descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
    try {
      const { size } = fstatSync(this.#descriptor);
      if (size < FILE_BYTES) writeAll(this.#descriptor, Buffer.alloc(FILE_BYTES - size), size);
      fsyncSync(this.#descriptor);
      // also where it is there: who made it may have been killed before this
      flushDirectory(dir);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Where the turn that began last begins. */
  get mark(): JournalMark {
    return this.#mark;
  }

  /** Where the next would, if it began now. */
  get nextMark(): JournalMark {
    return { name: this.#mark.name + 1n, number: this.#number };
  }

  /** Bytes of its frames. */
  get bytes(): number {
    return this.#used;
  }

  /** The other half's turn. What was in it must be elsewhere. */
  turn(): void {
    this.#mark = this.nextMark;
    this.#used = 0;
  }

  hasRoomFor(content: Uint8Array): boolean {
    return this.#used + frameBytes(content.length) <= HALF_BYTES;
  }

  /** Durable when it returns. @throws the system's error, or that the file was removed; then it is as if nothing had been asked */
  append(content: Uint8Array): void {
    const frame = Buffer.alloc(frameBytes(content.length));
    frame.writeUInt32LE(MAGIC, 0);
    frame.writeBigUInt64LE(this.#mark.name, CHECKED_FROM);
    frame.writeUInt32LE(this.#number, CHECKED_FROM + NAME_BYTES);
    frame.writeUInt32LE(content.length, CHECKED_FROM + NAME_BYTES + 4);
    frame.set(content, HEAD_BYTES);
    frame.writeUInt32LE(crc32(frame.subarray(CHECKED_FROM, HEAD_BYTES + content.length)), 4);
    writeAll(this.#descriptor, frame, startOf(this.#mark.name) + this.#used);
    assertLinked(this.#descriptor, this.#file);
    this.#used += frame.length;
    this.#number += 1;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export interface JournalContent {
  readonly frames: readonly Buffer[];
  /** a frame that was whole once is not; those behind it are in `frames` */
  readonly isDamaged: boolean;
}

/** What the journal of a store holds: the frames of the turn that begins there, then those of the next. */
export function readJournal(dir: string, { name, number }: JournalMark): JournalContent {
  const path = join(dir, JOURNAL_NAME);
  const file = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const found = [...framesOf(file, name), ...framesOf(file, name + 1n)];
  return {
    frames: found.map(({ content }) => content),
    isDamaged: file.length < FILE_BYTES || found.some((frame, i) => frame.number !== number + i),
  };
}

interface Frame {
  readonly number: number;
  readonly content: Buffer;
}

/** The whole frames of a turn. */
function framesOf(file: Buffer, name: JournalName): readonly Frame[] {
  const frames: Frame[] = [];
  const start = startOf(name);
  for (let at = start; at + HEAD_BYTES <= Math.min(start + HALF_BYTES, file.length);) {
    const content = frameAt(file, at, name);
    if (content !== null) frames.push({ number: file.readUInt32LE(at + CHECKED_FROM + NAME_BYTES), content });
    at += content === null ? SECTOR : frameBytes(content.length);
  }
  return frames;
}

/** @returns its content, or null where there is no whole frame of this name */
function frameAt(file: Buffer, at: number, name: JournalName): Buffer | null {
  if (file.readUInt32LE(at) !== MAGIC || file.readBigUInt64LE(at + CHECKED_FROM) !== name) return null;
  const end = at + HEAD_BYTES + file.readUInt32LE(at + HEAD_BYTES - 4);
  if (end > file.length) return null;
  return crc32(file.subarray(at + CHECKED_FROM, end)) === file.readUInt32LE(at + 4)
    ? file.subarray(at + HEAD_BYTES, end)
    : null;
}

function frameBytes(length: number): number {
  return Math.ceil((HEAD_BYTES + length) / SECTOR) * SECTOR;
}

function writeAll(descriptor: number, bytes: Buffer, position: number): void {
  for (let from = 0; from < bytes.length;)
    from += writeSync(descriptor, bytes, from, bytes.length - from, position + from);
}
