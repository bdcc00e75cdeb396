/** The command line of the lab: text in, a command or one clear sentence out. */
import { parseArgs } from 'node:util';
import type { LabWorld } from './cluster/port.ts';
import { KEY_FILE } from './pack/key.ts';

export interface RunCommand {
  readonly command: 'run';
  readonly scenario: string;
  readonly world: LabWorld;
  readonly nodes: number;
  readonly rounds: number;
  /** null: as long as the scenario needs */
  readonly durationMs: number | null;
  readonly seed: number;
  readonly results: string;
  /** say what would be done, and do nothing */
  readonly plan: boolean;
}

export interface GateCommand {
  readonly command: 'gate';
  readonly world: LabWorld;
  readonly nodes: number;
  readonly seed: number;
  readonly results: string;
  readonly plan: boolean;
  readonly quick: boolean;
}

export interface ReplayCommand {
  readonly command: 'replay';
  readonly run: string;
  readonly results: string;
  readonly plan: boolean;
}

export interface ShrinkCommand {
  readonly command: 'shrink';
  readonly run: string;
  readonly results: string;
  /** most runs that it may take */
  readonly runs: number;
}

export interface CanariesCommand {
  readonly command: 'canaries';
  /** part of a canary's name; null: all */
  readonly only: string | null;
  readonly nodes: number;
  readonly seed: number;
  readonly results: string;
}

export interface PackCommand {
  readonly command: 'pack';
  readonly run: string;
  readonly results: string;
  readonly key: string;
  /** null: beside the run's directory */
  readonly out: string | null;
}

export type Command =
  | RunCommand
  | GateCommand
  | ReplayCommand
  | ShrinkCommand
  | CanariesCommand
  | { readonly command: 'compare'; readonly runs: readonly string[]; readonly results: string }
  | PackCommand
  | { readonly command: 'verify'; readonly pack: string; readonly trust: string | null }
  | { readonly command: 'list' | 'doctor' }
  | { readonly command: 'heal'; readonly force: boolean }
  | { readonly command: 'help'; readonly topic: CommandName | null };

/** The message is one line, whatever was typed. */
export class UsageError extends Error {
  readonly code = 'usage';

  constructor(message: string, options?: ErrorOptions) {
    super(message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MESSAGE_MAX), options);
    this.name = 'UsageError';
  }
}

const MESSAGE_MAX = 500;

const OPTIONS = {
  help: { type: 'boolean', short: 'h', says: 'this' },
  cluster: {
    type: 'string',
    says: 'containers|processes|simulated: Docker (default), processes on loopback, or virtual time',
  },
  nodes: { type: 'string', says: 'N: how many nodes, 3 to 20 (default 5)' },
  rounds: { type: 'string', says: 'N: how often the fault strikes, 1 to 100 (default 1)' },
  duration: {
    type: 'string',
    says: '90s|20m|2h: how long faults may strike (default: as long as the scenario needs)',
  },
  seed: { type: 'string', says: 'N: whom it strikes, and when (default: another one every time, printed)' },
  results: { type: 'string', says: 'DIR: where reports go (default chaos-results)' },
  plan: { type: 'boolean', says: 'print the steps and the exact rules, and change nothing' },
  quick: { type: 'boolean', says: 'only the few scenarios that every change has to pass' },
  runs: { type: 'string', says: 'N: how many runs it may take, 1 to 200 (default 20)' },
  only: { type: 'string', says: 'TEXT: only canaries with this in their names' },
  key: {
    type: 'string',
    says: `FILE: the Ed25519 key that signs, made at the first use (default ${KEY_FILE})`,
  },
  out: { type: 'string', says: 'FILE: where the pack goes (default <run>.evidence.tar.gz beside the run)' },
  trust: { type: 'string', says: 'FINGERPRINT: refuse what any other key has signed' },
  force: { type: 'boolean', says: 'what belongs to runs that still go, too' },
} as const;

type OptionName = keyof typeof OPTIONS;

interface Description {
  readonly says: string;
  /** what it takes besides options, as its usage shows it */
  readonly takes: string;
  readonly argumentsMin: number;
  readonly argumentsMax: number;
  readonly options: readonly OptionName[];
}

