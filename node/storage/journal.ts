/**
 * The journal: a file of fixed size beside LMDB's, to which a batch is appended in one write that is durable when it returns, where
 * a commit of LMDB is twice as many pages and two flushes. What is in it is in LMDB soon (journaled-writer.ts), and then it begins
 * anew under another name.
 *
 *     frame   u32 0x314a4541, u32 CRC-32 of what follows, 8 bytes name, u32 number from 0 on, u32 length, content; zeros up to the
 *             next 512 bytes, a disk's sector. Numbers are little-endian
 *
 * LMDB keeps the name under which frames count (JOURNAL_KEY); names are random, so that what is left of earlier ones is never taken
 * for a frame. A frame that is not whole was being written when the power went, and nobody was told of it: unless there is
 * one behind it, which shows that it was whole once.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';

const FILE_NAME = 'journal';
const MAGIC = 0x314a_4541;
const SECTOR = 512;
const HEAD_BYTES = 24;
const NAME_BYTES = 8;
const CHECKED_FROM = 8;
/** Some 40 groups of 32 writes before they have to be in LMDB, and room for one of the largest behind them. */
const FILE_BYTES = 2 * 1_048_576;

export function newJournalName(): Buffer {
  return randomBytes(NAME_BYTES);
}

export class Journal {
  readonly #descriptor: number;
  #name = newJournalName();
  #number = 0;
  #at = 0;

  /**
   * Makes the file where there is none, whole and durable.
   *
   * @throws the system's error
   */
  constructor(dir: string) {
    const file = join(dir, FILE_NAME);
    // oxlint-disable-next-line no-bitwise
    this.#descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
    try {
      const { size } = fstatSync(this.#descriptor);
      if (size >= FILE_BYTES) return;
      writeAll(this.#descriptor, Buffer.alloc(FILE_BYTES - size), size);
      fsyncSync(this.#descriptor);
      const directory = openSync(dirname(file), 'r');
      fsyncSync(directory);
      closeSync(directory);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Bytes of frames in it. */
  get bytes(): number {
    return this.#at;
  }

  /** Where frames are written from now on: at the front, under this name. */
  restart(name: Buffer): void {
    this.#name = name;
    this.#number = 0;
    this.#at = 0;
  }

  hasRoomFor(content: Uint8Array): boolean {
    return this.#at + frameBytes(content.length) <= FILE_BYTES;
  }

  /** Durable when it returns. @throws the system's error; then it is as if nothing had been asked */
  append(content: Uint8Array): void {
    const frame = Buffer.alloc(frameBytes(content.length));
    frame.writeUInt32LE(MAGIC, 0);
    this.#name.copy(frame, CHECKED_FROM);
    frame.writeUInt32LE(this.#number, CHECKED_FROM + NAME_BYTES);
    frame.writeUInt32LE(content.length, CHECKED_FROM + NAME_BYTES + 4);
    frame.set(content, HEAD_BYTES);
    frame.writeUInt32LE(crc32(frame.subarray(CHECKED_FROM, HEAD_BYTES + content.length)), 4);
    writeAll(this.#descriptor, frame, this.#at);
    this.#at += frame.length;
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

/** What the journal of a store holds under a name. */
export function readJournal(dir: string, name: Buffer): JournalContent {
  const file = readFileOf(join(dir, FILE_NAME));
  const frames: Buffer[] = [];
  let isDamaged = false;
  for (let at = 0; at + HEAD_BYTES <= file.length;) {
    const content = frameAt(file, at, name);
    if (content === null) {
      at += SECTOR;
      continue;
    }
    const number = file.readUInt32LE(at + CHECKED_FROM + NAME_BYTES);
    isDamaged ||= number !== frames.length;
    frames.push(content);
    at += frameBytes(content.length);
  }
  return { frames, isDamaged };
}

/** @returns its content, or null where there is no whole frame of this name */
function frameAt(file: Buffer, at: number, name: Buffer): Buffer | null {
  if (file.readUInt32LE(at) !== MAGIC) return null;
  if (file.compare(name, 0, NAME_BYTES, at + CHECKED_FROM, at + CHECKED_FROM + NAME_BYTES) !== 0) return null;
  const end = at + HEAD_BYTES + file.readUInt32LE(at + HEAD_BYTES - 4);
  if (end > file.length) return null;
  return crc32(file.subarray(at + CHECKED_FROM, end)) === file.readUInt32LE(at + 4)
    ? file.subarray(at + HEAD_BYTES, end)
    : null;
}

function readFileOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function frameBytes(length: number): number {
  return Math.ceil((HEAD_BYTES + length) / SECTOR) * SECTOR;
}

function writeAll(descriptor: number, bytes: Buffer, position: number): void {
  for (let from = 0; from < bytes.length;)
    from += writeSync(descriptor, bytes, from, bytes.length - from, position + from);
}
