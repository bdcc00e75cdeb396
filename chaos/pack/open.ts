/**
 * A pack from anybody, checked without trusting it: seal first, then the manifest and its signature, then every file by
 * size and hash, into a directory of its own. Nothing is taken that the manifest does not name; nothing is read beyond
 * what it may weigh; no path leads anywhere else.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  openSync,
  readSync,
  closeSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Parser } from 'tar';
import type { ReadEntry } from 'tar';
import { fingerprintOf } from './key.ts';
import { Manifest, MANIFEST, MANIFEST_BYTES_MAX, PACK_BYTES_MAX } from './manifest.ts';
import type { PackedFile } from './manifest.ts';
import { isSealedBy, readSeal, SEAL_BYTES } from './seal.ts';
import type { Seal } from './seal.ts';

/** The pack is not what it says it is; the message says in one line why. */
export class PackRefusedError extends Error {
  readonly code = 'pack_refused';
}

/** tar's blocks, headers and names on top of the files themselves */
const OVERHEAD_BYTES_MAX = 2 ** 26;

/**
 * @param trusted fingerprint of the only key that is trusted; null: any, and the reader judges the fingerprint
 * @param directory empty, where its files go. Throws PackRefusedError.
 */
export async function openPack(file: string, trusted: string | null, directory: string): Promise<Manifest> {
  const { seal, end } = await checkSeal(file);
  const fingerprint = fingerprintOf(seal.publicKey);
  if (trusted !== null && fingerprint !== trusted)
    throw new PackRefusedError(`signed by ${fingerprint}, not by the trusted ${trusted}`);
  return new Unpacking(directory, seal.publicKey, fingerprint).read(file, end);
}

async function checkSeal(file: string): Promise<{ readonly seal: Seal; readonly end: number }> {
  const { size } = statSync(file);
  const end = size - SEAL_BYTES;
  if (end <= 0) throw new PackRefusedError('too short for an evidence pack');
  if (size > PACK_BYTES_MAX) throw new PackRefusedError(`larger than ${PACK_BYTES_MAX} bytes`);
  const seal = readSeal(readAt(file, end, SEAL_BYTES));
  if (seal === null)
    throw new PackRefusedError('its end is not a seal: cut short, added to, or no evidence pack');
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { end: end - 1 })) hash.update(chunk);
  if (hash.digest('hex') !== seal.sha256)
    throw new PackRefusedError('its bytes are not those that were sealed');
  if (!isSealedBy(seal)) throw new PackRefusedError('the signature of its seal is wrong');
  return { seal, end };
}

class Unpacking {
  readonly #directory: string;
  readonly #publicKey: KeyObject;
  readonly #fingerprint: string;
  readonly #found = new Set<string>();
  #manifestBytes: Buffer | null = null;
  #manifest: Manifest | null = null;
  #files: ReadonlyMap<string, PackedFile> = new Map();

  constructor(directory: string, publicKey: KeyObject, fingerprint: string) {
    this.#directory = directory;
    this.#publicKey = publicKey;
    this.#fingerprint = fingerprint;
  }

