/**
 * A sign of life where no socket can be made (FAT, many network and FUSE file systems, a path that is too long): a file under a fresh
 * random name, with an open file description lock on its first byte, which the kernel drops with its holder (as slot-lock.ts).
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import locks from 'fs-native-extensions';
import { StorageFailedError } from './errors.ts';

/** Somebody who looks for signs of life may touch a file before it is locked; nobody does so for ever. */
const ROUNDS_MAX = 8;

export interface OwnerLock {
  /** of the file in the directory */
  readonly name: string;
  readonly release: () => void;
}

/** @throws the system's error */
export function lockOwn(dir: string): OwnerLock {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const name = `own-${randomBytes(8).toString('hex')}.lock`;
    const file = join(dir, name);
    const descriptor = openSync(file, 'wx', 0o600);
    let isOurs = false;
    const release = (): void => {
      closeSync(descriptor);
      rmSync(file, { force: true });
    };
    try {
      isOurs = locks.tryLock(descriptor, 0, 1);
      if (isOurs) return { name, release };
    } finally {
      if (!isOurs) release();
    }
  }
  throw new StorageFailedError({ code: 'EAGAIN', detail: `others lock each new file in ${dir}` });
}

export function isLockName(name: string): boolean {
  return /^own-[0-9a-f]{16}\.lock$/.test(name);
}

/**
 * Whether the file's maker lives. The look is a shared lock, so that two who look do not take each other for the owner.
 *
 * @throws StorageFailedError where it cannot be told
 */
export function isLocked(dir: string, name: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(join(dir, name), 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw cannotTell(dir, name, error);
  }
  try {
    return !locks.tryLock(descriptor, 0, 1, { shared: true });
  } catch (error) {
    throw cannotTell(dir, name, error);
  } finally {
    // gives the look's lock back too
    closeSync(descriptor);
  }
}

function cannotTell(dir: string, name: string, error: unknown): StorageFailedError {
  const detail = `${join(dir, name)} does not tell whether its maker lives`;
  return new StorageFailedError({ code: codeOf(error), detail }, { cause: error });
}

/** By its shape: an error of Node's own may come from another realm. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'UNKNOWN';
}
