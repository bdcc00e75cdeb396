/** A node process with a free hand over its environment, for what a healthy cluster never shows: exits, refusals, taken ports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { poll } from '../../chaos/cluster/poll.ts';
import { freePorts } from '../../chaos/cluster/ports.ts';

const MAIN = fileURLToPath(new URL('../../node/main.ts', import.meta.url));

export class NodeProcess {
  readonly directory = mkdtempSync(join(tmpdir(), 'aethel-test-'));
  output = '';
  #child: ChildProcess | null = null;

  /** @param through a command that becomes the node, or starts it: its words, to which the node's are added */
  start(
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    through: readonly string[] = [],
  ): void {
    const [command = '', ...words] = [...through, process.execPath, MAIN, ...args];
    const child = spawn(command, words, {
      cwd: this.directory,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    });
    // Whoever ended does not read what is typed.
    child.stdin?.on('error', () => undefined);
    const listen = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    this.#child = child;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  type(text: string): void {
    this.#child?.stdin?.write(text);
  }

  /** Nobody reads its standard output any more. */
  closeOutput(): void {
    this.#child?.stdout?.destroy();
  }

  /** What happens to the channel when our process dies. */
  disconnect(): void {
    this.#child?.disconnect();
  }

  /** @returns the exit code, or the name of the signal that ended it */
  async ended(budgetMs: number): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (child === null) throw new Error('not started');
    await poll(async () => (child.exitCode ?? child.signalCode) || child.exitCode === 0 || null, {
      everyMs: 10,
      budgetMs,
    });
    const end = child.exitCode ?? child.signalCode;
    if (end === null) throw new Error(`still running after ${budgetMs} ms:\n${this.output}`);
    return end;
  }

  /** Waits for a line of output. */
  async says(what: string | RegExp, budgetMs: number): Promise<void> {
    const said = await poll(async () => (this.#isSaid(what) ? true : null), { everyMs: 20, budgetMs });
    if (said === null) throw new Error(`never said ${what}:\n${this.output}`);
  }

  /** Ends it at once, and leaves its directory. */
  async halt(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  async close(): Promise<void> {
    await this.halt();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #isSaid(what: string | RegExp): boolean {
    return typeof what === 'string' ? this.output.includes(what) : what.test(this.output);
  }
}

/** Waits until the claim gives something; it may throw until then. The error says what the nodes said last. */
export async function until<T>(
  claim: () => Promise<T | null>,
  nodes: readonly NodeProcess[],
  budgetMs = 20_000,
): Promise<T> {
  const held = await poll(
    async () => {
      try {
        return await claim();
      } catch {
        return null;
      }
    },
    { everyMs: 50, budgetMs },
  );
  if (held !== null) return held;
  const said = nodes.map(({ output }) => output.split('\n').slice(-12).join('\n'));
  throw new Error(`never true: ${String(claim)}\n${said.join('\n--\n')}`);
}

/** Somebody else's socket on a port of loopback. */
export async function occupy(): Promise<{ readonly port: number; readonly free: () => Promise<void> }> {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const free = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, free };
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

export const CLUSTER_KEY = '7f'.repeat(32);

/** A node that breathes over HTTP only, alone unless `more` names others. */
export function environment(
  port: number,
  more: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return {
    AETHEL_CLUSTER_KEY: CLUSTER_KEY,
    AETHEL_HTTP_PORT: String(port),
    AETHEL_P2P_ENABLED: 'false',
    ...more,
  };
}
