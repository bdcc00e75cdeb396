/** More nodes, or fewer: the last ones come, or are asked to end, and the way back. */
import type { Check } from './fault.ts';
import { answers } from './node-fault.ts';
import { StepFault } from './step-fault.ts';

interface ScalableNode {
  readonly name: string;
  readonly url: string;
  readonly state: string;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
}

export interface ScalableCluster {
  readonly nodes: readonly ScalableNode[];
  /** Makes and starts one node more, with the next name. */
  grow(): Promise<ScalableNode>;
  /** Ends the last node and forgets it. */
  shrink(): Promise<void>;
}

export function scale(to: number, cluster: ScalableCluster): StepFault {
  const from = cluster.nodes.length;
  const leaving = cluster.nodes.slice(to);
  const counted = async (wanted: number): Promise<readonly Check[]> => {
    const running = await Promise.all(
      // A node that does not run has no address to ask.
      cluster.nodes.map(async (node) => node.state === 'running' && (await answers(node.url))),
    );
    const count = running.filter(Boolean).length;
    return [{ claim: `${count} nodes answer (${wanted} wanted)`, holds: count === wanted }];
  };
  return new StepFault({
    name: 'scale',
    means: `${to} nodes instead of ${from}: ${to > from ? 'new ones start' : 'the last ones are asked to end'}`,
    back: to > from ? 'the new ones end and are gone' : 'they start again on their state',
    inject: async () => {
      for (let count = from; count < to; count += 1) await cluster.grow();
      for (const node of leaving) await node.stop();
    },
    bites: () => counted(to),
    lift: async () => {
      for (let count = from; count < to; count += 1) await cluster.shrink();
      for (const node of leaving) await node.start();
    },
    healed: () => counted(from),
  });
}
