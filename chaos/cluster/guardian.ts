/**
 * The lab's last will. What a fault does must not outlive the lab, whatever kills it: rules in the kernel have their
 * lease, but a paused container or a stopped process would stay so for ever. A detached process waits on a pipe whose other
 * end the lab holds; when that closes without a word of dismissal, the lab is dead, and everything of its run that
 * stands still goes on, and every rule is lifted. What is left of the run then is for `chaos heal` to remove.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const LAST_WILL = fileURLToPath(new URL('./last-will.ts', import.meta.url));
export const DISMISSED = 'dismissed';
const LEAVE_BUDGET_MS = 5_000;

export class Guardian {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** @param subject the run's id, or the directory of a process cluster */
  static over(world: 'containers' | 'processes', subject: string): Guardian {
    const child = spawn(process.execPath, [LAST_WILL, world, subject], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.on('error', () => undefined);
    child.stdin?.on('error', () => undefined);
    // Neither the process nor the pipe keeps the lab from ending.
    child.unref();
    if (child.stdin instanceof Socket) child.stdin.unref();
    return new Guardian(child);
  }

  /** @returns whether it has gone */
  async dismiss(): Promise<boolean> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return true;
    child.ref();
    const gone = once(child, 'exit', { signal: AbortSignal.timeout(LEAVE_BUDGET_MS) });
    child.stdin?.end(DISMISSED);
    try {
      await gone;
      return true;
    } catch {
      return false;
    }
  }
}
