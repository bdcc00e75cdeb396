/** Lets the stopped nodes of a process cluster go on whose lab is dead: they then see that themselves, and end. */
import { readRunFile, signalNode } from './run-file.ts';

export function continueProcesses(directory: string): void {
  for (const pid of readRunFile(directory)?.nodes ?? []) signalNode(pid, directory, 'SIGCONT');
}
