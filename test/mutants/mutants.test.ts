/** The simulator can fail: every planted bug is caught within its number of seeds, and what is not planted passes the same seeds. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { edited } from '../../chaos/canaries/edit.ts';
import type { Caught } from './hunt.ts';
import { MUTANT_VARIABLE, MUTANTS, type Mutant } from './mutants.ts';

const ROOT = new URL('../../', import.meta.url);
const JOBS = 2;
const HUNT_MS = 240_000;
const ALL_MS = 600_000;
const BY_NAME = MUTANTS.map((mutant) => [mutant.name, mutant] as const);

/** What the first seed that failed said; null when all passed; a text when the hunt itself failed. */
type Outcome = Caught | null | string;

const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  const waiting = [...MUTANTS];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift())
      outcomes.set(mutant.name, await hunt(1, mutant.seedsMax, mutant));
  };
  await Promise.all(Array.from({ length: JOBS }, work));
}, ALL_MS);

describe('a planted bug', () => {
  it.each(BY_NAME)('has one place: %s', (_name, mutant) => {
    expect(edited(mutant, readFileSync(new URL(mutant.file, ROOT), 'utf8'))).toContain(mutant.replace);
  });

  it.each(BY_NAME)('is caught: %s', (name, { broken }) => {
    const outcome = outcomes.get(name);
    expect(outcome).toMatchObject({ seed: expect.any(Number), promise: expect.any(String) });
    expect(broken).toContain(typeof outcome === 'object' ? outcome?.promise : null);
  });
});

it(
  'is what fails: without it the same seeds pass',
  async () => {
    const last = Math.max(
      ...[...outcomes.values()].map((one) => (typeof one === 'object' ? (one?.seed ?? 0) : 0)),
    );
    const half = Math.ceil(last / JOBS);
    expect(await Promise.all([hunt(1, half, null), hunt(1 + half, last - half, null)])).toEqual([null, null]);
  },
  ALL_MS,
);

/** In a process of its own: what is planted stays there. */
async function hunt(from: number, seeds: number, mutant: Mutant | null): Promise<Outcome> {
  const plant = mutant === null ? [] : ['--import', new URL('plant.ts', import.meta.url).href];
  const env = { ...process.env, NODE_OPTIONS: '', [MUTANT_VARIABLE]: mutant?.name ?? '' };
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...plant, fileURLToPath(new URL('hunt.ts', import.meta.url)), String(from), String(seeds)],
      { cwd: ROOT, env, timeout: HUNT_MS },
    );
    return JSON.parse(stdout) as Caught | null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
