import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KeygenError, makeKeyFile } from './keygen.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aethel-keygen-'));
  file = join(directory, 'cluster.key');
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

it('makes a key once, which nobody else may read', () => {
  expect(makeKeyFile(file)).toBe('made');
  const key = readFileSync(file, 'utf8');
  expect(key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o400);
  expect(makeKeyFile(file)).toBe('kept');
  expect(readFileSync(file, 'utf8')).toBe(key);
  expect(readdirSync(directory)).toEqual(['cluster.key']);
});

it.each([
  ['empty', '', '(is 0)'],
  ['blank', '\n\n  \n', '(is 0)'],
  ['short', 'half of a', '(is 9)'],
])('refuses a file that is %s, and leaves it', (_what, text, word) => {
  writeFileSync(file, text);
  expect(() => makeKeyFile(file)).toThrow(KeygenError);
  expect(() => makeKeyFile(file)).toThrow(word);
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect(readdirSync(directory)).toEqual(['cluster.key']);
});

it('refuses what is no file, and a directory that is not there', () => {
  expect(() => makeKeyFile(directory)).toThrow('EISDIR');
  expect(() => makeKeyFile(join(directory, 'no', 'cluster.key'))).toThrow('ENOENT');
});

it('leaves nothing where nothing can be written, and makes one once it can (B15)', () => {
  // The process takes no harm of SIGXFSZ, so a write beyond the limit fails as one to a full disk does. Node stores its compile cache
  // after it has given its signal handlers back, so the limit would end it then: no cache here.
  const limited = spawnSync(
    'bash',
    ['-c', `ulimit -f 0; exec "$0" "$1" keygen --out "$2"`, process.execPath, MAIN, file],
    { env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' } },
  );
  expect(limited.status).toBe(3);
  expect(limited.stderr.toString()).toContain('cannot write');
  expect(readdirSync(directory)).toEqual([]);
  const free = spawnSync(process.execPath, [MAIN, 'keygen', '--out', file]);
  expect([free.status, readdirSync(directory)]).toEqual([0, ['cluster.key']]);
});
