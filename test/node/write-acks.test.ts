/** `w=`: how many members have a write on disk before it is answered, on real processes. */
import { startProcessCluster, type ProcessCluster } from '../../chaos/cluster/processes.ts';
import { LatticeClient } from '../../chaos/cluster/client.ts';
import { poll } from '../../chaos/cluster/poll.ts';

describe('a write that waits for members', () => {
  let cluster: ProcessCluster;

  beforeAll(async () => {
    cluster = await startProcessCluster({ nodes: 3, runId: `acks-${process.pid}` });
    for (const node of cluster.nodes) await meshed(node.url, 2);
  }, 60_000);

  afterAll(async () => {
    expect((await cluster.close()).leftovers).toEqual([]);
  });

  it('has them on disk when it is answered: killing its author at once loses nothing', async () => {
    const [author, ...others] = cluster.nodes;
    if (author === undefined) throw new Error('three nodes');
    const written = await put(author.url, 'all', 'w=all');
    expect(written).toMatchObject({ status: 201, body: { acks: 3 } });
    await author.kill();
    for (const other of others) {
      await other.kill();
      await other.start();
      expect(await valueOf(other.url, 'all')).toBe('1');
    }
    await author.start();
    for (const node of cluster.nodes) await meshed(node.url, 2);
  }, 60_000);

  it('is answered by a majority while one member is down, and told so when all were asked for', async () => {
    const [author, , away] = cluster.nodes;
    if (author === undefined || away === undefined) throw new Error('three nodes');
    expect(await put(author.url, 'm', 'w=majority')).toMatchObject({ status: 201 });
    await away.freeze();
    expect(await put(author.url, 'm', 'w=majority&timeout_ms=3000')).toMatchObject({ status: 200 });
    const late = await put(author.url, 'late', 'w=all&timeout_ms=300');
    expect(late).toMatchObject({ status: 504, body: { accepted: true, acks: 2 } });
    await poll(async () => ((await peersOf(author.url)) < 2 ? true : null), {
      everyMs: 50,
      budgetMs: 10_000,
    });
    const refused = await poll(
      async () => {
        const answer = await put(author.url, 'never', 'w=all&timeout_ms=300');
        return answer.status === 503 ? answer : null;
      },
      { everyMs: 200, budgetMs: 20_000 },
    );
    expect(refused?.status).toBe(503);
    await away.thaw();
    await meshed(author.url, 2);
    expect(await valueOf(author.url, 'late')).toBe('1');
    expect(await put(author.url, 'again', 'w=3')).toMatchObject({ status: 201, body: { acks: 3 } });
  }, 90_000);
});

async function put(url: string, key: string, query: string) {
  const response = await fetch(`${url}/api/lattice/state/${key}?${query}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"value": "1"}',
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

async function valueOf(url: string, key: string): Promise<unknown> {
  const client = new LatticeClient(() => url, null, { timeoutMs: 2_000 });
  const entry = await client.get(key);
  client.close();
  return entry?.value ?? null;
}

async function peersOf(url: string): Promise<number> {
  const client = new LatticeClient(() => url, null, { timeoutMs: 2_000 });
  try {
    return (await client.status()).peer_count;
  } finally {
    client.close();
  }
}

async function meshed(url: string, peers: number): Promise<void> {
  const there = await poll(async () => ((await peersOf(url)) >= peers ? true : null), {
    everyMs: 50,
    budgetMs: 20_000,
  });
  if (there === null) throw new Error(`${url} never had ${peers} peers`);
}
