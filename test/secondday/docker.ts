/** The docker command, as a user types it. */
import { execFile } from 'node:child_process';

const OUTPUT_MAX = 16 * 1024 * 1024;
const BUDGET_MS = 120_000;

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** @returns standard output, trimmed. Rejects with what the command said where it failed. */
export function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return run('docker', args, options);
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { maxBuffer: OUTPUT_MAX, timeout: BUDGET_MS };
    execFile(command, [...args], { ...options, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else
        reject(
          new Error(`${command} ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }),
        );
    });
  });
}

export async function linesOf(args: readonly string[]): Promise<readonly string[]> {
  const text = await docker(args);
  return text === '' ? [] : text.split('\n');
}
