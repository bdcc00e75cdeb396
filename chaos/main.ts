/** `npm run chaos`: the lab's commands, its signals and its exit codes. */
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { parseCommand, USAGE, UsageError } from './cli.ts';
import type { Command } from './cli.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { diagnose } from './doctor.ts';
import { heal } from './heal.ts';
import { renderResult } from './reports/text.ts';
import { run } from './runner/run.ts';
import { EXIT_CODES } from './runner/verdict.ts';
import { SCENARIOS } from './scenarios/index.ts';

/** `npm run` passes a terminal's Ctrl-C on although we got it ourselves: that pair is one signal. */
const SAME_SIGNAL_MS = 1_000;

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
  const isKnown = error instanceof UsageError || error instanceof WorldUnavailableError;
  console.error(isKnown ? `chaos: ${error.message}` : error);
  process.exitCode = interruption.signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.error;
}

async function perform(command: Command): Promise<number> {
  switch (command.command) {
    case 'run':
      return performRun(command);
    case 'list':
      for (const { name, says } of SCENARIOS.values()) console.log(`${name.padEnd(12)} ${says}`);
      return 0;
    case 'doctor':
      return diagnose((line) => console.log(line));
    case 'heal':
      return heal({ force: command.force }, (line) => console.log(line));
    case 'help':
      console.log(USAGE);
      return 0;
  }
}

async function performRun(command: Extract<Command, { command: 'run' }>): Promise<number> {
  const scenario = SCENARIOS.get(command.scenario);
  if (scenario === undefined) throw new UsageError(`there is no scenario ${command.scenario}`);
  const startedAt = performance.now();
  const result = await run({
    scenario,
    world: command.world,
    nodes: command.nodes,
    rounds: command.rounds,
    seed: command.seed,
    resultsIn: path.resolve(command.results),
    signal: interruption.signal,
    progress: (line) =>
      console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  });
  process.stdout.write(renderResult(result));
  return EXIT_CODES[result.results.verdict];
}
