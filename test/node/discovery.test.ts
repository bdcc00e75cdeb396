import { networkInterfaces } from 'node:os';
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

  const itOverIpv6 = Object.values(networkInterfaces()).some((list) =>
    list?.some(({ address }) => address === '::1'),
  )
    ? it
    : it.skip;

  itOverIpv6(
    'of IPv6 breathes through both lungs (skipped without IPv6)',
    async () => {
      const [httpA, httpB, p2pB] = [await freePort(), await freePort(), await freePort()];
      start(httpA, {
        AETHEL_HTTP_HOST: '::1',
        AETHEL_P2P_LISTEN: '/ip6/::1/tcp/0',
        AETHEL_P2P_BOOTSTRAP: `/ip6/::1/tcp/${p2pB}`,
      });
      start(httpB, { AETHEL_HTTP_HOST: '::1', AETHEL_P2P_LISTEN: `/ip6/::1/tcp/${p2pB}` });
      for (const [port, other] of [
        [httpA, httpB],
        [httpB, httpA],
      ] as const)
        await breathes(port, [other], '[::1]');
    },
    45_000,
  );

  it.each(['P2P', 'HTTP'])(
    'of %s: two that come back at other addresses find each other by the third, and dead addresses are told once',
    async (lung) => {
      const ports = await Promise.all(Array.from({ length: 10 }, () => freePort()));
      const address = (http: number, p2p: number): Readonly<Record<string, string>> =>
        lung === 'P2P'
          ? { AETHEL_P2P_BOOTSTRAP: `/ip4/127.0.0.1/tcp/${p2p}` }
          : { AETHEL_LATTICE_NODES: `http://127.0.0.1:${http}`, AETHEL_P2P_ENABLED: 'false' };
      const [httpA = 0, httpB = 0, httpC = 0, newB = 0, newC = 0, p2pA = 0, p2pB = 0, p2pC = 0] = ports;
      const [p2pNewB = 0, p2pNewC = 0] = ports.slice(8);
      const listen = (p2p: number): Readonly<Record<string, string>> => ({
        AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${p2p}`,
      });
      const all = {
        AETHEL_P2P_BOOTSTRAP: [p2pA, p2pB, p2pC].map((port) => `/ip4/127.0.0.1/tcp/${port}`).join(),
        AETHEL_LATTICE_NODES: [httpA, httpB, httpC].map((port) => `http://127.0.0.1:${port}`).join(),
        ...(lung === 'HTTP' && { AETHEL_P2P_ENABLED: 'false' }),
      };
      start(httpA, { ...all, ...listen(p2pA) });
      const b = start(httpB, { ...all, ...listen(p2pB) });
      const c = start(httpC, { ...all, ...listen(p2pC) });
      for (const port of [httpA, httpB, httpC]) await reaches(port, 2);
      for (const node of [b, c]) {
        node.kill('SIGTERM');
        await node.ended(10_000);
      }
      const stateOf = (node: NodeProcess): Readonly<Record<string, string>> => ({
        AETHEL_STATE_DIR: join(node.directory, '.aethel', 'state'),
      });
      // One knows the third one only, the other one its friend's old place as well.
      start(newB, { ...address(httpA, p2pA), ...listen(p2pNewB), ...stateOf(b) });
      const moved = start(newC, { ...all, ...listen(p2pNewC), ...stateOf(c) });
      for (const port of [newB, newC, httpA]) await reaches(port, 2);
      await moved.says('nobody answers at a configured address', 40_000);
      const told = moved.output.split('\n').filter((line) => line.includes('nobody answers at a configured'));
      expect(new Set(told).size).toBe(told.length);
    },
    120_000,
  );

  /** Until so many members are alive over one lung or the other. */
  async function reaches(port: number, count: number): Promise<void> {
    const client = new LatticeClient(() => `http://127.0.0.1:${port}`, null, { timeoutMs: 2_000 });
    await until(
      async () => {
        const { peers } = await client.status();
        const alive = peers.filter(({ p2p, http }) => p2p.state === 'alive' || http.state === 'alive');
        return alive.length === count ? true : null;
      },
      nodes,
      30_000,
    );
    client.close();
  }

  /** Until it reaches so many members over both lungs, at these ports and no others. */
  async function breathes(port: number, others: readonly number[], host = '127.0.0.1'): Promise<void> {
    const client = new LatticeClient(() => `http://${host}:${port}`, null, { timeoutMs: 2_000 });
    const urls = others.map((other) => `http://${host}:${other}`).toSorted();
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
