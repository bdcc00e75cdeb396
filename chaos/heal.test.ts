import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeScratchDirectory } from './cluster/run-file.ts';
import { tryLabDeath } from './faults/trials/lab-death.ts';
import { heal } from './heal.ts';

const FAKE = fileURLToPath(new URL('./cluster/testing/fake-node.ts', import.meta.url));

describe('a lab that is killed in the middle of its faults', () => {
  it.each(['guardian', 'lease'] as const)(
    'leaves no process, no directory and no guardian that heal does not remove (%s)',
    async (saviour) => {
      const { bites, heals } = await tryLabDeath('processes', saviour, FAKE);
      expect(bites.checks.filter(({ holds }) => !holds)).toEqual([]);
      expect(heals.checks.filter(({ holds }) => !holds)).toEqual([]);
    },
    60_000,
  );
});

describe('a scratch directory', () => {
  it('is removed by heal once whoever made it is dead, and not before', async () => {
    const ours = makeScratchDirectory('test');
    const orphaned = makeScratchDirectory('test');
    try {
      const { pid } = spawnSync(process.execPath, ['--version']);
      writeFileSync(path.join(orphaned, 'run.json'), JSON.stringify({ harness: pid, nodes: [] }));
      expect(await heal({ force: false }, () => {})).toBe(0);
      expect([ours, orphaned].map((directory) => existsSync(directory))).toEqual([true, false]);
    } finally {
      for (const directory of [ours, orphaned]) rmSync(directory, { recursive: true, force: true });
    }
  });
});
