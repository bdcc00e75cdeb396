/** Nodes that get another version of themselves, one after the other while the rest go on, and the way back. */
import type { Check } from './fault.ts';
import { answers } from './node-fault.ts';
import { StepFault } from './step-fault.ts';

export interface UpgradableNode {
  readonly name: string;
  readonly url: string;
  readonly image: string;
  changeImage(image: string): Promise<unknown>;
}

export function upgrade(image: string, nodes: readonly UpgradableNode[]): StepFault {
  const before = new Map(nodes.map((node) => [node, node.image] as const));
  const checks = async (wanted: (node: UpgradableNode) => string): Promise<readonly Check[]> =>
    Promise.all(
      nodes.map(async (node) => ({
        claim: `${node.name}: it runs ${node.image} and answers`,
        holds: node.image === wanted(node) && (await answers(node.url)),
      })),
    );
  return new StepFault({
    name: 'upgrade',
    means: `${nodes.map(({ name }) => name).join(', then ')}: SIGTERM, and a start from ${image} on the same state`,
    back: 'the same, with the image that it had',
    inject: async () => {
      for (const node of nodes) await node.changeImage(image);
    },
    bites: () => checks(() => image),
    lift: async () => {
      for (const [node, old] of before) await node.changeImage(old);
    },
    healed: () => checks((node) => before.get(node) ?? ''),
  });
}
