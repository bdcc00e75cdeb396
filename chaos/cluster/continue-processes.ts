/** Lets the stopped nodes of a process cluster go on whose lab is dead: they then see that themselves, and end. */
import { isNodeOf, readRunFile } from './run-file.ts';

export function continueProcesses(directory: string): void {
  for (const pid of readRunFile(directory)?.nodes ?? []) {
    if (isNodeOf(pid, directory)) process.kill(pid, 'SIGCONT');
  }
}
