/** A process that does nothing but keep a core busy. It ends when its time is over, or when whoever started it ends. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

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

export function spawnBusy(ms: number): ChildProcess {
  return spawn(process.execPath, ['-e', PROGRAM, String(ms)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
