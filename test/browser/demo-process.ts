/** The demo as a newcomer starts it: one command, which prints the link when the page can be opened. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { poll } from '../../chaos/cluster/poll.ts';

const MAIN = fileURLToPath(new URL('../../chaos/demo/main.ts', import.meta.url));
/** Five nodes on a busy machine, and the page's first build. */
const START_BUDGET_MS = 120_000;

export interface DemoProcess {
  readonly url: string;
  /** from the command to the link */
  readonly startMs: number;
  readonly child: ChildProcess;
  /** Ends it as Ctrl-C does. @returns everything that it said */
  end(): Promise<string>;
}

export async function startDemo(args: readonly string[] = []): Promise<DemoProcess> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--lang', 'en', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const url = await poll(
    async () => {
      if (child.exitCode !== null) throw new Error(`the demo ended with ${child.exitCode}:\n${output}`);
      return /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? null;
    },
    { everyMs: 20, budgetMs: START_BUDGET_MS },
  );
  if (url === null) throw new Error(`no link within ${START_BUDGET_MS} ms:\n${output}`);
  return {
    url,
    startMs: performance.now() - startedAt,
    child,
    end: async () => {
      if (child.exitCode === null) {
        child.kill('SIGINT');
        await once(child, 'exit');
      }
      return output;
    },
  };
}
