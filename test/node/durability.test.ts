/** P1: an acknowledged write survives SIGKILL at any instant. */
import { startProcessCluster, type ProcessCluster } from '../../chaos/cluster/processes.ts';
import { LatticeClient } from '../../chaos/cluster/client.ts';

const ROUNDS = Number(process.env['AETHEL_LAB_KILL_ROUNDS'] ?? 20);
const WRITERS = 8;

describe('a node that is killed', () => {
  let cluster: ProcessCluster;

  beforeAll(async () => {
    cluster = await startProcessCluster({ nodes: 1, runId: `durability-${process.pid}` });
  });

  afterAll(async () => {
    const { leftovers } = await cluster.close();
    expect(leftovers).toEqual([]);
  });

  it(
    `has every acknowledged write and nothing that was not sent, ${ROUNDS} kills long`,
    async () => {
      const node = cluster.nodes[0];
      if (node === undefined) throw new Error('a cluster of one');
      const sent = new Map<string, number>();
      const acknowledged = new Map<string, number>();
      let killsDuringWrites = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        await node.start();
        // Odd rounds die right after a reply, even ones at whatever instant the next turn of the event loop is.
        const killAfter = 1 + ((round * 37) % 60);
        killsDuringWrites += await writeUntilKilled(round, killAfter, round % 2 === 1);
      }
      await node.start();
      const client = new LatticeClient(() => node.url, null, { timeoutMs: 5_000 });
      const { entries } = await client.entries();
      client.close();
      const lost = [...acknowledged].filter(([key, value]) => entries.get(key) !== value);
      const invented = [...entries].filter(([key, value]) => sent.get(key) !== value);
      expect(lost).toEqual([]);
      expect(invented).toEqual([]);
      expect(acknowledged.size).toBeGreaterThan(ROUNDS);
      // The kills must have met writes between accept and reply, or the test has seen nothing.
      expect(killsDuringWrites).toBeGreaterThan(0);

      /** @returns how many writes were under way when the node died */
      async function writeUntilKilled(
        round: number,
        killAfter: number,
        rightAfterReply: boolean,
      ): Promise<number> {
        const writer = new LatticeClient(() => node?.url ?? '', null, { timeoutMs: 3_000 });
        let replies = 0;
        let isKilled = false;
        let unanswered = 0;
        const kill = (): void => {
          if (isKilled) return;
          isKilled = true;
          const pid = node?.pid ?? null;
          if (pid !== null) process.kill(pid, 'SIGKILL');
        };
        const write = async (number: number): Promise<void> => {
          for (let count = 0; !isKilled && count < 1_000; count += 1) {
            const key = `round/${round}/${number}/${count}`;
            const value = round * 1_000_000 + number * 10_000 + count;
            sent.set(key, value);
            const result = await writer.put(key, value);
            if (result.outcome === 'ok') {
              acknowledged.set(key, value);
              replies += 1;
              if (replies < killAfter) continue;
              if (rightAfterReply) kill();
              else setImmediate(kill);
            } else if (result.outcome === 'info') unanswered += 1;
          }
        };
        await Promise.all(Array.from({ length: WRITERS }, (_, number) => write(number)));
        writer.close();
        await node?.kill();
        return unanswered;
      }
    },
    60_000 + ROUNDS * 10_000,
  );
});
