import { createHash, generateKeyPairSync } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Header } from 'tar';
import { loadKey } from './key.ts';
import type { SigningKey } from './key.ts';
import { renderManifest } from './manifest.ts';
import { openPack, PackRefusedError } from './open.ts';
import { makeSeal, SEAL_BYTES } from './seal.ts';
import { writePack } from './write.ts';
import { sign } from 'node:crypto';

const RUN = { run: 'run-1', verdict: 'pass', environment: { commit: 'c'.repeat(40), dirty: false } } as const;
const FILES = {
  'results.json': '{"verdict":"pass"}',
  'history.jsonl': '{"at":1}\n{"at":2}\n',
  'node1.log': '',
};

let place = '';
let key: SigningKey;
let packFile = '';
let bytes: Buffer;

beforeAll(async () => {
  place = mkdtempSync(path.join(os.tmpdir(), 'aethel-pack-test-'));
  const run = path.join(place, 'run');
  mkdirSync(path.join(run, 'below'), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(run, name), text);
  writeFileSync(path.join(run, 'below', 'results.json'), 'deeper');
  symlinkSync('/etc/hostname', path.join(run, 'link.json'));
  key = loadKey(path.join(place, 'keys', 'key.pem'));
  packFile = path.join(place, 'run.tar.gz');
  await writePack(run, RUN, key, packFile);
  bytes = readFileSync(packFile);
});

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

