/**
 * The node's key in its state directory: `identity.key`, the 32 bytes of the Ed25519 seed, mode 0600. It is created once, so
 * that a crash leaves either no file or a whole one, and never replaced: a node that loses it comes back as another node.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ACCEPT_LOSS_FILE, type Identity } from '../ports.ts';
import { identityFromSeed, SEED_BYTES } from '../protocol/state/signature.ts';
import { StorageFailedError, StorageLockedError } from './errors.ts';
import { takeAlone } from './ownership.ts';

/** In the state directory. */
export const IDENTITY_FILE = 'identity.key';
const WAYS_OUT = `restore it from a backup, or make an empty file ${ACCEPT_LOSS_FILE} beside it to start as a new node with what the store holds`;

/** The file is there and is no identity, or it cannot be read or made. `file` names it. */
class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: string;
  readonly file: string;

  constructor(
    facts: { readonly code: string; readonly file: string; readonly detail: string },
    options?: ErrorOptions,
  ) {
    super(`${facts.file}: ${facts.detail}`, options);
    this.code = facts.code;
    this.file = facts.file;
  }
}

export interface IdentityOptions {
  /** Whether a key that is missing may be made anew; default true. False where there was one: it is lost then. */
  readonly mayCreate: boolean;
}

/** @throws IdentityError */
export async function loadOrCreateIdentity(
  dir: string,
  { mayCreate }: IdentityOptions = { mayCreate: true },
): Promise<Identity> {
  const file = join(dir, IDENTITY_FILE);
  try {
    const found = await read(file);
    if (found === null && !mayCreate) {
      const detail = `is missing, though a store was made here for it; ${WAYS_OUT}`;
      throw new IdentityError({ code: 'GONE', file, detail });
    }
    const seed = found ?? (await create(file));
    if (seed.length !== SEED_BYTES) {
      const detail = `holds ${seed.length} bytes where the node's key has ${SEED_BYTES}; ${WAYS_OUT}, once this one is removed`;
      throw new IdentityError({ code: 'SIZE', file, detail });
    }
    return identityFromSeed(seed);
  } catch (error) {
    if (error instanceof IdentityError || isOfOwnership(error)) throw error;
    const code = codeOf(error) ?? 'UNKNOWN';
    throw new IdentityError({ code, file, detail: `cannot be read or made (${code})` }, { cause: error });
  }
}

function isOfOwnership(error: unknown): boolean {
  return error instanceof StorageLockedError || error instanceof StorageFailedError;
}

async function read(file: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Written and flushed under another name, then given its own, so that it is whole or absent. */
async function create(file: string): Promise<Uint8Array> {
  const dir = dirname(file);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const seed = new Uint8Array(randomBytes(SEED_BYTES));
  const draft = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    await writeFlushed(draft, seed);
    return (await putInPlace(draft, file)) ? seed : ((await read(file)) ?? seed);
  } finally {
    await rm(draft, { force: true });
    await flushDirectory(dir);
  }
}

/**
 * A link, unlike a rename, never replaces what another starter made. Where the file system has no links it is a rename, by whoever
 * has the directory alone.
 *
 * @returns false where another starter made it
 */
async function putInPlace(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
  }
  const release = await takeAlone(dirname(file));
  try {
    if ((await read(file)) !== null) return false;
    await rename(draft, file);
    return true;
  } finally {
    await release();
  }
}

async function writeFlushed(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function flushDirectory(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Told by shape: an error of Node's own may come from another realm. */
function codeOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : null;
}
