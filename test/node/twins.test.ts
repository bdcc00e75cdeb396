/** A state directory that was copied: real processes with one identity find out, the younger one stops writing, and no restart is taken for that. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';

interface Place {
  readonly url: string;
  readonly p2p: string;
  readonly env: Readonly<Record<string, string>>;
}

describe('two nodes with one state directory', () => {
  const nodes: NodeProcess[] = [];

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it('are told by a member that both know; the younger writes no more, the older goes on, and nothing of either is lost', async () => {
    const [a, copy, c] = await places(3);
    const member = begin({ ...c.env, ...linked(a) });
    const original = await usedOnce(a);
    begin({ ...a.env, ...linked(c) }, original);
    await written(a, 'before', nodes);
    const twin = begin({ ...copy.env, ...linked(c) }, copied(original));
    await until(async () => ((await put(copy, 'early')).status < 300 ? true : null), nodes);

    await stopped(copy);
    expect(twin.output).toMatch(/two live processes have the identity/);
    await original.says(/This one is the older and goes on/, 20_000);
    await member.says(/the younger one stops writing/, 20_000);
    expect(await put(a, 'after')).toMatchObject({ status: 201 });
    expect((await ready(a)).status).toBe(200);
    // What the younger one wrote before it knew is everywhere, as what the older one wrote is; the younger still serves.
    for (const place of [a, copy, c])
      for (const key of ['before', 'early', 'after'])
        await until(async () => ((await get(place, key)) === 200 ? true : null), nodes);
  }, 120_000);

  it('find out where they know only each other, by one address', async () => {
    const [a, copy] = await places(2);
    const original = await usedOnce(a);
    begin(a.env, original);
    await written(a, 'before', nodes);
    begin({ ...copy.env, AETHEL_LATTICE_NODES: a.url }, copied(original));
    await stopped(copy);
    expect(await put(a, 'after')).toMatchObject({ status: 201 });
  }, 90_000);

  it('are not what a node is that was killed and started anew at once, five times', async () => {
    const [a, c] = await places(2);
    const member = begin({ ...c.env, ...linked(a) });
    const node = begin({ ...a.env, ...linked(c) });
    for (let life = 0; life < 5; life += 1) {
      await written(a, `life-${life}`, nodes);
      await until(async () => ((await get(c, `life-${life}`)) === 200 ? true : null), nodes);
      await node.halt();
      node.start({ ...a.env, ...linked(c) });
    }
    await written(a, 'last', nodes);
    await until(async () => ((await get(c, 'last')) === 200 ? true : null), nodes);
    expect(node.output + member.output).not.toMatch(/two live processes/);
  }, 120_000);

  /** It has an identity and a write, and is stopped. */
  async function usedOnce({ env, ...place }: Place): Promise<NodeProcess> {
    const node = begin(env);
    await written({ env, ...place }, 'first', nodes);
    node.kill('SIGTERM');
    await node.ended(10_000);
    return node;
  }

  function begin(env: Place['env'], node = new NodeProcess()): NodeProcess {
    if (!nodes.includes(node)) nodes.push(node);
    node.start(env);
    return node;
  }

  async function stopped(place: Place): Promise<void> {
    const refused = await until(async () => {
      const answer = await put(place, 'never');
      return answer.status === 503 && answer.type === 'urn:aethel:problem:identity-in-use' ? answer : null;
    }, nodes);
    expect(refused.detail).toMatch(/another live process/);
    const { status, text } = await ready(place);
    expect(status).toBe(503);
    expect(text).toMatch(/identity: another live process/);
  }
});

function copied(original: NodeProcess): NodeProcess {
  const node = new NodeProcess();
  cpSync(join(original.directory, '.aethel'), join(node.directory, '.aethel'), { recursive: true });
  return node;
}

async function places(count: 2): Promise<[Place, Place]>;
async function places(count: 3): Promise<[Place, Place, Place]>;
async function places(count: number): Promise<Place[]> {
  const all: Place[] = [];
  while (all.length < count) {
    const [http, p2p] = [await freePort(), `/ip4/127.0.0.1/tcp/${await freePort()}`];
    const more = { AETHEL_P2P_ENABLED: 'true', AETHEL_P2P_LISTEN: p2p, AETHEL_API_INSECURE: 'true' };
    all.push({ url: `http://127.0.0.1:${http}`, p2p, env: environment(http, more) });
  }
  return all;
}

function linked({ url, p2p }: Place): Place['env'] {
  return { AETHEL_LATTICE_NODES: url, AETHEL_P2P_BOOTSTRAP: p2p };
}

async function written(place: Place, key: string, nodes: readonly NodeProcess[]): Promise<void> {
  await until(async () => ((await put(place, key)).status < 300 ? true : null), nodes);
}

async function put({ url }: Place, key: string) {
  const response = await fetch(`${url}/api/lattice/state/${key}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"value": "1"}',
  });
  const body = (await response.json()) as { readonly type?: string; readonly detail?: string };
  return { status: response.status, ...body };
}

async function get({ url }: Place, key: string): Promise<number> {
  const response = await fetch(`${url}/api/lattice/state/${key}`);
  await response.arrayBuffer();
  return response.status;
}

async function ready({ url }: Place): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${url}/ready`);
  return { status: response.status, text: await response.text() };
}
