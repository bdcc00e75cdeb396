/**
 * Where log lines go: standard output, or a file. A write to a pipe or a terminal whose reader has stopped blocks its writer, whoever
 * that is, and only the opener of a descriptor may ask for another answer. So both are opened anew, through /proc/self/fd, with
 * O_NONBLOCK: a full pipe then says EAGAIN at once, and other processes that share the original descriptor notice nothing. Everything
 * else (files, sockets, a pipe that may not be opened) is written by a thread of libuv's pool, one write at a time, so that at most
 * one of its threads is held up (ADR 27).
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';

export type WriteTold = (error: NodeJS.ErrnoException | null, written: number) => void;

export interface LineTarget {
  readonly name: 'stdout' | 'file';
  /** a write returns at once, whatever the reader does */
  readonly isPrompt: boolean;
  /** Again: opens what is at the path now, and keeps what was open where that fails. Throws the system's error. */
  open(): void;
  /** @returns bytes taken; throws the system's error (EAGAIN: the reader does not read) */
  writeSync(bytes: Uint8Array): number;
  write(bytes: Uint8Array, told: WriteTold): void;
  close(): void;
}

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
const STDOUT = 1;

export function standardOutput(): LineTarget {
  if (process.platform === 'win32') return new StreamTarget(process.stdout);
  const own = openAnew(STDOUT);
  return new Descriptor('stdout', { fd: own ?? STDOUT, isPrompt: own !== null, isOurs: own !== null }, null);
}

/** Appended to; its directory is made. A FIFO is a file, too: O_NONBLOCK keeps its open from waiting for a reader. */
export function logFile(path: string): LineTarget {
  return new Descriptor('file', null, () => {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0o666);
    return { fd, isPrompt: canStall(fd), isOurs: true };
  });
}

interface Opened {
  readonly fd: number;
  readonly isPrompt: boolean;
  readonly isOurs: boolean;
}

class Descriptor implements LineTarget {
  readonly name: LineTarget['name'];
  #opened: Opened | null;
  readonly #open: (() => Opened) | null;

  /** @param open null: there is nothing to open */
  constructor(name: LineTarget['name'], opened: Opened | null, open: (() => Opened) | null) {
    this.name = name;
    this.#opened = opened;
    this.#open = open;
  }

  get isPrompt(): boolean {
    return this.#opened?.isPrompt ?? false;
  }

  open(): void {
    if (this.#open === null) return;
    const opened = this.#open();
    this.close();
    this.#opened = opened;
  }

  writeSync(bytes: Uint8Array): number {
    return writeSync(this.#descriptor(), bytes);
  }

  write(bytes: Uint8Array, told: WriteTold): void {
    write(this.#descriptor(), bytes, told);
  }

  close(): void {
    if (this.#opened?.isOurs === true) closeSync(this.#opened.fd);
    this.#opened = null;
  }

  #descriptor(): number {
    if (this.#opened === null) this.open();
    if (this.#opened === null) throw Object.assign(new Error('closed'), { code: 'EBADF' });
    return this.#opened.fd;
  }
}

/** A console of Windows wants its characters from Node's stream, which never blocks there. */
class StreamTarget implements LineTarget {
  readonly name = 'stdout';
  readonly isPrompt = false;
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Each write is told of its own error.
    stream.on('error', () => undefined);
  }

  open(): void {}

  writeSync(bytes: Uint8Array): number {
    this.#stream.write(bytes);
    return bytes.length;
  }

  write(bytes: Uint8Array, told: WriteTold): void {
    this.#stream.write(bytes, (error) => told(error ?? null, bytes.length));
  }

  close(): void {}
}

/** @returns a descriptor of our own that never blocks; null where this one blocks nobody, or cannot be opened anew */
function openAnew(fd: number): number | null {
  try {
    if (!canStall(fd)) return null;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NOCTTY | O_NONBLOCK);
  } catch {
    // No /proc, a pipe of another user, a pipe without a reader: a thread of the pool writes.
    return null;
  }
}

function canStall(fd: number): boolean {
  return fstatSync(fd).isFIFO() || isatty(fd);
}
