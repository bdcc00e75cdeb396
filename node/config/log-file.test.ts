import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foreseeLogFile, prepareLogFile } from './log-file.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aethel-log-'));
  writeFileSync(join(directory, 'file'), '');
  mkdirSync(join(directory, 'directory'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

it.each(['file', 'new', 'directory/new', 'new/newer/newest', '/dev/null'])('takes %s', (name) => {
  const path = name.startsWith('/') ? name : join(directory, name);
  const before = readdirSync(directory);
  expect(foreseeLogFile(path)).toBeNull();
  expect(readdirSync(directory)).toEqual(before);
  expect(prepareLogFile(path)).toBeNull();
});

it.each([
  ['directory', 'EISDIR'],
  ['file/new', 'ENOTDIR'],
  ['file/new/newer', 'ENOTDIR'],
])('refuses %s, foreseen or not: %s', (name, code) => {
  const path = join(directory, name);
  expect(foreseeLogFile(path)).toContain(code);
  expect(prepareLogFile(path)).toContain(code);
});
