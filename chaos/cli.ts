/** The command line of the lab: text in, a command or one clear sentence out. */
import { parseArgs } from 'node:util';
import type { World } from './cluster/port.ts';

export type Command =
  | {
      readonly command: 'run';
      readonly scenario: string;
      readonly world: World;
      readonly nodes: number;
      readonly rounds: number;
      readonly seed: number;
      readonly results: string;
    }
  | { readonly command: 'list' | 'doctor' | 'help' }
  | { readonly command: 'heal'; readonly force: boolean };

export class UsageError extends Error {
  readonly code = 'usage';
}

export const USAGE = `npm run chaos                        run p2p-cut on containers
npm run chaos -- list                which scenarios there are
npm run chaos -- run <scenario>      with any of
    --cluster containers|processes   real nodes on Docker (default), or processes on loopback
    --nodes N                        3 to 5 (default 5)
    --rounds N                       how often the fault strikes, 1 to 100 (default 1)
    --seed N                         whom it strikes (default: another one every time, printed)
    --results DIR                    where reports go (default chaos-results)
npm run chaos -- doctor              what this machine can do
npm run chaos -- heal [--force]      remove what a killed run left behind; --force: of runs that still go, too
npm run chaos -- --help              this

exit codes: 0 pass, 1 fail, 2 inconclusive (the fault is not proven, or too little was seen), 3 the lab itself failed
            or was called wrongly, 130 interrupted`;

const DEFAULT_SCENARIO = 'p2p-cut';

/** Throws UsageError. */
export function parseCommand(
  args: readonly string[],
  scenarios: readonly string[],
  randomSeed: () => number,
): Command {
  const { values, positionals } = parsed(args);
  if (values.help === true) return { command: 'help' };
  const [command = 'run', ...rest] = positionals;
  switch (command) {
    case 'run': {
      const [scenario = DEFAULT_SCENARIO, ...more] = rest;
      if (more.length > 0) throw new UsageError(`one scenario at a time, not also ${more.join(' ')}`);
      if (!scenarios.includes(scenario)) {
        throw new UsageError(`there is no scenario ${scenario}; there are ${scenarios.join(', ')}`);
      }
      return {
        command: 'run',
        scenario,
        world: worldOf(values.cluster),
        nodes: integer('--nodes', values.nodes, 3, 5) ?? 5,
        rounds: integer('--rounds', values.rounds, 1, 100) ?? 1,
        seed: integer('--seed', values.seed, 0, 0xffff_ffff) ?? randomSeed(),
        results: values.results ?? 'chaos-results',
      };
    }
    case 'heal':
      nothingMore(command, rest);
      return { command, force: values.force === true };
    case 'list':
    case 'doctor':
    case 'help':
      nothingMore(command, rest);
      return { command };
    default:
      throw new UsageError(`there is no command ${command}; there are run, list, doctor, heal`);
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      strict: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        force: { type: 'boolean' },
        cluster: { type: 'string' },
        nodes: { type: 'string' },
        rounds: { type: 'string' },
        seed: { type: 'string' },
        results: { type: 'string' },
      },
    });
  } catch (error) {
    const [sentence = 'bad arguments'] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new UsageError(sentence, { cause: error });
  }
}

function nothingMore(command: string, rest: readonly string[]): void {
  if (rest.length > 0) throw new UsageError(`${command} takes no ${rest.join(' ')}`);
}

function worldOf(text: string | undefined): World {
  if (text === undefined || text === 'containers') return 'containers';
  if (text === 'processes') return 'processes';
  throw new UsageError(`--cluster is containers or processes, not ${text}`);
}

function integer(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  return value;
}
