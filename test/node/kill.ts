/**
 * The kill rounds as a command.
 *
 *   node test/node/kill.ts [--rounds 200] [--seed N]
 *
 * Exit: 0 nothing lost, invented, halved or reused · 1 something was · 2 no kill met a request, so nothing was tested, or bad
 * arguments · 3 the harness failed.
 */
import { parseArgs } from 'node:util';
import { killRounds } from './kill-rounds.ts';

const EXIT = { ok: 0, violated: 1, inconclusive: 2, harness: 3 } as const;

const rounds = numberOf('rounds', 200);
const seed = numberOf('seed', Date.now() % 2 ** 31);
if (rounds === null || seed === null) {
  console.error('usage: kill.ts [--rounds 1…100000] [--seed 0…2147483647]');
  process.exit(EXIT.inconclusive);
}
console.log(`kill rounds: ${rounds}, seed ${seed}`);
try {
  const report = await killRounds({ rounds, seed, progress: (line) => console.log(line) });
  for (const violation of report.violations) console.log(`VIOLATION ${violation}`);
  const { kills, acknowledged, interrupted, survived } = report;
  console.log(
    `${kills} kills, ${acknowledged} requests acknowledged, ${interrupted} interrupted, ${survived} of them done; seed ${seed}`,
  );
  const isViolated = report.violations.length > 0;
  console.log(isViolated ? 'FAIL' : interrupted === 0 ? 'INCONCLUSIVE' : 'PASS');
  process.exitCode = isViolated ? EXIT.violated : interrupted === 0 ? EXIT.inconclusive : EXIT.ok;
} catch (error) {
  console.error(error instanceof Error ? error.stack : error);
  console.log(`HARNESS ERROR; seed ${seed}`);
  process.exitCode = EXIT.harness;
}

/** @returns null where it is none */
function numberOf(name: 'rounds' | 'seed', whenAbsent: number): number | null {
  const max = name === 'rounds' ? 100_000 : 2 ** 31 - 1;
  try {
    const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } });
    const text = values[name];
    if (text === undefined) return whenAbsent;
    const number = Number(text);
    return /^\d+$/.test(text) && number <= max && (name === 'seed' || number > 0) ? number : null;
  } catch {
    return null;
  }
}