const COMMANDS = {
  gate: {
    says: 'every scenario that decides whether the lattice may be trusted, one after the other (the default)',
    takes: '',
    argumentsMin: 0,
    argumentsMax: 0,
    options: ['cluster', 'nodes', 'seed', 'results', 'plan', 'quick'],
  },
  run: {
    says: 'one scenario',
    takes: '<scenario>',
    argumentsMin: 1,
    argumentsMax: 1,
    options: ['cluster', 'nodes', 'rounds', 'duration', 'seed', 'results', 'plan'],
  },
  list: { says: 'which scenarios there are', takes: '', argumentsMin: 0, argumentsMax: 0, options: [] },
  replay: {
    says: 'a run once more: the same scenario, world, nodes and seed',
    takes: '<run>',
    argumentsMin: 1,
    argumentsMax: 1,
    options: ['results', 'plan'],
  },
  shrink: {
    says: 'a failed run with fewer and shorter faults, as long as it fails the same way',
    takes: '<run>',
    argumentsMin: 1,
    argumentsMax: 1,
    options: ['results', 'runs'],
  },
  compare: {
    says: 'runs side by side: verdicts, claims and times',
    takes: '<run> <run> ...',
    argumentsMin: 2,
    argumentsMax: 8,
    options: ['results'],
  },
  canaries: {
    says: 'sabotaged nodes, on processes: every one of them must be caught',
    takes: '',
    argumentsMin: 0,
    argumentsMax: 0,
    options: ['only', 'nodes', 'seed', 'results'],
  },
  pack: {
    says: 'everything that a run, or a gate, is judged by, as one signed archive',
    takes: '<run>',
    argumentsMin: 1,
    argumentsMax: 1,
    options: ['results', 'key', 'out'],
  },
  verify: {
    says: 'a pack, offline: seal, signature, hashes, and every checker once more on its history',
    takes: '<pack>',
    argumentsMin: 1,
    argumentsMax: 1,
    options: ['trust'],
  },
  doctor: { says: 'what this machine can do', takes: '', argumentsMin: 0, argumentsMax: 0, options: [] },
  heal: {
    says: 'remove what a killed run left behind',
    takes: '',
    argumentsMin: 0,
    argumentsMax: 0,
    options: ['force'],
  },
  help: {
    says: 'this, or more about one command',
    takes: '[command]',
    argumentsMin: 0,
    argumentsMax: 1,
    options: [],
  },
} as const satisfies Readonly<Record<string, Description>>;

export type CommandName = keyof typeof COMMANDS;

const NAMES = Object.keys(COMMANDS).filter(isCommand);
const DEFAULT_COMMAND = 'gate';

const EXITS = `exit codes: 0 pass, 1 fail, 2 inconclusive (a fault is not proven, or too little was seen), 3 the lab itself failed
            or was called wrongly, 130 interrupted`;

/** @param topic null: all commands */
export function usageOf(topic: CommandName | null): string {
  if (topic !== null) return [`${lineOf(topic)}\n`, ...optionsOf(COMMANDS[topic].options), EXITS].join('\n');
  return ['npm run chaos -- [command] [options]\n', ...NAMES.map(lineOf), '', EXITS].join('\n');
}

function lineOf(name: CommandName): string {
  const { takes, says } = COMMANDS[name];
  return `  ${`${name} ${takes}`.padEnd(26)} ${says}`;
}

function optionsOf(options: readonly OptionName[]): readonly string[] {
  return [...options, 'help' as const]
    .map((name) => `    ${`--${name}`.padEnd(12)} ${OPTIONS[name].says}`)
    .concat('');
}

