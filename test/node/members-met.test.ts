/** Whom a node met counts for `w=` at once and for good: on real processes that are killed before anything else was written. */
import { LatticeClient } from '../../chaos/cluster/client.ts';
import { StatusResponse } from '../../node/http/schemas.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';

describe('a node that was killed soon after it had met others', () => {
  const nodes: NodeProcess[] = [];

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it('counts them, when it starts alone: no majority of one', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const environments = ports.map((own) =>
      environment(own, {
        AETHEL_API_INSECURE: 'true',
        AETHEL_LATTICE_NODES: ports
          .filter((port) => port !== own)
          .map((port) => `http://127.0.0.1:${port}`)
          .join(','),
      }),
    );
    for (const env of environments) {
      const node = new NodeProcess();
      nodes.push(node);
      node.start(env);
    }
    const [survivor] = nodes;
    const [env] = environments;
    const url = `http://127.0.0.1:${ports[0]}`;
    if (survivor === undefined || env === undefined) throw new Error('three nodes');
    await until(async () => ((await membersOf(url)).counted === 3 ? true : null), nodes);
    // Nothing is written: an answer about the state waits for what has to be durable, and so is a moment after the meeting.
    expect((await fetch(`${url}/api/lattice/state`)).status).toBe(200);
    await Promise.all(nodes.map((node) => node.halt()));

    survivor.start(env);
    await until(async () => ((await membersOf(url)).counted === 3 ? true : null), [survivor]);
    for (const query of ['w=majority', 'w=all'])
      expect(await put(url, query)).toMatchObject({ status: 503, body: { success: false } });
    const { absent, needed_majority } = await membersOf(url);
    expect(needed_majority).toBe(2);
    expect(absent).toHaveLength(2);
    for (const { last_heard_at, counts_until } of absent) {
      expect(Date.now() - (last_heard_at ?? 0)).toBeLessThan(120_000);
      expect(counts_until).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    }
  }, 90_000);
});

async function membersOf(url: string): Promise<NonNullable<StatusResponse['members']>> {
  const client = new LatticeClient(() => url, null, { timeoutMs: 2_000 });
  try {
    const { members } = await client.status();
    if (members === undefined) throw new Error('no members in the status');
    return members;
  } finally {
    client.close();
  }
}

async function put(url: string, query: string) {
  const response = await fetch(`${url}/api/lattice/state/k?${query}&timeout_ms=2000`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"value": "1"}',
  });
  return { status: response.status, body: (await response.json()) as unknown };
}
