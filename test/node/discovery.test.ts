import { LatticeClient } from '../../chaos/cluster/client.ts';
import { poll } from '../../chaos/cluster/poll.ts';
import { CLUSTER_KEY, freePort, NodeProcess } from './node-process.ts';

describe('a node that was told one address only', () => {
  const nodes: NodeProcess[] = [];

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it.each(['HTTP', 'P2P'])(
    'of %s, breathes through both lungs, and so does the other, which was told nothing',
    async (told) => {
      const [httpA, httpB, p2pB] = [await freePort(), await freePort(), await freePort()];
      start(
        httpA,
        told === 'HTTP'
          ? { AETHEL_LATTICE_NODES: `http://127.0.0.1:${httpB}` }
          : { AETHEL_P2P_BOOTSTRAP: `/ip4/127.0.0.1/tcp/${p2pB}` },
      );
      start(httpB, { AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${p2pB}` });
      for (const port of [httpA, httpB]) {
        const client = new LatticeClient(() => `http://127.0.0.1:${port}`, null, { timeoutMs: 2_000 });
        const mode = await poll(
          async () => {
            try {
              const status = await client.status();
              const isWarm = status.peers.every(({ url, http }) => url !== null && http.state === 'alive');
              return status.sync_mode === 'P2P' && status.peer_count === 1 && isWarm
                ? status.sync_mode
                : null;
            } catch {
              return null;
            }
          },
          { everyMs: 50, budgetMs: 20_000 },
        );
        client.close();
        expect(mode).toBe('P2P');
      }
    },
    45_000,
  );

  function start(http: number, env: Readonly<Record<string, string>>): void {
    const node = new NodeProcess();
    nodes.push(node);
    node.start({
      AETHEL_CLUSTER_KEY: CLUSTER_KEY,
      AETHEL_HTTP_PORT: String(http),
      AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
      ...env,
    });
  }
});