describe('an evidence pack', () => {
  it('gives back what was packed, and nothing else', async () => {
    const directory = fresh();
    const manifest = await openPack(packFile, key.fingerprint, directory);
    expect(manifest.files.map((file) => file.path)).toEqual([
      'below/results.json',
      'history.jsonl',
      'node1.log',
      'results.json',
    ]);
    expect(manifest).toMatchObject({ run: 'run-1', verdict: 'pass', fingerprint: key.fingerprint });
    for (const [name, text] of Object.entries(FILES))
      expect(readFileSync(path.join(directory, name), 'utf8')).toBe(text);
  });

  it('can be checked with tar and openssl alone', () => {
    const directory = fresh();
    execFileSync('tar', ['xzf', packFile, '-C', directory], { stdio: 'ignore' });
    const said = execFileSync(
      'openssl',
      [
        'pkeyutl',
        '-verify',
        '-pubin',
        '-inkey',
        'signer.pem',
        '-rawin',
        '-in',
        'manifest.json',
        '-sigfile',
        'manifest.sig',
      ],
      { cwd: directory },
    );
    expect(said.toString()).toContain('Verified Successfully');
  });

  it('has no byte that could be another one', async () => {
    const accepted: string[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      // One bit of each byte of the archive; three of each byte of the seal, whose base64 has spare ones.
      const bits = at < bytes.length - SEAL_BYTES ? [at % 8] : [0, 1, 2 + (at % 6)];
      for (const bit of bits) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        if ((await refusal(changed)) === null) accepted.push(`bit ${bit} of byte ${at}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  it('is refused with one clear line when it is cut, added to, or noise', async () => {
    const change = fc.oneof(
      fc.nat({ max: bytes.length - 1 }).map((length) => bytes.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 50 }).map((more) => Buffer.concat([bytes, more])),
      fc.uint8Array({ maxLength: 2_000 }).map((noise) => Buffer.from(noise)),
      fc
        .tuple(fc.nat({ max: bytes.length }), fc.uint8Array({ minLength: 1, maxLength: 9 }))
        .map(([at, more]) => Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])),
    );
    await fc.assert(
      fc.asyncProperty(change, async (changed) => {
        expect(await refusal(changed)).toMatch(/^[^\n]+$/);
      }),
      { numRuns: 150 },
    );
  });

  it('is refused when another key has signed it than the one that is trusted', async () => {
    expect(await refusal(bytes, 'f'.repeat(64))).toContain('not by the trusted');
  });
});

describe('a pack that a stranger has sealed himself', () => {
  const honest = { 'results.json': 'abc' };

  it('is taken where it is what it says', async () => {
    expect(await refusal(forged(honest, honest))).toBeNull();
  });

  it.each([
    ['removes a file', { ...honest, 'history.jsonl': 'x' }, honest, 'history.jsonl is missing'],
    ['adds a file', honest, { ...honest, 'extra.json': 'x' }, '"extra.json" is not in its manifest'],
    ['edits a verdict', honest, { 'results.json': 'abd' }, 'results.json has another hash'],
    ['edits a length', honest, { 'results.json': 'abcd' }, 'results.json has 4 bytes, not 3'],
    ['climbs out', { '../evil': 'x' }, { '../evil': 'x' }, 'is no path that a pack may have'],
    [
      'climbs out behind the manifest',
      honest,
      { ...honest, '../evil': 'x' },
      '"../evil" is not in its manifest',
    ],
    ['names an absolute path', { '/tmp/evil': 'x' }, { '/tmp/evil': 'x' }, 'is no path that a pack may have'],
    ['goes deeper than a gate', { 'a/b/c': 'x' }, { 'a/b/c': 'x' }, 'is no path that a pack may have'],
    ['names one file in two cases', { a: 'x', A: 'x' }, { a: 'x', A: 'x' }, 'names a file twice'],
    ['names nothing', {}, {}, 'files'],
  ])('and %s is refused', async (_what, said, holds, line) => {
    expect(await refusal(forged(said, holds))).toContain(line);
  });

  it.each([
    ['a link', header('results.json', 0, 'SymbolicLink')],
    ['a hard link', header('results.json', 0, 'Link')],
    ['a directory', header('results', 0, 'Directory')],
    ['the manifest again', Buffer.concat([header('manifest.json', 1), block('x')])],
    ['nonsense', Buffer.alloc(512, 7)],
  ])('and holds %s is refused', async (_what, more) => {
    expect(await refusal(forged(honest, honest, more))).toMatch(/^[^\n]+$/);
  });

  it('and unpacks to more than it says is refused before it is unpacked', async () => {
    const huge = Buffer.concat([header('manifest.json', 2 ** 33)]);
    expect(await refusal(sealed(gzipSync(huge)))).toMatch(/larger than|archive/);
  });
});

describe('the key', () => {
  it('is made once, for its owner alone', () => {
    const file = path.join(place, 'once', 'key.pem');
    const first = loadKey(file);
    expect(first.isNew).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(loadKey(file)).toMatchObject({ isNew: false, fingerprint: first.fingerprint });
  });

  it('is refused when others can read it, or when it is none', () => {
    const open = path.join(place, 'open.pem');
    writeFileSync(open, 'x', { mode: 0o644 });
    expect(() => loadKey(open)).toThrow('can be read by others');
    const rsa = path.join(place, 'rsa.pem');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    writeFileSync(rsa, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    expect(() => loadKey(rsa)).toThrow('of type rsa');
  });
});

let directories = 0;
function fresh(): string {
  directories += 1;
  const directory = path.join(place, `out-${directories}`);
  mkdirSync(directory);
  return directory;
}

/** @returns why it is refused; null where it is not */
async function refusal(changed: Uint8Array, trusted: string | null = null): Promise<string | null> {
  const file = path.join(place, 'changed.tar.gz');
  writeFileSync(file, changed);
  try {
    await openPack(file, trusted, fresh());
    return null;
  } catch (error) {
    if (!(error instanceof PackRefusedError)) throw error;
    return error.message;
  }
}

/** A manifest that says one thing and an archive that holds another, signed as it should be. */
function forged(
  said: Readonly<Record<string, string>>,
  holds: Readonly<Record<string, string>>,
  more: Uint8Array = new Uint8Array(),
): Buffer {
  const manifest = renderManifest({
    run: 'run-1',
    verdict: 'pass',
    packedAt: '2026-01-01T00:00:00.000Z',
    commit: null,
    dirty: false,
    fingerprint: key.fingerprint,
    files: Object.entries(said).map(([name, text]) => ({
      path: name,
      bytes: text.length,
      sha256: createHash('sha256').update(text).digest('hex'),
    })),
  });
  const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
  const entries: readonly (readonly [string, string | Buffer])[] = [
    ['manifest.json', manifest],
    ['manifest.sig', sign(null, manifest, key.privateKey)],
    ['signer.pem', pem],
    ...Object.entries(holds),
  ];
  const blocks = entries.flatMap(([name, content]) => [
    header(name, Buffer.byteLength(content)),
    block(content),
  ]);
  return sealed(gzipSync(Buffer.concat([...blocks, more, Buffer.alloc(1_024)])));
}

function sealed(archive: Buffer): Buffer {
  const sha256 = createHash('sha256').update(archive).digest('hex');
  return Buffer.concat([archive, makeSeal(sha256, key.privateKey, key.publicKey)]);
}

function header(
  name: string,
  size: number,
  type: 'File' | 'SymbolicLink' | 'Link' | 'Directory' = 'File',
): Buffer {
  const bytesOfHeader = Buffer.alloc(512);
  const linkpath = type.endsWith('Link') ? { linkpath: '/etc/passwd' } : {};
  new Header({ path: name, size, type, mode: 0o644, mtime: new Date(0), ...linkpath }).encode(bytesOfHeader);
  return bytesOfHeader;
}

function block(content: string | Buffer): Buffer {
  const body = Buffer.from(content);
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

it('has a seal of one length', () => {
  expect(makeSeal('0'.repeat(64), key.privateKey, key.publicKey)).toHaveLength(SEAL_BYTES);
});
