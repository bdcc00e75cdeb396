import { fileURLToPath } from 'node:url';
import { tryLabDeath } from './faults/trials/lab-death.ts';

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
