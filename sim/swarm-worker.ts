/** A thread of the swarm: runs the seeds that it is told, one after the other. */
import { parentPort } from 'node:worker_threads';
import { draw } from './draw.ts';
import { run } from './run.ts';
import type { Errand, SeedResult } from './swarm.ts';

parentPort?.on('message', ({ from, count, wishes }: Errand) => {
  for (let seed = from; seed < from + count; seed += 1) {
    const { verdict, violations, traceHash, events, acknowledged, convergedMs } = run(draw(seed, wishes));
    const [first] = violations;
    const result: SeedResult = {
      seed,
      verdict,
      promise: first?.promise ?? null,
      text: first?.text ?? null,
      traceHash,
      events,
      acknowledged,
      convergedMs,
    };
    parentPort?.postMessage(result);
  }
});
