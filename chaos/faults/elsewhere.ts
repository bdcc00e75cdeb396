/** A node that comes back at another address: what the others know of it is wrong, and they must find it again. */
import type { Check } from './fault.ts';
import { answers } from './node-fault.ts';
import { StepFault } from './step-fault.ts';

export interface MovableNode {
  readonly name: string;
  readonly url: string;
  startElsewhere(): Promise<{ readonly from: string; readonly to: string }>;
}

export function restartElsewhere(node: MovableNode): StepFault {
  let moved = { from: '', to: '' };
  const isThere = async (): Promise<Check> => ({
    claim: `${node.name}: it answers there`,
    holds: await answers(node.url),
  });
  return new StepFault({
    name: 'restart-elsewhere',
    means: `SIGKILL to ${node.name}, and a start at another address`,
    back: 'nothing: it runs, and stays where it is',
    inject: async () => {
      moved = await node.startElsewhere();
    },
    bites: async () => [
      { claim: `${node.name}: it was ${moved.from} and is ${moved.to}`, holds: moved.from !== moved.to },
      await isThere(),
    ],
    lift: async () => undefined,
    healed: async () => [await isThere()],
  });
}
