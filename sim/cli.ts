/** The command line of the simulator: what was asked for, or in one line what is wrong with it. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Wishes } from './draw.ts';

export const HELP = `Usage: npm run sim -- [run] [--seed S] [options]        one seed, with its report
       npm run sim -- swarm --seeds N [options]          many seeds, on all cores
       npm run sim -- shrink S [options]                 the smallest schedule that fails as seed S does
       npm run sim -- scale [options]                    what lattices of 10 to 10,000 nodes cost; has its own --help

A cluster of real protocol cores in virtual time. The seed draws the cluster, its links, disks and clocks, and a schedule of
writes and faults. Then only a part of the hosts is healed and must converge, then all. The promises P1 to P6 and P8 are checked.
The same seed and options give the same trace hash on every machine with the pinned Node.

  --seed S            default 1
  --nodes N           2 to 10000; default 5 to 9, by seed. Above 32 gossip is a partial mesh
  --seconds T         virtual seconds with faults, 5 to 3600; default 60. Or --minutes M
  --writes W          writes per virtual second, 1 to 1000; default by seed
  --beat MS           heartbeat of every link, 50 to 10000; default the product's 250, above 500 nodes 1000 (and a
                      tick every 250). The detector's windows go with it
  --wire              every message as its real bytes, decoded and verified; default one seed in five of the small ones
  --schedule FILE     runs (or shrinks) this schedule instead of drawing one
  --save FILE         writes the schedule there as JSON; shrink writes the smallest one (default sim-S.json in the temporary directory)
  --print             prints the schedule
  --json              prints the report as JSON

swarm:
  --seeds N           default 1000
  --from S            first seed, default 1
  --jobs J            threads, 1 to 64; default one per core
  --failures F        stop once so many seeds have failed, default 10

shrink:
  --runs R            runs at most, default 2000

Exit: 0 pass, 1 liveness (not converged in time), 2 safety (a write lost, a delete revived, a dot used twice, a dishonest mode …),
3 bad arguments, 4 the core or the simulator itself failed. Of several failed seeds the highest of these counts.`;

interface Common {
  readonly wishes: Wishes;
  readonly schedule: string | null;
  readonly save: string | null;
  /** the options, to be given again */
  readonly again: string;
}

export type Command =
  | { readonly do: 'help' }
  | (Common & { readonly do: 'run'; readonly seed: number; readonly print: boolean; readonly json: boolean })
  | (Common & { readonly do: 'shrink'; readonly seed: number; readonly runsMax: number })
  | {
      readonly do: 'swarm';
      readonly wishes: Wishes;
      readonly again: string;
      readonly from: number;
      readonly seeds: number;
      readonly jobs: number;
      readonly failuresMax: number;
    };

const SEED_MAX = 2 ** 46;

/** Something asked for that there is not; its message is the one line to print. */
class UsageError extends Error {
  readonly code = 'usage';
}

/** @returns what to do, or what is wrong */
export function parseCommand(args: readonly string[]): Command | string {
  try {
    return commandOf(args);
  } catch (error) {
    // By its code, not its class: parseArgs throws a TypeError, and that class may be another realm's.
    if (!isUsage(error)) throw error;
    return error.message.split('\n')[0] ?? error.code;
  }
}

function isUsage(error: unknown): error is { readonly code: string; readonly message: string } {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error))
    return false;
  const { code, message } = error;
  return typeof message === 'string' && typeof code === 'string' && /^(usage|ERR_PARSE_ARGS)/.test(code);
}

function commandOf(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      nodes: { type: 'string' },
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      writes: { type: 'string' },
      beat: { type: 'string' },
      wire: { type: 'boolean' },
      schedule: { type: 'string' },
      save: { type: 'string' },
      print: { type: 'boolean' },
      json: { type: 'boolean' },
      seeds: { type: 'string' },
      from: { type: 'string' },
      jobs: { type: 'string' },
      failures: { type: 'string' },
      runs: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [name = 'run', ...rest] = positionals;
  if (values.help === true || name === 'help') return { do: 'help' };
  if (values.seconds !== undefined && values.minutes !== undefined)
    throw new UsageError('--seconds and --minutes are one and the same: give one');
  const minutes = integer('--minutes', values.minutes, 1, 60);
  const seconds = integer('--seconds', values.seconds, 5, 3_600) ?? (minutes === null ? null : minutes * 60);
  const wishes: Wishes = {
    nodes: integer('--nodes', values.nodes, 2, 10_000),
    faultsMs: seconds === null ? null : seconds * 1_000,
    writesPerSecond: integer('--writes', values.writes, 1, 1_000),
    beatMs: integer('--beat', values.beat, 50, 10_000),
    wire: values.wire === true ? true : null,
  };
  const common = {
    wishes,
    schedule: values.schedule ?? null,
    save: values.save ?? null,
    again: optionsOf(wishes),
  };
  switch (name) {
    case 'run':
      refuse(rest, values, ['seeds', 'from', 'jobs', 'failures', 'runs']);
      return {
        do: 'run',
        ...common,
        seed: integer('--seed', values.seed, 0, SEED_MAX) ?? 1,
        print: values.print === true,
        json: values.json === true,
      };
    case 'shrink': {
      const [given, ...more] = rest;
      refuse(more, values, ['seeds', 'from', 'jobs', 'failures', 'print', 'json']);
      const seed = integer('the seed', given ?? values.seed, 0, SEED_MAX);
      if (seed === null && common.schedule === null)
        throw new UsageError('shrink wants a seed, or --schedule FILE');
      return {
        do: 'shrink',
        ...common,
        seed: seed ?? 0,
        runsMax: integer('--runs', values.runs, 1, 1_000_000) ?? 2_000,
      };
    }
    case 'swarm':
      refuse(rest, values, ['seed', 'schedule', 'save', 'print', 'json', 'runs']);
      return {
        do: 'swarm',
        wishes,
        again: common.again,
        from: integer('--from', values.from, 0, SEED_MAX) ?? 1,
        seeds: integer('--seeds', values.seeds, 1, 100_000_000) ?? 1_000,
        jobs: integer('--jobs', values.jobs, 1, 64) ?? availableParallelism(),
        failuresMax: integer('--failures', values.failures, 1, 1_000_000) ?? 10,
      };
    default:
      throw new UsageError(`no command "${name.slice(0, 40)}": there are run, swarm and shrink`);
  }
}

function refuse(
  positionals: readonly string[],
  values: Readonly<Record<string, unknown>>,
  options: readonly string[],
): void {
  const [extra] = positionals;
  if (extra !== undefined) throw new UsageError(`"${extra.slice(0, 40)}" is one argument too many`);
  const option = options.find((one) => values[one] !== undefined);
  if (option !== undefined) throw new UsageError(`--${option} does not go with this command, see --help`);
}

function integer(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`${name} must be a whole number from ${min} to ${max}`);
  return value;
}

function optionsOf({ nodes, faultsMs, writesPerSecond, beatMs, wire }: Wishes): string {
  return [
    nodes === null ? '' : ` --nodes ${nodes}`,
    faultsMs === null ? '' : ` --seconds ${faultsMs / 1_000}`,
    writesPerSecond === null ? '' : ` --writes ${writesPerSecond}`,
    beatMs === null ? '' : ` --beat ${beatMs}`,
    wire === true ? ' --wire' : '',
  ].join('');
}
