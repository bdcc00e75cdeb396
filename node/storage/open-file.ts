/**
 * A file that is open, and whether what is written to it can still be found: a file that was removed takes every write, and keeps
 * none. To ask costs a microsecond, so whoever writes asks before it says that something is durable. A file that was moved away keeps
 * what is written, elsewhere: that is for who looks at the path (state-watch.ts).
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { StorageFailedError } from './errors.ts';

/** @throws StorageFailedError where no directory names the file any more */
export function assertLinked(descriptor: number, file: string): void {
  if (fstatSync(descriptor).nlink === 0) throw goneError(`${file} was removed while the node was running`);
}

export function goneError(detail: string, options?: ErrorOptions): StorageFailedError {
  return new StorageFailedError({ code: 'GONE', detail }, options);
}

/** Holds the very file that has this path now. */
export class OpenFile {
  readonly path: string;
  #descriptor: number | null;

  /** @throws the system's error */
  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, 'r');
  }

  /** @throws StorageFailedError */
  assertLinked(): void {
    if (this.#descriptor !== null) assertLinked(this.#descriptor, this.path);
  }

  /** Whether this is the file that was opened. */
  is({ dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
    if (this.#descriptor === null) return true;
    const own = fstatSync(this.#descriptor);
    return own.dev === dev && own.ino === ino;
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
