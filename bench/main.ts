/**
 * `npm run bench -- <suite>`: measures ourselves beside our peers in one process run, and says how it went in the last
 * line. See README.md for how a suite is made.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { WorldUnavailableError } from '../chaos/cluster/port.ts';
import { endProcess } from '../chaos/end-process.ts';
import { readBaseline, saveBaseline } from './baseline.ts';
import { describeMachine, missing } from './machine.ts';
import { renderBars, renderMachine, renderTable, verdictOf } from './report.ts';
import { InterruptedError, judge, UsageError } from './suite.ts';
import type { Suite } from './suite.ts';
import { SUITES } from './suites.ts';

const EXIT_OK = 0;
const EXIT_BAR_MISSED = 1;
const EXIT_USAGE = 3;
const N_MAX = 10_000_000;

const SUITE_OPTIONS: readonly string[] = SUITES.flatMap(({ options }) => Object.keys(options ?? {}));

const HELP = `Usage: npm run bench -- SUITE [options]

${SUITES.map(({ name, describe }) => `  ${name.padEnd(10)}${describe}`).join('\n')}

  --gate       exit 1 when a bar is missed
  --n N        size of the problem; --rounds N is the same
  --json FILE  write everything that was measured
  --save       make these numbers the baseline (bench/baseline.json)
  --help       this text
${SUITES.map(optionsText).join('')}
Peers are installed by: npm ci --prefix bench

Exit status: 0 ok, 1 a bar missed with --gate, 3 wrong usage or something not installed,
130 interrupted.`;

function optionsText({ name, options }: Suite): string {
  const lines = Object.entries(options ?? {}).map(
    ([option, { value, describe }]) => `  --${option.padEnd(18)} ${describe} (${value})\n`,
  );
  return lines.length === 0 ? '' : `\nof ${name} alone:\n${lines.join('')}`;
}

interface Args {
  readonly suite: Suite;
  readonly n: number;
  readonly gate: boolean;
  readonly save: boolean;
  readonly json: string | null;
  readonly options: Readonly<Record<string, string>>;
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    const args = read(argv);
    if (args !== null) return await bench(args);
    console.log(HELP);
    return EXIT_OK;
  } catch (error) {
    if (error instanceof InterruptedError) return error.exitCode;
    if (!(error instanceof UsageError || error instanceof WorldUnavailableError)) throw error;
    console.error(error.message);
    return EXIT_USAGE;
  }
}

async function bench({ suite, n, gate, save, json, options }: Args): Promise<number> {
  const absent = missing(suite.packages);
  if (absent.length > 0)
    throw new UsageError(`${absent.join(', ')} not installed; run: npm ci --prefix bench`);
  const machine = describeMachine(suite.packages);
  console.log(`${suite.name}, ${n} ${suite.size.what}`);
  console.log(renderMachine(machine, os.loadavg()[0] ?? 0));
  const rows = await suite.run({
    n,
    options,
    note: (line) => console.log(line),
    say: (line) => console.error(`… ${line}`),
  });
  const judged = judge(suite.bars, rows);
  const baseline = readBaseline(suite.name);
  console.log(`\n${renderTable(rows, baseline)}\n\n${renderBars(judged)}\n`);
  if (baseline !== null && (baseline.n !== n || baseline.machine.cpu !== machine.cpu))
    console.log(
      `note: the baseline is of ${baseline.n} ${suite.size.what} on ${baseline.machine.cpu}, Node ${baseline.machine.node}`,
    );
  if (json !== null)
    writeFileSync(json, `${JSON.stringify({ suite: suite.name, n, machine, rows, judged }, null, 2)}\n`);
  if (save) saveBaseline(suite.name, { machine, n, rows });
  console.log(verdictOf(suite.name, judged));
  return gate && judged.some(({ isMet }) => !isMet) ? EXIT_BAR_MISSED : EXIT_OK;
}

/** Null asks for help. */
function read(argv: readonly string[]): Args | null {
  const { values, positionals } = parse(argv);
  if (values.help === true) return null;
  const [name, ...others] = positionals;
  const suite = SUITES.find((known) => known.name === name);
  const names = SUITES.map((known) => known.name).join(', ');
  if (name === undefined) throw new UsageError(`Which suite? ${names}\nTry --help.`);
  if (suite === undefined) throw new UsageError(`No suite ${JSON.stringify(name)}; there is: ${names}`);
  if (others.length > 0) throw new UsageError('One suite at a time.');
  const size = values.n ?? values.rounds;
  const n = size === undefined ? suite.size.usual : Number(size);
  if (!Number.isSafeInteger(n) || n < 1 || n > N_MAX)
    throw new UsageError(`--n is a whole number from 1 to ${N_MAX}`);
  return {
    suite,
    n,
    gate: values.gate === true,
    save: values.save === true,
    json: values.json ?? null,
    options: optionsOf(suite, values),
  };
}

/** Those of the suite, as given or as usual; another suite's option is a mistake. */
function optionsOf(
  suite: Suite,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> {
  const own = suite.options ?? {};
  const foreign = SUITE_OPTIONS.find((name) => values[name] !== undefined && own[name] === undefined);
  if (foreign !== undefined) throw new UsageError(`--${foreign} is no option of ${suite.name}`);
  return Object.fromEntries(
    Object.entries(own).map(([name, { value }]) => {
      const given = values[name];
      return [name, typeof given === 'string' ? given : value];
    }),
  );
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        gate: { type: 'boolean' },
        save: { type: 'boolean' },
        n: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        ...Object.fromEntries(SUITE_OPTIONS.map((name) => [name, { type: 'string' as const }])),
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\nTry --help.`);
  }
}

// The failover suite dials containers that go.
endProcess(await main(process.argv.slice(2)));
