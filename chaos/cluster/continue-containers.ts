/** Lifts every fault of a run whose lab is dead: thaws what stands still, deletes rules. Removes nothing. */
import { TABLE_PREFIX } from '../faults/nft.ts';
import { connectEngine, executeIn, listLabelled } from './engine.ts';

/** In every container of the run; each does what it can: the nodes' have no nft, the side containers nothing to thaw. */
const LIFT_ALL = `kill -CONT -1
for table in $(nft list tables 2>/dev/null | sed -n 's/^table inet \\(${TABLE_PREFIX}_.*\\)/\\1/p'); do nft delete table inet "$table"; done
true`;

export async function continueContainers(runId: string): Promise<void> {
  const engine = await connectEngine();
  const found = await listLabelled(engine, runId);
  await Promise.allSettled(
    found
      .filter(({ kind }) => kind === 'container')
      .map(async ({ id }) => {
        const container = engine.container.dockerode.getContainer(id);
        const { State } = await container.inspect();
        if (State.Paused) await container.unpause();
        await executeIn(container, ['sh', '-c', LIFT_ALL]);
      }),
  );
}
