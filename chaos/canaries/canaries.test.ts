import { readFileSync } from 'node:fs';
import { SCENARIOS } from '../scenarios/index.ts';
import { CANARIES } from './canaries.ts';
import { edited } from './edit.ts';

const ROOT = new URL('../../', import.meta.url);
const BY_NAME = CANARIES.map((canary) => [canary.name, canary] as const);

describe('a canary', () => {
  it.each(BY_NAME)('still has its place in the source: %s', (_name, { edits }) => {
    for (const edit of edits) {
      const text = readFileSync(new URL(edit.file, ROOT), 'utf8');
      expect(edited(edit, text)).not.toBe(text);
    }
  });

  it.each(BY_NAME)(
    'names a scenario, and checkers of it that can catch it: %s',
    (_name, { scenario, caughtBy }) => {
      const names = SCENARIOS.get(scenario)?.checkers.map((checker) => checker.name) ?? [];
      expect([...names, 'limits']).toEqual(expect.arrayContaining([...caughtBy]));
    },
  );
});

it('there are ten at least, and no two of one name', () => {
  expect(CANARIES.length).toBeGreaterThanOrEqual(10);
  expect(new Set(CANARIES.map(({ name }) => name)).size).toBe(CANARIES.length);
});

it('an edit without its one place fails instead of passing for done', () => {
  const edit = { file: 'x.ts', find: 'a', replace: 'b' };
  expect(() => edited(edit, 'none')).toThrow('0 places in x.ts');
  expect(() => edited(edit, 'a a')).toThrow('2 places in x.ts');
});
