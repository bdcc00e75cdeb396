/**
 * Power loss: the node is killed, its file system is shut down without flushing anything, comes back as a disk would hold
 * it, and the node starts on that. Evidence is a file that was written at the same moment and not flushed: it is gone.
 */
import { answers } from './node-fault.ts';
import { StepFault } from './step-fault.ts';

export interface PoweredNode {
  readonly name: string;
  readonly url: string;
  kill(): Promise<number>;
  start(): Promise<unknown>;
  /** Of the stopped node's disk. @returns whether what was not flushed is lost. */
  cutPower(): Promise<boolean>;
}

export function lostWrites(node: PoweredNode): StepFault {
  let isLost = false;
  return new StepFault({
    name: 'lost-writes',
    means: `SIGKILL to ${node.name}, its file system shut down without a flush and mounted again, and a start on that`,
    back: 'nothing: it runs again, on what it had flushed',
    inject: async () => {
      await node.kill();
      isLost = await node.cutPower();
      await node.start();
    },
    bites: async () => [
      { claim: `${node.name}: what was written and not flushed is gone`, holds: isLost },
      { claim: `${node.name}: it answers`, holds: await answers(node.url) },
    ],
    lift: async () => undefined,
    healed: async () => [{ claim: `${node.name}: it answers`, holds: await answers(node.url) }],
  });
}