  async read(file: string, end: number): Promise<Manifest> {
    const gunzip = createReadStream(file, { end: end - 1 }).pipe(createGunzip());
    const parser = new Parser({ strict: true });
    let failure: unknown = null;
    let work = Promise.resolve();
    parser.on('entry', (entry: ReadEntry) => {
      work = work
        .then(() => this.#take(entry))
        .catch((error: unknown) => {
          failure ??= error;
          entry.resume();
        });
    });
    const parsed = new Promise<void>((resolve, reject) => {
      parser.on('end', resolve);
      parser.on('error', reject);
    });
    // Whoever waits for it first hears of its failure; that nobody waits yet is no crash.
    parsed.catch(() => undefined);
    try {
      let bytes = 0;
      for await (const chunk of gunzip) {
        bytes += Buffer.byteLength(chunk);
        if (bytes > PACK_BYTES_MAX + OVERHEAD_BYTES_MAX) throw new PackRefusedError('it unpacks to too much');
        if (failure !== null) throw failure;
        if (!parser.write(chunk)) await drained(parser);
      }
      parser.end();
      await parsed;
      await work;
    } catch (error) {
      throw refusal(failure ?? error);
    }
    if (failure !== null) throw refusal(failure);
    return this.#complete();
  }

  #complete(): Manifest {
    if (this.#manifest === null) throw new PackRefusedError('it has no manifest');
    const missing = [...this.#files.keys(), MANIFEST.signature, MANIFEST.signer].find(
      (name) => !this.#found.has(name),
    );
    if (missing !== undefined) throw new PackRefusedError(`${missing} is missing`);
    return this.#manifest;
  }

  async #take(entry: ReadEntry): Promise<void> {
    const name = entry.path;
    if (entry.type !== 'File') throw new PackRefusedError(`${shown(name)} is no plain file`);
    if (this.#found.has(name)) throw new PackRefusedError(`${shown(name)} is in it twice`);
    this.#found.add(name);
    switch (name) {
      case MANIFEST.text:
        this.#manifestBytes = await content(entry, MANIFEST_BYTES_MAX);
        return;
      case MANIFEST.signature:
        this.#checkManifest(await content(entry, MANIFEST_BYTES_MAX));
        return;
      case MANIFEST.signer:
        this.#checkSigner(await content(entry, MANIFEST_BYTES_MAX));
        return;
      default:
        await this.#takeFile(entry, name);
    }
  }

  #checkManifest(signature: Buffer): void {
    const bytes = this.#manifestBytes;
    if (bytes === null) throw new PackRefusedError(`it does not begin with ${MANIFEST.text}`);
    if (!verify(null, bytes, this.#publicKey, signature))
      throw new PackRefusedError('the signature of its manifest is wrong');
    const parsed = Manifest.safeParse(jsonOf(bytes));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new PackRefusedError(`${MANIFEST.text}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
    }
    if (parsed.data.fingerprint !== this.#fingerprint)
      throw new PackRefusedError(`its manifest names another key, ${parsed.data.fingerprint}`);
    this.#manifest = parsed.data;
    this.#files = new Map(parsed.data.files.map((file) => [file.path, file]));
  }

  #checkSigner(pem: Buffer): void {
    if (fingerprintOf(createPublicKey(pem)) !== this.#fingerprint)
      throw new PackRefusedError(`${MANIFEST.signer} is another key than the one that sealed it`);
  }

  async #takeFile(entry: ReadEntry, name: string): Promise<void> {
    const wanted = this.#files.get(name);
    if (wanted === undefined) throw new PackRefusedError(`${shown(name)} is not in its manifest`);
    if (entry.size !== wanted.bytes)
      throw new PackRefusedError(`${name} has ${entry.size} bytes, not ${wanted.bytes}`);
    const place = path.join(this.#directory, name);
    mkdirSync(path.dirname(place), { recursive: true });
    const hash = createHash('sha256');
    const file = createWriteStream(place, { flags: 'wx', mode: 0o600 });
    for await (const chunk of entry) {
      hash.update(chunk);
      if (!file.write(chunk)) await drained(file);
    }
    file.end();
    await finished(file);
    if (hash.digest('hex') !== wanted.sha256)
      throw new PackRefusedError(`${name} has another hash than its manifest says`);
  }
}

async function content(entry: ReadEntry, bytesMax: number): Promise<Buffer> {
  if (entry.size > bytesMax)
    throw new PackRefusedError(`${shown(entry.path)} is larger than ${bytesMax} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new PackRefusedError(`${MANIFEST.text} is not JSON`);
  }
}

/** Whatever a stranger's archive makes of a library is a refusal, not a crash. */
function refusal(error: unknown): PackRefusedError {
  if (error instanceof PackRefusedError) return error;
  return new PackRefusedError(
    `no readable archive: ${error instanceof Error ? error.message : String(error)}`,
  );
}

function drained(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', () => resolve());
  });
}

function readAt(file: string, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes, 0, length, position);
    return bytes;
  } finally {
    closeSync(handle);
  }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 120));
}