/** Throws UsageError. */
export function parseCommand(
  args: readonly string[],
  scenarios: readonly string[],
  randomSeed: () => number,
): Command {
  const { values, positionals } = parsed(args);
  const [command = DEFAULT_COMMAND, ...rest] = positionals;
  if (!isCommand(command))
    throw new UsageError(`there is no command ${command}; there are ${NAMES.join(', ')}`);
  if (values.help === true) return { command: 'help', topic: positionals.length === 0 ? null : command };
  checkArguments(command, rest, Object.keys(values));
  const results = values.results ?? 'chaos-results';
  const plan = values.plan === true;
  const [first = ''] = rest;
  switch (command) {
    case 'gate':
      return {
        command,
        world: worldOf(values.cluster),
        nodes: integer('--nodes', values.nodes, 3, 20) ?? 5,
        seed: integer('--seed', values.seed, 0, 0xffff_ffff) ?? randomSeed(),
        quick: values.quick === true,
        results,
        plan,
      };
    case 'run':
      if (!scenarios.includes(first))
        throw new UsageError(`there is no scenario ${first}; there are ${scenarios.join(', ')}`);
      return {
        command,
        scenario: first,
        world: worldOf(values.cluster),
        nodes: integer('--nodes', values.nodes, 3, 20) ?? 5,
        rounds: integer('--rounds', values.rounds, 1, 100) ?? 1,
        durationMs: values.duration === undefined ? null : durationOf(values.duration),
        seed: integer('--seed', values.seed, 0, 0xffff_ffff) ?? randomSeed(),
        results,
        plan,
      };
    case 'replay':
      return { command, run: first, results, plan };
    case 'shrink':
      return { command, run: first, results, runs: integer('--runs', values.runs, 1, 200) ?? 20 };
    case 'canaries':
      return {
        command,
        only: values.only ?? null,
        nodes: integer('--nodes', values.nodes, 3, 20) ?? 5,
        seed: integer('--seed', values.seed, 0, 0xffff_ffff) ?? randomSeed(),
        results,
      };
    case 'compare':
      return { command, runs: rest, results };
    case 'pack':
      return { command, run: first, results, key: values.key ?? KEY_FILE, out: values.out ?? null };
    case 'verify':
      return { command, pack: first, trust: values.trust === undefined ? null : fingerprintOf(values.trust) };
    case 'heal':
      return { command, force: values.force === true };
    case 'list':
    case 'doctor':
      return { command };
    case 'help':
      if (rest.length > 0 && !isCommand(first)) throw new UsageError(`there is no command ${first}`);
      return { command, topic: isCommand(first) ? first : null };
  }
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, strict: true, options: OPTIONS });
  } catch (error) {
    const [sentence = 'bad arguments'] = (error instanceof Error ? error.message : String(error)).split(
      /\. |\n/,
    );
    throw new UsageError(sentence, { cause: error });
  }
}

function checkArguments(command: CommandName, rest: readonly string[], given: readonly string[]): void {
  const { takes, argumentsMin, argumentsMax, options }: Description = COMMANDS[command];
  const foreign = given.find((name) => !options.some((option) => option === name));
  if (foreign !== undefined) throw new UsageError(`${command} takes no --${foreign}`);
  if (rest.length > argumentsMax) {
    const spare = rest.slice(argumentsMax).join(' ');
    throw new UsageError(
      argumentsMax === 1
        ? `${command} takes one ${takes}, not also ${spare}`
        : `${command} takes no ${spare}`,
    );
  }
  if (rest.length < argumentsMin) throw new UsageError(`${command} needs ${takes}`);
}

/** As `openssl` or a person writes it. */
function fingerprintOf(text: string): string {
  const fingerprint = text.toLowerCase().replaceAll(/[:\s]/g, '');
  if (!/^[0-9a-f]{64}$/.test(fingerprint))
    throw new UsageError('--trust is a fingerprint of 64 hexadecimal digits');
  return fingerprint;
}

function worldOf(text: string | undefined): LabWorld {
  if (text === undefined || text === 'containers') return 'containers';
  if (text === 'processes' || text === 'simulated') return text;
  throw new UsageError(`--cluster is containers, processes or simulated, not ${text}`);
}

function integer(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < min || value > max)
    throw new UsageError(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION_MAX_MS = 24 * 3_600_000;

function durationOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(digits) * (UNITS[unit] ?? 0);
  if (ms < 1_000 || ms > DURATION_MAX_MS)
    throw new UsageError(`--duration is like 90s, 20m or 2h, up to 24h, not ${text}`);
  return ms;
}
