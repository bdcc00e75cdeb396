/**
 * A full disk: a small file system that holds nothing but the node's state is filled to the last byte. Evidence is that no
 * byte is free and that the node acknowledges no write; healed, it takes one again.
 */
import { StepFault } from './step-fault.ts';

export interface DiskNode {
  readonly name: string;
  /** Fills what is left. Throws FaultError where its disk is not one of its own. */
  fillDisk(): Promise<void>;
  emptyDisk(): Promise<void>;
  freeBytes(): Promise<number>;
  /** Writes a value of so many characters, under the lab's own key. @returns what came of it, in words, and whether it was taken */
  tryWrite(characters: number): Promise<{ readonly taken: boolean; readonly said: string }>;
}

/** A store has room of its own in its file; so many large values at a look use it up. */
const LARGE = 50_000;
const WRITES_PER_LOOK = 20;
const SMALL = 10;

export function fullDisk(node: DiskNode): StepFault {
  return new StepFault({
    name: 'disk-full',
    means: `a file fills the file system of ${node.name}, which holds nothing but its state`,
    back: 'the file is removed',
    inject: () => node.fillDisk(),
    bites: async () => {
      let { taken, said } = await node.tryWrite(LARGE);
      for (let count = 1; taken && count < WRITES_PER_LOOK; count += 1)
        ({ taken, said } = await node.tryWrite(LARGE));
      // Looked at after the writes, which may have found a last page.
      const free = await node.freeBytes();
      return [
        { claim: `${node.name}: ${free} bytes are free`, holds: free === 0 },
        { claim: `${node.name}: a write is not acknowledged (${said})`, holds: !taken },
      ];
    },
    lift: () => node.emptyDisk(),
    healed: async () => {
      const { taken, said } = await node.tryWrite(SMALL);
      const free = await node.freeBytes();
      return [
        { claim: `${node.name}: ${free} bytes are free`, holds: free > 0 },
        { claim: `${node.name}: a write is taken (${said})`, holds: taken },
      ];
    },
  });
}
