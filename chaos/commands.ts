/** What each command does, and the code that it ends with. */
import { appendFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { CANARIES } from './canaries/canaries.ts';
import { hunt } from './canaries/hunt.ts';
import { UsageError, usageOf } from './cli.ts';
import type {
  CanariesCommand,
  Command,
  GateCommand,
  PackCommand,
  ReplayCommand,
  RunCommand,
  ShrinkCommand,
} from './cli.ts';
import { diagnose } from './doctor.ts';
import { heal } from './heal.ts';
import { loadKey } from './pack/key.ts';
import { PackRefusedError } from './pack/open.ts';
import { verifyPack } from './pack/verify.ts';
import { writePack } from './pack/write.ts';
import { renderComparison } from './reports/compare.ts';
import { renderPlan } from './reports/plan.ts';
import { Progress } from './reports/progress.ts';
import { renderSummary } from './reports/summary.ts';
import { renderGate, renderHunt, renderOutcome, renderResult, renderVerified } from './reports/text.ts';
import { runGate } from './runner/gate.ts';
import type { Run } from './runner/leave.ts';
import { findRun, newRunId, readOrder, readPackable, readResults } from './runner/run-directory.ts';
import { run } from './runner/run.ts';
import type { RunOptions } from './runner/run.ts';
import { shrinkRun } from './runner/shrink.ts';
import { EXIT_CODES } from './runner/verdict.ts';
import { GATE, SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** @returns the exit code */
export async function perform(command: Command, signal: AbortSignal): Promise<number> {
  switch (command.command) {
    case 'gate':
      return performGate(command, signal);
    case 'run':
      return performRun(command, signal);
    case 'replay':
      return performReplay(command, signal);
    case 'shrink':
      return performShrink(command, signal);
    case 'canaries':
      return performCanaries(command, signal);
    case 'compare':
      print(renderComparison(command.runs.map((one) => readResults(findRun(one, command.results)))));
      return 0;
    case 'pack':
      return performPack(command);
    case 'verify':
      return performVerify(command.pack, command.trust);
    case 'list':
      print(list());
      return 0;
    case 'doctor':
      return diagnose(print);
    case 'heal':
      return heal({ force: command.force }, print);
    case 'help':
      print(usageOf(command.topic));
      return 0;
  }
}

async function performGate(command: GateCommand, signal: AbortSignal): Promise<number> {
  const scenarios = GATE.filter(({ quick }) => quick || !command.quick).map(({ scenario }) => scenario);
  if (command.plan) {
    for (const scenario of scenarios)
      print(renderPlan({ ...command, scenario, rounds: 1, durationMs: null, schedule: null }));
    return 0;
  }
  const progress = new Progress(process.stdout, process.env);
  const gate = await runGate({
    ...command,
    scenarios,
    resultsIn: path.resolve(command.results),
    signal,
    progress: (line) => progress.step(line),
    ended: ({ results }) => progress.ended(results),
  });
  progress.release();
  process.stdout.write(renderGate(gate));
  const summary = process.env['GITHUB_STEP_SUMMARY'] ?? '';
  if (summary !== '') appendFileSync(summary, renderSummary(gate.results));
  return EXIT_CODES[gate.results.verdict];
}

async function performRun(command: RunCommand, signal: AbortSignal): Promise<number> {
  const scenario = scenarioNamed(command.scenario);
  if (command.plan) {
    print(renderPlan({ ...command, scenario, schedule: null }));
    return 0;
  }
  return told(await run({ ...optionsOf(command.results, signal), ...command, scenario }));
}

async function performReplay(command: ReplayCommand, signal: AbortSignal): Promise<number> {
  const order = orderOf(command.run, command.results);
  if (command.plan) {
    print(renderPlan(order));
    return 0;
  }
  return told(await run({ ...optionsOf(command.results, signal), ...order }));
}

async function performShrink(command: ShrinkCommand, signal: AbortSignal): Promise<number> {
  const { schedule, ...order } = orderOf(command.run, command.results);
  const { checks, verdict } = readResults(findRun(command.run, command.results));
  const failed = checks.filter((check) => check.verdict === 'fail').map(({ checker }) => checker);
  if (verdict !== 'fail' || failed.length === 0)
    throw new UsageError(`only a failed run can be shrunk, and this one is ${verdict}`);
  if (schedule === null)
    throw new UsageError(
      `${order.scenario.name} plays by hand and has no schedule: try fewer --rounds or --nodes`,
    );
  const resultsIn = path.join(path.resolve(command.results), `shrink-${newRunId()}`);
  const options = { ...optionsOf(command.results, signal), ...order, resultsIn, schedule };
  const shrunk = await shrinkRun({ ...options, failed, runsMax: command.runs });
  print(`${schedule.steps.length} steps became ${shrunk.schedule.steps.length}, in ${shrunk.runs} runs`);
  if (shrunk.smallest === null) {
    print('nothing smaller fails the same way');
    return EXIT_CODES.pass;
  }
  for (const step of shrunk.schedule.steps) print(`  ${JSON.stringify(step)}`);
  print(`npm run chaos -- replay ${path.relative(process.cwd(), shrunk.smallest.directory)}`);
  return EXIT_CODES.pass;
}

async function performCanaries(command: CanariesCommand, signal: AbortSignal): Promise<number> {
  const canaries = CANARIES.filter(({ name }) => name.includes(command.only ?? ''));
  if (canaries.length === 0) throw new UsageError(`no canary has ${command.only} in its name`);
  const progress = new Progress(process.stdout, process.env);
  const found = await hunt({
    ...command,
    canaries,
    resultsIn: path.resolve(command.results),
    signal,
    progress: (line) => progress.step(line),
    ended: (outcome) => progress.line(outcome.isRight, renderOutcome(outcome)),
  });
  progress.release();
  process.stdout.write(renderHunt(found));
  if (signal.aborted) return EXIT_CODES.interrupted;
  // A canary that cannot be planted, or does not start, is no canary.
  if (found.outcomes.some(({ verdict }) => verdict === 'error')) return EXIT_CODES.error;
  return found.outcomes.every(({ isRight }) => isRight) ? EXIT_CODES.pass : EXIT_CODES.fail;
}

async function performPack({ run: name, results, key: keyFile, out }: PackCommand): Promise<number> {
  const directory = findRun(name, results);
  const key = loadKey(keyFile);
  const file = out ?? `${directory}.evidence.tar.gz`;
  const files = await writePack(directory, readPackable(directory), key, file);
  if (key.isNew) print(`made a new key: ${keyFile}`);
  print(`${file}: ${files.length} files, signed by\n${key.fingerprint}`);
  return 0;
}

async function performVerify(pack: string, trust: string | null): Promise<number> {
  if (!existsSync(pack)) throw new UsageError(`there is no file ${pack}`);
  try {
    process.stdout.write(renderVerified(await verifyPack(pack, trust), trust !== null));
    return EXIT_CODES.pass;
  } catch (error) {
    if (!(error instanceof PackRefusedError)) throw error;
    print(`REFUSED: ${error.message}`);
    return EXIT_CODES.fail;
  }
}

function list(): string {
  const gate = new Map(GATE.map(({ scenario, quick }) => [scenario.name, quick ? 'quick' : 'gate']));
  return [...SCENARIOS.values()]
    .map(({ name, says }) => `${name.padEnd(18)} ${(gate.get(name) ?? '').padEnd(6)} ${says}`)
    .join('\n');
}

/** What a run was asked for, to be asked for again. */
function orderOf(name: string, results: string) {
  const { scenario, world, ...rest } = readOrder(findRun(name, results));
  return { ...rest, world, scenario: scenarioNamed(scenario) };
}

function optionsOf(
  results: string,
  signal: AbortSignal,
): Pick<RunOptions, 'resultsIn' | 'signal' | 'progress'> {
  const startedAt = performance.now();
  return {
    resultsIn: path.resolve(results),
    signal,
    progress: (line) =>
      print(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  };
}

function told(ended: Run): number {
  process.stdout.write(renderResult(ended));
  return EXIT_CODES[ended.results.verdict];
}

function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.get(name);
  if (scenario === undefined) throw new UsageError(`there is no scenario ${name}`);
  return scenario;
}

function print(line: string): void {
  console.log(line);
}
