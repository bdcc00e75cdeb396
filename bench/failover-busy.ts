/** Keeps cores busy for a while. Each busy process ends itself when its time is over, or when whoever started it ends. */
import { once } from 'node:events';
import { spawnBusy } from '../chaos/cluster/busy.ts';

/** Resolves when all have ended. */
export async function saturate(processes: number, ms: number, signal: AbortSignal): Promise<void> {
  const children = Array.from({ length: processes }, () => spawnBusy(ms));
  const giveUp = (): void => {
    for (const child of children) child.kill('SIGKILL');
  };
  signal.addEventListener('abort', giveUp);
  try {
    await Promise.all(children.map((child) => once(child, 'exit')));
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
