/** P6: without the cluster's key a peer can neither read nor write through either lung. */
import { LatticeClient } from '../../chaos/cluster/client.ts';
import { poll } from '../../chaos/cluster/poll.ts';
import { CLUSTER_KEY, freePort, NodeProcess } from './node-process.ts';

const BUDGET_MS = 20_000;
const STRANGERS_KEY = '66'.repeat(32);

interface Place {
  readonly http: number;
  readonly p2p: number;
}

describe('a stranger with another cluster key', () => {
  const nodes: NodeProcess[] = [];
  const clients: LatticeClient[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it('is refused by both lungs, learns nothing and teaches nothing, while members go on', async () => {
    const places = await Promise.all([place(), place(), place()]);
    const [a, b, stranger] = places.map((own, i) =>
      start(own, places, i === 2 ? STRANGERS_KEY : CLUSTER_KEY),
    );
    if (a === undefined || b === undefined || stranger === undefined) throw new Error('three nodes');

    await until(async () => (await a.status()).sync_mode === 'P2P' && (await b.status()).sync_mode === 'P2P');
    await until(async () => nodes[2]?.output.includes('LATTICE READY') === true);
    expect((await a.put('secret', 'of the members')).outcome).toBe('ok');
    expect((await stranger.put('poison', 'of the stranger')).outcome).toBe('ok');
    await until(async () => (await b.get('secret')) !== null);
    // The stranger has tried both lungs and was turned away by both.
    await until(
      async () => /refused/.test(nodes[0]?.output ?? '') && /\[HTTP_SYNC\] refused/.test(outputs()),
    );

    const seen = await stranger.status();
    expect(seen.sync_mode).toBe('NONE');
    expect(seen.peers).toEqual([]);
    expect(await stranger.get('secret')).toBeNull();
    for (const member of [a, b]) {
      const status = await member.status();
      expect(status.sync_mode).toBe('P2P');
      expect(status.peers.map(({ peer_id }) => peer_id)).not.toContain(seen.peer_id);
      expect(status.peers).toHaveLength(1);
      expect(await member.get('poison')).toBeNull();
    }
  }, 60_000);

  function start(own: Place, places: readonly Place[], key: string): LatticeClient {
    const others = places.filter((other) => other !== own);
    const node = new NodeProcess();
    nodes.push(node);
    node.start({
      AETHEL_CLUSTER_KEY: key,
      AETHEL_HTTP_PORT: String(own.http),
      AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${own.p2p}`,
      AETHEL_LATTICE_NODES: others.map(({ http }) => `http://127.0.0.1:${http}`).join(','),
      AETHEL_P2P_BOOTSTRAP: others.map(({ p2p }) => `/ip4/127.0.0.1/tcp/${p2p}`).join(','),
    });
    const client = new LatticeClient(() => `http://127.0.0.1:${own.http}`, null, { timeoutMs: 2_000 });
    clients.push(client);
    return client;
  }

  function outputs(): string {
    return nodes.map(({ output }) => output).join('\n');
  }
});

async function place(): Promise<Place> {
  return { http: await freePort(), p2p: await freePort() };
}

async function until(claim: () => Promise<boolean>): Promise<void> {
  const held = await poll(
    async () => {
      try {
        return (await claim()) ? true : null;
      } catch {
        return null;
      }
    },
    { everyMs: 50, budgetMs: BUDGET_MS },
  );
  if (held === null) throw new Error(`never true: ${String(claim)}`);
}
