/**
 * A state that may take no more memory: writes get 507, what is there is served, deletes make room, and a member with less room says
 * that it lacks something instead of dying of it.
 */
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk, type Answer } from './talk.ts';

const BUDGET_MS = 20_000;
const BOUND = 600_000;
const VALUE = 'x'.repeat(20_000);
/** far beyond the bound */
const KEYS = 60;

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

it('refuses with 507 what does not fit, keeps what it has over a restart, and takes more once something is deleted', async () => {
  const { node, env, url } = await started({ AETHEL_STATE_BYTES_MAX: String(BOUND) });
  const taken = await fill(url);
  expect(taken.length).toBeGreaterThan(10);
  expect(taken.length).toBeLessThan(KEYS);
  const refused = await put(url, 'one-more');
  expect([refused.status, refused.body['type']]).toEqual([507, 'urn:aethel:problem:storage-full']);
  expect(refused.body).toMatchObject({ accepted: false, state_bytes_max: BOUND });
  expect((await talk(keyUrl(url, 'one-more'))).status).toBe(404);
  const batch = {
    entries: [
      { key: 'b1', value: VALUE },
      { key: 'b2', value: VALUE },
    ],
  };
  expect((await talk(`${url}/api/lattice/state`, 'POST', batch)).status).toBe(507);
  expect((await talk(keyUrl(url, 'b1'))).status).toBe(404);
  // it is as ready as before: nothing is missing here
  expect((await talk(`${url}/ready`)).status).toBe(200);
  const { body } = await talk(`${url}/api/lattice/p2p/status`);
  expect(body['state_bytes']).toBeLessThanOrEqual(BOUND);
  expect(body['state_bytes']).toBeGreaterThan(BOUND - 25_000);

  node.kill('SIGKILL');
  await node.ended(BUDGET_MS);
  // a bound below what is there turns nothing away that was taken once
  node.start({ ...env, AETHEL_STATE_BYTES_MAX: '65536' });
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
  for (const key of taken) expect((await talk(keyUrl(url, key))).status).toBe(200);
  expect((await put(url, 'one-more')).status).toBe(507);
  expect((await talk(keyUrl(url, taken[0] ?? ''), 'PUT', { value: 1 })).status).toBe(200);
  node.kill('SIGKILL');
  await node.ended(BUDGET_MS);
  node.start(env);
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
  for (const key of taken.slice(1, 4)) expect((await talk(keyUrl(url, key), 'DELETE')).status).toBe(200);
  expect((await put(url, 'one-more')).status).toBe(201);
}, 90_000);

it('a member with less room stops taking, says so, and takes the rest once there is room', async () => {
  const [port, otherPort] = [await freePort(), await freePort()];
  const others = (of: number) => ({ AETHEL_LATTICE_NODES: `http://127.0.0.1:${of}` });
  const large = await started(others(otherPort), port);
  const small = await started({ AETHEL_STATE_BYTES_MAX: String(BOUND), ...others(port) }, otherPort);
  const written = await fill(large.url);
  expect(written).toHaveLength(KEYS);
  const reasons = await until(async () => {
    const { status, body } = await talk(`${small.url}/ready`);
    return status === 503 && JSON.stringify(body).includes('full') ? JSON.stringify(body) : null;
  }, nodes);
  expect(reasons).toMatch(/state: full at \d+ of 600000 bytes, members have records that it lacks/);
  const { body } = await talk(`${small.url}/api/lattice/p2p/status`);
  expect(body['state_bytes']).toBeLessThanOrEqual(BOUND);
  // a member that refused does not count as one that has it
  const demand = await talk(`${keyUrl(large.url, 'both')}?w=2&timeout_ms=500`, 'PUT', { value: VALUE });
  expect(demand.status).toBe(504);

  for (const key of written.slice(0, KEYS - 5))
    expect((await talk(keyUrl(large.url, key), 'DELETE')).status).toBe(200);
  await until(async () => ((await talk(`${small.url}/ready`)).status === 200 ? true : null), nodes);
  await until(async () => ((await talk(keyUrl(small.url, 'both'))).status === 200 ? true : null), nodes);
  expect((await talk(keyUrl(small.url, written.at(-1) ?? ''))).body['value']).toBe(VALUE);
}, 90_000);

function put(url: string, key: string): Promise<Answer> {
  return talk(keyUrl(url, key), 'PUT', { value: VALUE });
}

/** @returns the keys that were taken */
async function fill(url: string): Promise<readonly string[]> {
  const taken: string[] = [];
  for (let n = 0; n < KEYS; n += 1) {
    const { status } = await put(url, `key-${n}`);
    expect([201, 507]).toContain(status);
    if (status === 201) taken.push(`key-${n}`);
  }
  return taken;
}

async function started(more: Readonly<Record<string, string>>, at?: number) {
  const port = at ?? (await freePort());
  const node = new NodeProcess();
  nodes.push(node);
  const env = environment(port, { AETHEL_STATE_DIR: join(node.directory, 'state'), ...more });
  const url = `http://127.0.0.1:${port}`;
  node.start(env);
  await until(
    async () => ((await talk(`${url}/api/lattice/p2p/status`)).status === 200 ? true : null),
    nodes,
  );
  return { node, env, url };
}
