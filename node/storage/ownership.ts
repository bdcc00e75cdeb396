/**
 * One living process per store. The owner listens on a unix socket inside the directory (a named pipe on Windows) whose
 * never reused name stands in the store itself:
 *
 *   1. read the owner named in the store; if its socket answers, the store is taken
 *   2. listen on a socket of our own, under a fresh random name
 *   3. in one store transaction, put our name where the dead owner's still stands (compare and swap); else begin again
 *
 * A killed process leaves a socket file that refuses connections, so it never blocks a restart. Why not a pid file: in a
 * container every node has the same small pid, and the pid namespace that could tell is gone after a restart. Why not an
 * abstract socket: it belongs to a network namespace, and two containers may share one volume. Where no socket can be made, a locked
 * file takes its place (owner-lock.ts); both kinds have names of their own, so whoever looks knows how to ask. Unlinking and binding one fixed
 * path would race between two starters; the swap does not, since LMDB's writer lock survives the death of its holder.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { StorageFailedError, StorageLockedError } from './errors.ts';
import { codeOf, isLocked, isLockName, lockOwn } from './owner-lock.ts';

export interface OwnerCell {
  read(): string | null;
  /** Puts `next` if `expected` still stands; durable and atomic against every other process. */
  swap(expected: string | null, next: string): boolean;
}

/** Two starters may keep each other from swapping only if one of them wins, so few rounds suffice. */
const ROUNDS_MAX = 8;
/** sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * @returns a function that gives the store up
 * @throws StorageLockedError when a living process owns it
 */
export async function takeOwnership(dir: string, cell: OwnerCell): Promise<() => Promise<void>> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = cell.read();
    if (before !== null && (await isAlive(dir, before))) throw new StorageLockedError({ dir });
    const { name, release } = await showLife(dir);
    if (cell.swap(before, name)) {
      if (before !== null && isSignName(before)) rmSync(join(dir, before), { force: true });
      return release;
    }
    await release();
  }
  throw new StorageLockedError({ dir });
}

/**
 * Ownership where there is no sound store to put a name into, for as long as it takes to make one: of two who try, at
 * most one gets it, for each listens before it looks. On Windows there is nothing to look at; there a file that another
 * process has open cannot be replaced.
 *
 * @throws StorageLockedError when anybody else in the directory lives
 */
export async function takeAlone(dir: string): Promise<() => Promise<void>> {
  const { name, release } = await showLife(dir);
  try {
    for (const other of readdirSync(dir))
      if (other !== name && (await isAlive(dir, other))) throw new StorageLockedError({ dir });
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}

interface Sign {
  readonly name: string;
  readonly release: () => Promise<void>;
}

/** A socket that answers; where the file system takes none, a locked file. @throws StorageFailedError where it takes neither */
async function showLife(dir: string): Promise<Sign> {
  const name = `own-${randomBytes(8).toString('hex')}.sock`;
  let refusal: string;
  try {
    return { name, release: await listen(dir, name) };
  } catch (error) {
    refusal = codeOf(error);
  }
  try {
    const lock = lockOwn(dir);
    return { name: lock.name, release: async () => lock.release() };
  } catch (error) {
    const code = codeOf(error);
    const detail =
      `${dir} takes neither a socket (${refusal}) nor a file lock (${code}), so nothing would keep a second ` +
      'process out; put AETHEL_STATE_DIR on a file system that takes either';
    throw new StorageFailedError({ code, detail }, { cause: error });
  }
}

/** @throws the system's error */
async function listen(dir: string, name: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  // the owner's process must be free to end
  server.unref();
  await withSocketPath(
    dir,
    name,
    (path) =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, resolve);
      }),
  );
  return async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(join(dir, name), { force: true });
  };
}

/** Only a refusal or a missing socket proves that nobody is there; any other answer counts as life. */
async function isAlive(dir: string, name: string): Promise<boolean> {
  if (isLockName(name)) return isLocked(dir, name);
  if (!isSocketName(name)) return false;
  return withSocketPath(
    dir,
    name,
    (path) =>
      new Promise<boolean>((resolve) => {
        const socket = connect(path);
        socket.once('connect', () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', (error: NodeJS.ErrnoException) => {
          // without /proc a long path leads nowhere, though the socket is there
          const isMissing = error.code === 'ENOENT' && !existsSync(join(dir, name));
          resolve(error.code !== 'ECONNREFUSED' && !isMissing);
        });
      }),
  );
}

function isSignName(name: string): boolean {
  return isSocketName(name) || isLockName(name);
}

function isSocketName(name: string): boolean {
  return /^own-[0-9a-f]{16}\.sock$/.test(name);
}

/** A long path does not fit into a socket address; on Linux it is shortened through the directory's descriptor. */
async function withSocketPath<T>(dir: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  if (process.platform === 'win32') return use(`\\\\.\\pipe\\aethel-${name}`);
  const path = join(dir, name);
  if (process.platform !== 'linux' || Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return use(path);
  const descriptor = openSync(dir, 'r');
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}
