/**
 * Locks that the kernel drops with their holder: byte n of `slots.lock` is slot n. They are open file description locks
 * (fcntl, F_OFD_SETLK): all containers that share a volume share one kernel, so a lock holds across their namespaces, a
 * frozen holder keeps its lock, and one that was killed, in whatever way, has lost it (ADR 23).
 */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import locks from 'fs-native-extensions';
import { StorageFailedError } from './errors.ts';

/** Whoever chooses holds this byte, so that a look at a slot never keeps another starter from taking it. */
const CHOOSING = 1 << 20;
/** The lock file may be removed between opening and locking it; nobody removes it for ever. */
const ROUNDS_MAX = 8;

export class SlotLocks {
  readonly #dir: string;
  readonly #descriptor: number;
  #isClosed = false;

  private constructor(dir: string, descriptor: number) {
    this.#dir = dir;
    this.#descriptor = descriptor;
  }

  /** @throws StorageFailedError */
  static open(dir: string): SlotLocks {
    const file = join(dir, 'slots.lock');
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      let descriptor: number;
      try {
        descriptor = openSync(file, 'a', 0o600);
      } catch (error) {
        throw failed(error, `${file} cannot be opened`);
      }
      if (isFile(descriptor, file)) return new SlotLocks(dir, descriptor);
      closeSync(descriptor);
    }
    throw failed(null, `${file} is removed again and again`);
  }

  /** @returns whether the slot is ours now. @throws StorageFailedError where the file system keeps no locks */
  take(slot: number): boolean {
    try {
      return locks.tryLock(this.#descriptor, slot, 1);
    } catch (error) {
      const advice = 'give every node an AETHEL_STATE_DIR of its own instead of AETHEL_STATE_SLOTS';
      throw failed(error, `the file system of ${this.#dir} keeps no locks; ${advice}`);
    }
  }

  give(slot: number): void {
    locks.unlock(this.#descriptor, slot, 1);
  }

  /** @returns false while somebody else chooses */
  beginChoosing(): boolean {
    return this.take(CHOOSING);
  }

  endChoosing(): void {
    this.give(CHOOSING);
  }

  /** Gives everything back; idempotent, as the descriptor's number may be another file's by then. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }
}

function isFile(descriptor: number, file: string): boolean {
  return fstatSync(descriptor).ino === statSync(file, { throwIfNoEntry: false })?.ino;
}

function failed(error: unknown, detail: string): StorageFailedError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
  return new StorageFailedError({ code, detail }, { cause: error });
}
