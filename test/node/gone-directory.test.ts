/**
 * A state directory that goes away under a running node: nothing is acknowledged that is on no disk, the node says within a second why
 * it is not ready, and serves what it has in memory.
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;
/** the promise is a second; a machine that is busy with other tests gets more */
const NOTICED_MS = 3_000;
const WRITERS = 4;
const WRITES = 5_000;

/** Each takes the directory away. */
const DEPARTURES: readonly (readonly [string, (stateDir: string) => void])[] = [
  ['is removed', (stateDir) => rmSync(stateDir, { recursive: true })],
  ['is moved away', (stateDir) => renameSync(stateDir, `${stateDir}.elsewhere`)],
  [
    'is replaced by a copy of itself',
    (stateDir) => {
      cpSync(stateDir, `${stateDir}.copy`, { recursive: true, filter: (path) => !path.endsWith('.sock') });
      renameSync(stateDir, `${stateDir}.elsewhere`);
      renameSync(`${stateDir}.copy`, stateDir);
    },
  ],
  [
    'is replaced by an empty one',
    (stateDir) => {
      renameSync(stateDir, `${stateDir}.elsewhere`);
      mkdirSync(stateDir);
    },
  ],
  ['loses its key', (stateDir) => unlinkSync(join(stateDir, 'identity.key'))],
  ['loses its store', (stateDir) => rmSync(join(stateDir, 'store'), { recursive: true })],
];

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

describe.each(DEPARTURES)('a state directory that %s under a running node', (_what, depart) => {
  it('is missed though nobody writes: not ready, writes 503, reads from memory', async () => {
    const { node, stateDir, url } = await started();
    expect((await talk(keyUrl(url, 'kept'), 'PUT', { value: 1 })).status).toBe(201);
    depart(stateDir);
    const reasons = await until(
      async () => {
        const { status, body } = await talk(`${url}/ready`);
        return status === 503 ? JSON.stringify(body) : null;
      },
      nodes,
      NOTICED_MS,
    );
    expect(reasons).toMatch(/store: the store failed \(GONE\): .*(data\.mdb|identity\.key)/);
    const refused = await talk(keyUrl(url, 'late'), 'PUT', { value: 1 });
    expect([refused.status, refused.body['type']]).toEqual([503, 'urn:aethel:problem:storage-failed']);
    expect((await talk(keyUrl(url, 'kept'))).body['value']).toBe(1);
    expect((await talk(keyUrl(url, 'late'))).status).toBe(404);
    expect(node.output).toContain('the state directory is gone');
    node.kill('SIGTERM');
    expect(await node.ended(BUDGET_MS)).toBe(0);
  }, 60_000);
});

it.each([
  ['removed', DEPARTURES[0]?.[1]],
  ['moved away', DEPARTURES[1]?.[1]],
] as const)(
  'acknowledges nothing that is on no disk while its directory is %s under writes',
  async (what, depart) => {
    const { node, env, stateDir, url } = await started();
    const acknowledged = new Set<string>();
    let isGone = false;
    const afterwards: string[] = [];
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 0; n < WRITES; n += 1) {
        const key = `${writer}-${n}`;
        const wasGone = isGone;
        const { status } = await talk(keyUrl(url, key), 'PUT', { value: n });
        if (status !== 201) return;
        acknowledged.add(key);
        if (wasGone) afterwards.push(key);
      }
    });
    await until(async () => (acknowledged.size > 200 ? true : null), nodes);
    depart?.(stateDir);
    isGone = true;
    await Promise.all(writers);
    // What was asked for after the files were gone was refused, to the first.
    if (what === 'removed') return expect(afterwards).toEqual([]);
    // Where they still are, all of it is.
    node.kill('SIGKILL');
    await node.ended(BUDGET_MS);
    renameSync(`${stateDir}.elsewhere`, stateDir);
    node.start(env);
    await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
    const lost: string[] = [];
    for (const key of acknowledged) if ((await talk(keyUrl(url, key))).status !== 200) lost.push(key);
    expect(lost).toEqual([]);
  },
  120_000,
);

it('takes writes again once the directory is back', async () => {
  const { stateDir, url } = await started();
  renameSync(stateDir, `${stateDir}.elsewhere`);
  await until(async () => ((await talk(`${url}/ready`)).status === 503 ? true : null), nodes, NOTICED_MS);
  renameSync(`${stateDir}.elsewhere`, stateDir);
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes, NOTICED_MS);
  expect((await talk(keyUrl(url, 'again'), 'PUT', { value: 1 })).status).toBe(201);
});

it('a symbolic link to another directory is another directory', async () => {
  const { node, stateDir, url } = await started('link');
  unlinkSync(stateDir);
  mkdirSync(join(node.directory, 'other'));
  symlinkSync(join(node.directory, 'other'), stateDir);
  await until(async () => ((await talk(`${url}/ready`)).status === 503 ? true : null), nodes, NOTICED_MS);
  expect(existsSync(join(node.directory, 'other', 'identity.key'))).toBe(false);
});

/** A node that serves, and has written through its thread. */
async function started(kind: 'directory' | 'link' = 'directory') {
  const port = await freePort();
  const node = new NodeProcess();
  nodes.push(node);
  const stateDir = join(node.directory, 'state');
  if (kind === 'link') {
    mkdirSync(join(node.directory, 'real'));
    symlinkSync(join(node.directory, 'real'), stateDir);
  }
  const env = environment(port, { AETHEL_STATE_DIR: stateDir });
  const url = `http://127.0.0.1:${port}`;
  node.start(env);
  const entries = Array.from({ length: 10 }, (_, n) => ({ key: `first-${n}`, value: n }));
  await until(async () => {
    await talk(`${url}/api/lattice/state`, 'POST', { entries });
    return existsSync(join(stateDir, 'store', 'journal')) ? true : null;
  }, nodes);
  return { node, env, stateDir, url };
}
