import { randomBytes } from 'node:crypto';
import type { RoomEvent } from '../../../dashboard/room/model.ts';
import { faultsInForce } from '../../../dashboard/room/reduce.ts';
import { poll } from '../../cluster/poll.ts';
import type { Cluster } from '../../cluster/port.ts';
import { startProcessCluster } from '../../cluster/processes.ts';
import { Room } from './room.ts';
import { RoomRefusal } from './server.ts';

const BUDGET_MS = 60_000;

describe('the control room on real nodes', () => {
  let cluster: Cluster;
  let room: Room;
  let running: Promise<void>;
  const ended = new AbortController();
  const events: RoomEvent[] = [];

  beforeAll(async () => {
    cluster = await startProcessCluster({ nodes: 3, runId: `room-${randomBytes(4).toString('hex')}` });
    room = new Room(cluster, (event) => events.push(event), { pace: { readMs: 0, transfers: 10 } });
    running = room.run(ended.signal);
    await seen(() => room.view.cluster.nodes.every(({ said }) => said?.mode === 'P2P'));
  }, BUDGET_MS);
  afterAll(async () => {
    ended.abort();
    await running;
    expect((await cluster.close()).leftovers).toEqual([]);
  }, BUDGET_MS);

  it(
    'plays the tour to its end, each step judged, and leaves nothing broken',
    async () => {
      await room.execute({ do: 'tour' });
      await expect(room.execute({ do: 'tour' })).rejects.toThrow(RoomRefusal);
      await seen(() => room.view.tour?.running === false, 3 * BUDGET_MS);
      const states = Object.fromEntries(
        (room.view.tour?.steps ?? []).map(({ name, state }) => [name, state]),
      );
      expect(states).toMatchObject({
        cutP2p: 'pass',
        cutHttp: 'pass',
        kill: 'pass',
        sum: 'pass',
        heal: 'pass',
      });
      expect(faultsInForce(room.view)).toEqual([]);
      expect(cluster.nodes.every(({ state }) => state === 'running')).toBe(true);
    },
    4 * BUDGET_MS,
  );

  it(
    'leaves a cut in force when another one that holds the same link ends',
    async () => {
      await room.execute({ do: 'cut', nodes: ['node1'], lung: 'p2p' });
      await room.execute({ do: 'cut', nodes: ['node2'], lung: 'p2p' });
      await expect(room.execute({ do: 'cut', nodes: ['node2'], lung: 'p2p' })).rejects.toThrow(RoomRefusal);
      await seen(() => mode('node1') === 'HTTP' && mode('node2') === 'HTTP');
      await room.execute({ do: 'heal', fault: faultsInForce(room.view)[1]?.id ?? 0 });
      await seen(() => mode('node2') === 'P2P' && mode('node1') === 'HTTP');
      const links = room.view.cluster.nodes[0]?.said?.links ?? [];
      expect(links.every(({ p2p }) => p2p !== 'alive')).toBe(true);
      await room.execute({ do: 'heal-all' });
      await seen(() => mode('node1') === 'P2P');
    },
    2 * BUDGET_MS,
  );

  it(
    'freezes a node, and restarts it whatever keeps it down',
    async () => {
      await room.execute({ do: 'freeze', node: 'node3' });
      await expect(room.execute({ do: 'freeze', node: 'node3' })).rejects.toThrow(/frozen/);
      await seen(() => room.view.cluster.nodes[2]?.reach === 'down');
      await room.execute({ do: 'restart', node: 'node3' });
      await seen(() => room.view.cluster.nodes[2]?.reach === 'up' && mode('node3') === 'P2P');
      expect(faultsInForce(room.view)).toEqual([]);
    },
    BUDGET_MS,
  );

  it(
    'makes a conflict that every node shows alike, and settles it',
    async () => {
      await room.execute({ do: 'conflict' });
      expect(room.view.conflict?.siblings).toHaveLength(1);
      expect(room.view.conflict?.agreeing).toEqual(['node1', 'node2', 'node3']);
      await room.execute({ do: 'settle' });
      expect(room.view.conflict).toMatchObject({ settled: true, siblings: [] });
      await expect(room.execute({ do: 'settle' })).rejects.toThrow(RoomRefusal);
    },
    BUDGET_MS,
  );

  it('refuses what names nobody, or a node on both sides', async () => {
    await expect(room.execute({ do: 'kill', node: 'node9' })).rejects.toThrow(RoomRefusal);
    await expect(room.execute({ do: 'write', node: 'node9', key: 'k', value: 'v' })).rejects.toThrow(
      RoomRefusal,
    );
    await expect(room.execute({ do: 'heal', fault: 99 })).rejects.toThrow(RoomRefusal);
    await expect(
      room.execute({ do: 'partition', groups: [['node1'], ['node1']], lung: 'both' }),
    ).rejects.toThrow(RoomRefusal);
  });

  it(
    'gathers evidence: every fault with its proof, an audit that finds every transfer on every node, signed roots',
    async () => {
      const evidence = JSON.parse(JSON.stringify(await room.evidence())) as {
        readonly faults: readonly { readonly evidence: readonly unknown[] }[];
        readonly audit: {
          readonly wrong: number;
          readonly acknowledged: number;
          readonly issued: number;
          readonly nodes: readonly { readonly sum: number }[];
        };
        readonly nodes: readonly { readonly root: { readonly signature: string } }[];
        readonly events: readonly unknown[];
      };
      expect(evidence.faults.length).toBeGreaterThanOrEqual(6);
      expect(evidence.faults.every(({ evidence: kept }) => kept.length > 0)).toBe(true);
      expect(evidence.audit.wrong).toBe(0);
      expect(evidence.audit.acknowledged).toBeGreaterThan(0);
      expect(evidence.audit.nodes.map(({ sum }) => sum)).toEqual(Array(3).fill(evidence.audit.issued));
      expect(evidence.nodes.every(({ root }) => root.signature.length > 0)).toBe(true);
      expect(evidence.events.length).toBeGreaterThan(10);
    },
    BUDGET_MS,
  );

  function mode(name: string): string | undefined {
    return room.view.cluster.nodes.find((node) => node.name === name)?.said?.mode;
  }

  async function seen(holds: () => boolean, budgetMs = BUDGET_MS): Promise<void> {
    const found = await poll(async () => (holds() ? true : null), { everyMs: 50, budgetMs });
    if (found === null)
      throw new Error(`not so within ${budgetMs} ms: ${JSON.stringify(room.view.log.slice(-8))}`);
  }
});
