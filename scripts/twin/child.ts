/** One node process of the twin: started from its `.env` file, told to stop, and gone in any case when `stop` resolves. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  readonly root: string;
  readonly envFile: string;
  /** over the inherited environment, under the file's own values */
  readonly env: Readonly<Record<string, string>>;
  /** every line that the node writes, of either stream */
  readonly onLine: (line: string) => void;
}

/** The contract is five seconds from SIGTERM; afterwards it's SIGKILL. */
const STOP_BUDGET_MS = 6000;

export class NodeChild {
  readonly #process: ChildProcess;
  /** how it ended */
  readonly ended: Promise<string>;
  #isGone = false;

  constructor(options: ChildOptions) {
    const child = spawn(process.execPath, ['node/main.ts'], {
      cwd: options.root,
      env: { ...inherited(), ...options.env, AETHEL_ENV_FILE: options.envFile },
      // Its own process group, so that Ctrl-C reaches the twin, which stops both. Windows would open a window for that.
      detached: !IS_WINDOWS,
      windowsHide: true,
      // A node that was started with a channel stops when the channel closes: it does not outlive a twin that is killed.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process = child;
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#isGone = true;
        resolve(how);
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(code === null ? String(signal) : `exit code ${code}`));
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', options.onLine);
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  async stop(): Promise<void> {
    if (this.#isGone) return;
    // Windows knows no SIGTERM: there the console's Ctrl-C has reached the node as well.
    if (!IS_WINDOWS) this.#process.kill('SIGTERM');
    const impatience = setTimeout(() => this.#process.kill('SIGKILL'), STOP_BUDGET_MS);
    await this.ended;
    clearTimeout(impatience);
  }

  /** Runs `node/main.ts` with these arguments to its end. Rejects with what it wrote when it fails. */
  static async run(root: string, args: readonly string[]): Promise<void> {
    const child = spawn(process.execPath, ['node/main.ts', ...args], {
      cwd: root,
      env: inherited(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`node/main.ts ${args.join(' ')} ended with ${code}: ${said.trim()}`);
  }
}

const IS_WINDOWS = process.platform === 'win32';

/** The nodes are configured by their files, not by settings that happen to be in this shell. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AETHEL_')));
}

/** A node of the twin ended although nobody asked it to, or never answered. */
export class NodeEndedError extends Error {
  readonly code = 'node_ended';
}
