/**
 * `keygen`: a random cluster key in a file that only its owner may read. The file is whole or absent, whenever the disk is full
 * or the process is killed, and one that is there is never replaced. One that is there and is no key is refused: taken for one,
 * it would stay what it is for ever.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readSecret } from './config/secrets.ts';
import { codeOf } from './config/values.ts';

export type KeygenOutcome = 'made' | 'kept';

/** The file cannot be made, or holds no key. */
export class KeygenError extends Error {
  override readonly name = 'KeygenError';
}

/** @throws KeygenError */
export function makeKeyFile(file: string): KeygenOutcome {
  try {
    return existsSync(file) || !create(file) ? judge(file) : 'made';
  } catch (error) {
    if (error instanceof KeygenError) throw error;
    throw new KeygenError(`cannot write ${file}: ${reasonOf(error)}`);
  }
}

/** Written and flushed under another name, then linked: a link, unlike a rename, never replaces what is there. */
function create(file: string): boolean {
  const key = `${randomBytes(32).toString('hex')}\n`;
  const draft = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    writeFlushed(draft, key);
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!NO_LINKS.has(codeOf(error))) throw error;
    if (!createInPlace(file, key)) return false;
  } finally {
    rmSync(draft, { force: true });
  }
  flushDirectory(dirname(file));
  return true;
}

/** What file systems without hard links say. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']);

/** A process that is killed in between leaves a file that the next one refuses. */
function createInPlace(file: string, key: string): boolean {
  try {
    writeFlushed(file, key);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    rmSync(file, { force: true });
    throw error;
  }
}

function writeFlushed(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o400);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function flushDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function judge(file: string): KeygenOutcome {
  const problems: string[] = [];
  const given = { AETHEL_CLUSTER_KEY_FILE: file };
  const read = (path: string): Uint8Array => readFileSync(path);
  const secret = readSecret('AETHEL_CLUSTER_KEY', given, read, (_, problem) => problems.push(problem));
  if (secret !== null) return 'kept';
  throw new KeygenError(`${file} is there and is no key: ${problems.join('; ')}. Remove it to have one made`);
}

/** Node's message begins with the code. */
function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
