/** Processes that do nothing but keep cores busy. Each ends itself when its time is over, or when whoever started it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const PROGRAM = `
process.on('disconnect', () => process.exit());
const until = performance.now() + Number(process.argv[1]);
const spin = () => {
  const pause = performance.now() + 50;
  while (performance.now() < pause);
  if (performance.now() < until) setImmediate(spin);
  else process.exit();
};
spin();`;

/** Resolves when all have ended. */
export async function saturate(processes: number, ms: number, signal: AbortSignal): Promise<void> {
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, ['-e', PROGRAM, String(ms)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  );
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
