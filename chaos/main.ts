/** `npm run chaos`: the lab's commands, its signals and its exit codes. */
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { parseCommand, UsageError, usageOf } from './cli.ts';
import type { Command, GateCommand, PackCommand, RunCommand } from './cli.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { diagnose } from './doctor.ts';
import { heal } from './heal.ts';
import { KeyUnusableError, loadKey } from './pack/key.ts';
import { writePack } from './pack/write.ts';
import { renderComparison } from './reports/compare.ts';
import { renderPlan } from './reports/plan.ts';
import { Progress } from './reports/progress.ts';
import { renderGate, renderResult } from './reports/text.ts';
import { runGate } from './runner/gate.ts';
import {
  findRun,
  readPackable,
  readResults,
  readSchedule,
  RunUnreadableError,
} from './runner/run-directory.ts';
import { run } from './runner/run.ts';
import { EXIT_CODES } from './runner/verdict.ts';
import { GATE, SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** `npm run` passes a terminal's Ctrl-C on although we got it ourselves: that pair is one signal. */
const SAME_SIGNAL_MS = 1_000;

/** What can be told in one line; anything else is a fault of the lab, with its stack. */
const KNOWN = [UsageError, WorldUnavailableError, RunUnreadableError, KeyUnusableError];

const interruption = new AbortController();
let interruptedAt = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) {
      interruptedAt = performance.now();
      console.error(`${signal}: cleaning up (once more to leave at once)`);
      interruption.abort(new Error('interrupted'));
    } else if (performance.now() - interruptedAt > SAME_SIGNAL_MS) {
      console.error('again: leaving at once; `npm run chaos -- heal` removes what is left');
      process.exit(EXIT_CODES.interrupted);
    }
  });
}

try {
  const command = parseCommand(process.argv.slice(2), [...SCENARIOS.keys()], () => randomInt(0x1_0000_0000));
  process.exitCode = await perform(command);
} catch (error) {
  const isKnown = KNOWN.some((kind) => error instanceof kind);
  console.error(isKnown && error instanceof Error ? `chaos: ${error.message}` : error);
  process.exitCode = interruption.signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.error;
}

async function perform(command: Command): Promise<number> {
  switch (command.command) {
    case 'gate':
      return performGate(command);
    case 'run':
      return performRun(command);
    case 'replay':
      return performRun(replayed(command));
    case 'compare':
      console.log(renderComparison(command.runs.map((one) => readResults(findRun(one, command.results)))));
      return 0;
    case 'pack':
      return performPack(command);
    case 'list':
      for (const { name, says } of SCENARIOS.values()) console.log(`${name.padEnd(14)} ${says}`);
      return 0;
    case 'doctor':
      return diagnose((line) => console.log(line));
    case 'heal':
      return heal({ force: command.force }, (line) => console.log(line));
    case 'help':
      console.log(usageOf(command.topic));
      return 0;
  }
}

async function performGate(command: GateCommand): Promise<number> {
  const scenarios = GATE.filter(({ quick }) => quick || !command.quick).map(({ scenario }) => scenario);
  if (command.plan) {
    for (const scenario of scenarios)
      console.log(renderPlan({ ...command, scenario, rounds: 1, durationMs: null }));
    return 0;
  }
  const progress = new Progress(process.stdout, process.env);
  const gate = await runGate({
    ...command,
    scenarios,
    resultsIn: path.resolve(command.results),
    signal: interruption.signal,
    progress: (line) => progress.step(line),
    ended: ({ results }) => progress.ended(results),
  });
  progress.release();
  process.stdout.write(renderGate(gate));
  return EXIT_CODES[gate.results.verdict];
}

async function performRun(command: RunCommand): Promise<number> {
  const scenario = scenarioNamed(command.scenario);
  if (command.plan) {
    console.log(renderPlan({ ...command, scenario }));
    return 0;
  }
  const startedAt = performance.now();
  const ended = await run({
    ...command,
    scenario,
    resultsIn: path.resolve(command.results),
    signal: interruption.signal,
    progress: (line) =>
      console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  });
  process.stdout.write(renderResult(ended));
  return EXIT_CODES[ended.results.verdict];
}

async function performPack({ run: name, results, key: keyFile, out }: PackCommand): Promise<number> {
  const directory = findRun(name, results);
  const key = loadKey(keyFile);
  const file = out ?? `${directory}.evidence.tar.gz`;
  const files = await writePack(directory, readPackable(directory), key, file);
  if (key.isNew) console.log(`made a new key: ${keyFile}`);
  console.log(`${file}: ${files.length} files, signed by\n${key.fingerprint}`);
  return 0;
}

function replayed(command: Extract<Command, { command: 'replay' }>): RunCommand {
  const { scenario, world, nodes, rounds, seed } = readSchedule(findRun(command.run, command.results));
  if (world === 'simulated') throw new UsageError('there is no simulated cluster here');
  return { ...command, command: 'run', scenario, world, nodes, rounds, durationMs: null, seed };
}

function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.get(name);
  if (scenario === undefined) throw new UsageError(`there is no scenario ${name}`);
  return scenario;
}
