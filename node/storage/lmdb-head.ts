/**
 * Looks at the head of an LMDB file before LMDB does: handed a file that is not its own, lmdb 3.5 ends the whole process
 * with a segmentation fault instead of an error.
 *
 *   page 0 and page 1 are meta pages: 24 bytes page header, then magic (uint32 LE), …, at byte 48 of page 0 the page size
 *
 * @see lmdb dependencies/lmdb/libraries/liblmdb/mdb.c, MDB_meta
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const HEAD_BYTES = 52;
const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/** @returns what is wrong with the file, or null when there is none, it is empty, or it looks like LMDB's */
export function faultOfHead(file: string): string | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    // absent: LMDB makes it; unreadable: LMDB names the error
    return null;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return null;
    const first = readAt(descriptor, 0);
    if (first === null || first.readUInt32LE(MAGIC_AT) !== MAGIC) return 'its first page is not LMDB’s';
    const pageSize = first.readUInt32LE(PAGE_SIZE_AT);
    if (!PAGE_SIZES.includes(pageSize) || size < 2 * pageSize) return 'it is cut short';
    const second = readAt(descriptor, pageSize);
    if (second === null || second.readUInt32LE(MAGIC_AT) !== MAGIC) return 'its second page is not LMDB’s';
    return null;
  } finally {
    closeSync(descriptor);
  }
}

function readAt(descriptor: number, position: number): Buffer | null {
  const head = Buffer.alloc(HEAD_BYTES);
  return readSync(descriptor, head, 0, HEAD_BYTES, position) === HEAD_BYTES ? head : null;
}
