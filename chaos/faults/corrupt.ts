/**
 * A disk that does not give back what was written: the node is killed, its store's file loses its end or has one bit
 * turned, and the node starts on that. What it makes of it is the node's own affair, and the finding: it may repair
 * itself, or refuse to start. Where it does not run when the fault is lifted, it gets the file back as it was.
 */
import type { Check } from './fault.ts';
import { answers } from './node-fault.ts';
import { StepFault } from './step-fault.ts';
import type { SpecOf } from './spec.ts';

/** What was done to the file; offsets and sizes in bytes, digests of the whole file. */
export interface Damage {
  readonly bytes: number;
  readonly at: number;
  readonly before: string;
  readonly after: string;
}

/** LMDB's two heads lie there; a store without them is none, and that is another fault. */
const HEAD_BYTES = 8_192;

/** Where a file of so many bytes is damaged: the same place for the same seed. @returns a byte behind the heads, and one of its bits */
export function placeOf(seed: number, bytes: number): { readonly at: number; readonly bit: number } {
  // One step of splitmix32: neighbouring seeds lead far apart.
  let mixed = (seed + 0x9e37_79b9) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
  const share = ((mixed ^ (mixed >>> 15)) >>> 0) / 0x1_0000_0000;
  return { at: HEAD_BYTES + Math.floor(share * Math.max(0, bytes - HEAD_BYTES)), bit: mixed & 7 };
}

export interface StoreNode {
  readonly name: string;
  readonly url: string;
  readonly state: string;
  kill(): Promise<number>;
  start(): Promise<unknown>;
  /** Damages the store of the stopped node, after putting a copy of it aside. */
  damageStore(how: SpecOf<'corrupt'>['how'], seed: number): Promise<Damage>;
  /** Gives the stopped node the copy back. */
  restoreStore(): Promise<void>;
}

export function corrupt({ how, seed }: SpecOf<'corrupt'>, node: StoreNode): StepFault {
  let damage: Damage | null = null;
  let refusal: string | null = null;
  return new StepFault({
    name: 'corrupt',
    means: `SIGKILL to ${node.name}, its store ${how === 'torn' ? 'cut short' : 'with one bit turned'}, and a start on that`,
    back: 'the file as it was, where the node does not run; else nothing: it has dealt with it',
    inject: async () => {
      await node.kill();
      damage = await node.damageStore(how, seed);
      refusal = null;
      await node.start().catch((error: unknown) => {
        refusal = error instanceof Error ? error.message : String(error);
      });
    },
    bites: async () => [told(node.name, how, damage), await outcome(node, refusal)],
    lift: async () => {
      if (node.state === 'running') return;
      await node.restoreStore();
      await node.start();
    },
    healed: async () => [{ claim: `${node.name}: it answers`, holds: await answers(node.url) }],
  });
}

function told(name: string, how: 'torn' | 'flipped', damage: Damage | null): Check {
  if (damage === null) return { claim: `${name}: its store was damaged`, holds: false };
  const { at, bytes, before, after } = damage;
  const what = how === 'torn' ? `cut at byte ${at} of ${bytes}` : `one bit of byte ${at} of ${bytes} turned`;
  return {
    claim: `${name}: its store was ${what} (${before.slice(0, 8)} → ${after.slice(0, 8)})`,
    holds: before !== after,
  };
}

/** Either is an answer; what may not be is a node that neither runs nor has refused. */
async function outcome(node: StoreNode, refusal: string | null): Promise<Check> {
  if (refusal !== null) return { claim: `${node.name}: it refused to start: ${refusal}`, holds: true };
  return { claim: `${node.name}: it started on it and answers`, holds: await answers(node.url) };
}
