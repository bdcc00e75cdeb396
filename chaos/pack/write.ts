/** An evidence pack from a run's directory: the same files give the same archive. */
import { createHash, sign } from 'node:crypto';
import { appendFileSync, createReadStream, createWriteStream, lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { Header, Pack, ReadEntry } from 'tar';
import type { Environment, Verdict } from '../reports/results.ts';
import type { SigningKey } from './key.ts';
import { FILES_MAX, isPackable, MANIFEST, renderManifest } from './manifest.ts';
import type { PackedFile } from './manifest.ts';
import { makeSeal } from './seal.ts';

export interface Packed {
  /** of the run, or of the gate */
  readonly run: string;
  readonly verdict: Verdict;
  readonly environment: Pick<Environment, 'commit' | 'dirty'>;
}

/** @returns what was packed */
export async function writePack(
  directory: string,
  { run, verdict, environment: { commit, dirty } }: Packed,
  key: SigningKey,
  out: string,
): Promise<readonly PackedFile[]> {
  const files = await Promise.all(filesOf(directory).map(async (name) => describe(directory, name)));
  const manifest = renderManifest({
    run,
    verdict,
    packedAt: new Date().toISOString(),
    commit,
    dirty,
    fingerprint: key.fingerprint,
    files,
  });
  const pack = new Pack({ portable: true, gzip: { level: 6 } });
  const file = createWriteStream(out, { mode: 0o644 });
  pack.pipe(file);
  await add(pack, MANIFEST.text, manifest);
  await add(pack, MANIFEST.signature, sign(null, manifest, key.privateKey));
  await add(pack, MANIFEST.signer, Buffer.from(key.publicKey.export({ type: 'spki', format: 'pem' })));
  for (const { path: name, bytes } of files) await addFile(pack, directory, name, bytes);
  pack.end();
  await finished(file);
  appendFileSync(out, makeSeal(await sha256OfFile(out), key.privateKey, key.publicKey));
  return files;
}

/** Regular files here and one directory below, by name; links, and what a pack may not name, stay out. */
function filesOf(directory: string): readonly string[] {
  const here = (below: string): readonly string[] =>
    readdirSync(path.join(directory, below), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${below === '' ? '' : `${below}/`}${entry.name}`);
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const all = [...here(''), ...below.flatMap((entry) => here(entry.name))].filter(isPackable).toSorted();
  if (all.length === 0 || all.length > FILES_MAX) throw new RangeError(`${all.length} files in ${directory}`);
  return all;
}

async function describe(directory: string, name: string): Promise<PackedFile> {
  const file = path.join(directory, name);
  return { path: name, bytes: lstatSync(file).size, sha256: await sha256OfFile(file) };
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function add(pack: Pack, name: string, content: Buffer): Promise<void> {
  const entry = entryOf(name, content.length);
  pack.add(entry);
  entry.end(content);
  await entry.promise();
}

async function addFile(pack: Pack, directory: string, name: string, bytes: number): Promise<void> {
  const entry = entryOf(name, bytes);
  pack.add(entry);
  const taken = entry.promise();
  for await (const chunk of createReadStream(path.join(directory, name)))
    if (!entry.write(chunk)) await drained(entry);
  entry.end();
  await taken;
}

function drained(entry: ReadEntry): Promise<void> {
  return new Promise((resolve) => {
    entry.once('drain', () => resolve());
  });
}

/** No owner, no time: nothing of the machine that packs. */
function entryOf(name: string, size: number): ReadEntry {
  return new ReadEntry(new Header({ path: name, size, type: 'File', mode: 0o644, mtime: new Date(0) }));
}
