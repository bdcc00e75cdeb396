/**
 * Runs the swarm's seeds until one fails, and prints what failed as one line of JSON; null when all passed. Started by
 * mutants.test.ts, with a mutant planted or without.
 *
 *     node [--import ./test/mutants/plant.ts] test/mutants/hunt.ts <from> <seeds>
 */
import { draw } from '../../sim/draw.ts';
import { run } from '../../sim/run.ts';

export interface Caught {
  readonly seed: number;
  readonly promise: string | null;
  readonly text: string;
}

function hunt(from: number, seeds: number): Caught | null {
  for (let seed = from; seed < from + seeds; seed += 1) {
    const [first] = run(draw(seed)).violations;
    if (first !== undefined) return { seed, promise: first.promise, text: first.text };
  }
  return null;
}

console.log(JSON.stringify(hunt(Number(process.argv[2]), Number(process.argv[3]))));
