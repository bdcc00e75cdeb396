/** What LMDB and the system say when they refuse, as errors of ours. */
import assert from 'node:assert/strict';
import { statfs } from 'node:fs/promises';
import { getSystemErrorName } from 'node:util';
import { StorageFailedError } from './errors.ts';

/** With less room than this left, a short write is taken for a full disk. A guess: the largest batches are of this order. */
const ROOM_BYTES_MIN = 4_194_304;

/**
 * lmdb hides the cause of a failed commit behind a promise, `commitError`, which must be taken or it ends the process. A
 * write that a full disk cut short is EIO to LMDB; it is called by its name here.
 */
export async function failureOf(error: unknown, dir: string): Promise<StorageFailedError> {
  let failure = failureOfSync(error);
  if (typeof error === 'object' && error !== null && 'commitError' in error) {
    try {
      await error.commitError;
    } catch (cause) {
      failure = failureOfSync(cause);
    }
  }
  if (failure.code !== 'EIO') return failure;
  const room = await statfs(dir).catch(() => null);
  if (room === null || room.bavail * room.bsize >= ROOM_BYTES_MIN) return failure;
  return new StorageFailedError({ code: 'ENOSPC', detail: 'the disk is full' }, { cause: failure });
}

const LMDB_CODES: Readonly<Record<number, string>> = {
  [-30797]: 'MDB_PAGE_NOTFOUND',
  [-30796]: 'MDB_CORRUPTED',
  [-30795]: 'MDB_PANIC',
  [-30794]: 'MDB_VERSION_MISMATCH',
  [-30793]: 'MDB_INVALID',
  [-30792]: 'MDB_MAP_FULL',
};

export function failureOfSync(error: unknown): StorageFailedError {
  if (error instanceof StorageFailedError) return error;
  if (error instanceof assert.AssertionError) throw error;
  // told by shape: an error of Node's own may come from another realm
  const facts: { message?: unknown; code?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  const detail = typeof facts.message === 'string' ? facts.message : String(error);
  const { code } = facts;
  const name =
    typeof code === 'string'
      ? code
      : typeof code !== 'number'
        ? 'UNKNOWN'
        : code > 0
          ? getSystemErrorName(-code)
          : (LMDB_CODES[code] ?? `MDB_${code}`);
  return new StorageFailedError({ code: name, detail }, { cause: error });
}
