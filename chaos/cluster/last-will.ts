/** What the guardian runs, in a process of its own: waits for the lab's end of the pipe to close. See ./guardian.ts. */
import { text } from 'node:stream/consumers';
import { continueProcesses } from './continue-processes.ts';
import { DISMISSED } from './guardian.ts';

const [world, subject] = process.argv.slice(2);
if (subject === undefined) throw new Error('usage: last-will.ts containers|processes <run or directory>');

if ((await text(process.stdin)) !== DISMISSED) {
  // Loaded only now: a guardian that waits costs next to nothing.
  if (world === 'containers') await (await import('./continue-containers.ts')).continueContainers(subject);
  else continueProcesses(subject);
}
