/** `npm run sim`: runs seeds in virtual time and says which fail. */
import { parseArgs } from 'node:util';
import { run, type RunReport } from './run.ts';

const HELP = `Usage: npm run sim -- [options]

Runs a simulated cluster in virtual time: real protocol core, random faults, then a heal that must converge.

  --seed N       first seed (default 1)
  --seeds N      how many seeds to run (default 1)
  --nodes N      nodes per cluster, 2 to 200 (default 5)
  --seconds S    virtual seconds with faults, 1 to 3600 (default 30)
  --writes W     writes per virtual second, 1 to 1000 (default 10)
  --help

Exit: 0 all passed, 1 a seed failed, 3 bad arguments.`;

const USAGE = 3;

function main(): number {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '1' },
        nodes: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '30' },
        writes: { type: 'string', default: '10' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const seed = integer(values.seed, 0, Number.MAX_SAFE_INTEGER);
  const seeds = integer(values.seeds, 1, 1_000_000);
  const nodes = integer(values.nodes, 2, 200);
  const seconds = integer(values.seconds, 1, 3_600);
  const writes = integer(values.writes, 1, 1_000);
  if (seed === null || seeds === null || nodes === null || seconds === null || writes === null) {
    return usage('a number is missing or out of its range, see --help');
  }
  let failed = 0;
  for (let i = 0; i < seeds; i += 1) {
    const options = {
      seed: seed + i,
      nodes,
      faultsMs: seconds * 1_000,
      healMs: 30_000,
      writesPerSecond: writes,
    };
    const report = run(options);
    if (report.failures.length > 0) failed += 1;
    if (report.failures.length > 0 || seeds <= 10)
      print(report, `--nodes ${nodes} --seconds ${seconds} --writes ${writes}`);
    else if ((i + 1) % 50 === 0) console.log(`${i + 1}/${seeds} seeds, ${failed} failed`);
  }
  console.log(`${seeds - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function print(report: RunReport, options: string): void {
  const converged =
    report.convergedMs === null ? 'never' : `${Math.round(report.convergedMs)} ms after the heal`;
  console.log(`seed ${report.seed}: ${report.failures.length === 0 ? 'pass' : 'FAIL'}`);
  console.log(
    `  ${report.acknowledged} facts acknowledged, ${report.faults.length} faults, ${report.modeSwitches} mode switches`,
  );
  console.log(`  converged ${converged}, ${report.steps} events, trace ${report.traceHash.slice(0, 16)}`);
  if (report.failures.length === 0) return;
  for (const failure of report.failures) console.log(`  ${failure}`);
  for (const fault of report.faults) console.log(`    fault at ${fault}`);
  console.log(`  replay: npm run sim -- --seed ${report.seed} ${options}`);
}

function integer(text: string | boolean | undefined, min: number, max: number): number | null {
  if (typeof text !== 'string' || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

function usage(problem: string): number {
  console.error(`sim: ${problem}`);
  return USAGE;
}

process.exitCode = main();
