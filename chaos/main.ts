/** `npm run chaos`: signals, exit codes, and which command. */
import { randomInt } from 'node:crypto';
import { parseCommand, UsageError } from './cli.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { perform } from './commands.ts';
import { endProcess } from './end-process.ts';
import { KeyUnusableError } from './pack/key.ts';
import { ResultsUnwritableError, RunUnreadableError } from './runner/run-directory.ts';
import { EXIT_CODES } from './runner/verdict.ts';
import { SCENARIOS } from './scenarios/index.ts';

/** `npm run` passes a terminal's Ctrl-C on although we got it ourselves: that pair is one signal. */
const SAME_SIGNAL_MS = 1_000;

/** What can be told in one line; anything else is a fault of the lab, with its stack. */
const KNOWN = [
  UsageError,
  WorldUnavailableError,
  RunUnreadableError,
  ResultsUnwritableError,
  KeyUnusableError,
];

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
  endProcess(await perform(command, interruption.signal));
} catch (error) {
  const isKnown = KNOWN.some((kind) => error instanceof kind);
  console.error(isKnown && error instanceof Error ? `chaos: ${error.message}` : error);
  endProcess(interruption.signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.error);
}
