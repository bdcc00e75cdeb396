import { join } from 'node:path';
import { LatticeClient } from '../../chaos/cluster/client.ts';
import { CLUSTER_KEY, freePort, NodeProcess, until } from './node-process.ts';

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
      for (const port of [httpA, httpB]) await breathes(port, [port === httpA ? httpB : httpA]);
    },
    45_000,
  );

  it('is met by those that were not told of it, and again when it comes back at other ports', async () => {
    const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
    const [httpA = 0, httpB = 0, httpC = 0, httpD = 0, p2pA = 0, p2pB = 0] = ports;
    const at = (p2p: number): string => `/ip4/127.0.0.1/tcp/${p2p}`;
    start(httpA, { AETHEL_P2P_LISTEN: at(p2pA) });
    start(httpB, { AETHEL_P2P_LISTEN: at(p2pB), AETHEL_P2P_BOOTSTRAP: at(p2pA) });
    await breathes(httpA, [httpB]);
    const bootstrap = { AETHEL_P2P_BOOTSTRAP: `${at(p2pA)},${at(p2pB)}` };
    const newcomer = start(httpC, bootstrap);
    await breathes(httpA, [httpB, httpC]);
    await breathes(httpB, [httpA, httpC]);
    newcomer.kill('SIGTERM');
    await newcomer.ended(10_000);
    start(httpD, { ...bootstrap, AETHEL_STATE_DIR: join(newcomer.directory, '.aethel', 'state') });
    await breathes(httpA, [httpB, httpD]);
    await breathes(httpB, [httpA, httpD]);
  }, 120_000);

  /** Until it reaches so many members over both lungs, at these ports and no others. */
  async function breathes(port: number, others: readonly number[]): Promise<void> {
    const client = new LatticeClient(() => `http://127.0.0.1:${port}`, null, { timeoutMs: 2_000 });
    const urls = others.map((other) => `http://127.0.0.1:${other}`).toSorted();
    await until(
      async () => {
        const { sync_mode, peers } = await client.status();
        const isWhole = peers.every(({ p2p, http }) => p2p.state === 'alive' && http.state === 'alive');
        const known = peers.map(({ url }) => url ?? '').toSorted();
        return sync_mode === 'P2P' && isWhole && known.join() === urls.join() ? true : null;
      },
      nodes,
      30_000,
    );
    client.close();
  }

  function start(http: number, env: Readonly<Record<string, string>>): NodeProcess {
    const node = new NodeProcess();
    nodes.push(node);
    node.start({
      AETHEL_CLUSTER_KEY: CLUSTER_KEY,
      AETHEL_HTTP_PORT: String(http),
      AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
      ...env,
    });
    return node;
  }
});
