/**
 * A store that is missing or empty beside a known identity: a loss, never a first start. Alone the node says so and changes nothing,
 * with members it heals, and the operator may go on without it by a file of that name.
 */
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StateResponse } from '../../node/http/schemas.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;
const KEYS = 30;

/** Each takes something out of the state directory of a node that was killed. */
const LOSSES: readonly (readonly [string, (stateDir: string) => void, RegExp])[] = [
  [
    'data.mdb is cut to nothing',
    (stateDir) => truncateSync(join(stateDir, 'store', 'data.mdb')),
    /data\.mdb: the file is empty, though its journal is there/,
  ],
  [
    'data.mdb is gone',
    (stateDir) => rmSync(join(stateDir, 'store', 'data.mdb')),
    /data\.mdb: the file is missing, though its journal is there/,
  ],
  [
    'the store is gone as a whole',
    (stateDir) => rmSync(join(stateDir, 'store'), { recursive: true }),
    /data\.mdb: the file is missing: a store was made here/,
  ],
  [
    'data.mdb is gone where an older program left no mark',
    (stateDir) => {
      rmSync(join(stateDir, 'store.made'));
      rmSync(join(stateDir, 'store', 'data.mdb'));
    },
    /data\.mdb: the file is missing, though its journal is there/,
  ],
  [
    'the key of the node is gone',
    (stateDir) => rmSync(join(stateDir, 'identity.key')),
    /identity\.key: is missing, though a store was made here/,
  ],
];

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

describe.each(LOSSES)('%s', (_what, lose, said) => {
  it('ends a node that is alone with 3 and a line that says how to go on, and nothing is made', async () => {
    const { node, env, stateDir } = await filled();
    lose(stateDir);
    const before = readdirSync(stateDir).toSorted();
    for (const _start of ['the first', 'the second']) {
      const from = node.output.length;
      node.start(env);
      expect(await node.ended(BUDGET_MS)).toBe(3);
      expect(node.output.slice(from)).toMatch(said);
      expect(node.output.slice(from)).toMatch(/[Rr]estore .*accept-loss/);
    }
    expect(readdirSync(stateDir).toSorted()).toEqual(before);
  }, 60_000);
});

it('an operator may go on without what is lost: it is on record, and the word counts once', async () => {
  const { node, env, stateDir, url } = await filled();
  truncateSync(join(stateDir, 'store', 'data.mdb'));
  writeFileSync(join(stateDir, 'accept-loss'), '');
  node.start(env);
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
  expect((await talk(keyUrl(url, 'key-1'))).status).toBe(404);
  expect((await talk(keyUrl(url, 'anew'), 'PUT', { value: 1 })).status).toBe(201);
  expect(existsSync(join(stateDir, 'accept-loss'))).toBe(false);
  const [record = ''] = readdirSync(stateDir).filter((name) => name.startsWith('loss-accepted-'));
  expect(readFileSync(join(stateDir, record), 'utf8')).toContain('the file is empty');
  expect(node.output).toContain('the operator gave up what the store lost');

  node.kill('SIGKILL');
  await node.ended(BUDGET_MS);
  truncateSync(join(stateDir, 'store', 'data.mdb'));
  node.start(env);
  expect(await node.ended(BUDGET_MS)).toBe(3);
}, 60_000);

it('a store that an older program made gets the mark, and is missed from then on', async () => {
  const { node, env, stateDir, url } = await filled();
  rmSync(join(stateDir, 'store.made'));
  node.start(env);
  await until(async () => ((await talk(keyUrl(url, 'key-1'))).status === 200 ? true : null), nodes);
  expect(existsSync(join(stateDir, 'store.made'))).toBe(true);
});

it('a node that was killed before its first store starts as ever', async () => {
  const { node, env, stateDir, url } = await filled();
  rmSync(join(stateDir, 'store'), { recursive: true });
  rmSync(join(stateDir, 'store.made'));
  node.start(env);
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
});

it('a node with members heals from them, and says so until then', async () => {
  const peerPort = await freePort();
  const { node, env, stateDir, url } = await filled({ AETHEL_LATTICE_NODES: `http://127.0.0.1:${peerPort}` });
  const peer = new NodeProcess();
  nodes.push(peer);
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const peerEnv = environment(peerPort, { AETHEL_LATTICE_NODES: url });
  node.start(env);
  peer.start(peerEnv);
  const whole = await until(async () => {
    const [ours, theirs] = await Promise.all([root(url), root(peerUrl)]);
    return ours === theirs ? ours : null;
  }, nodes);
  peer.kill('SIGTERM');
  node.kill('SIGKILL');
  await Promise.all([peer.ended(BUDGET_MS), node.ended(BUDGET_MS)]);
  rmSync(join(stateDir, 'store'), { recursive: true });

  node.start(env);
  await until(
    async () => (JSON.stringify((await talk(`${url}/ready`)).body).includes('healing') ? true : null),
    nodes,
  );
  expect((await talk(keyUrl(url, 'key-1'))).status).toBe(503);
  peer.start(peerEnv);
  await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
  expect(await root(url)).toBe(whole);
}, 60_000);

it('a backup that is put back starts without a word', async () => {
  const { node, env, stateDir, url } = await filled();
  cpSync(stateDir, `${stateDir}.backup`, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  rmSync(join(stateDir, 'store'), { recursive: true });
  node.start(env);
  expect(await node.ended(BUDGET_MS)).toBe(3);
  rmSync(stateDir, { recursive: true });
  renameSync(`${stateDir}.backup`, stateDir);
  node.start(env);
  await until(async () => ((await talk(keyUrl(url, 'key-1'))).status === 200 ? true : null), nodes);
});

/** A node that was given keys, in one batch so that there is a journal, and was killed. */
async function filled(more: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const node = new NodeProcess();
  nodes.push(node);
  const stateDir = join(node.directory, 'state');
  const env = environment(port, { AETHEL_STATE_DIR: stateDir, ...more });
  const url = `http://127.0.0.1:${port}`;
  node.start(env);
  const entries = Array.from({ length: KEYS }, (_, n) => ({ key: `key-${n}`, value: n }));
  await until(async () => {
    const { status } = await talk(`${url}/api/lattice/state`, 'POST', { entries });
    return status === 200 || status === 201 ? true : null;
  }, nodes);
  await until(async () => {
    await talk(`${url}/api/lattice/state`, 'POST', { entries });
    return existsSync(join(stateDir, 'store', 'journal')) ? true : null;
  }, nodes);
  node.kill('SIGKILL');
  await node.ended(BUDGET_MS);
  return { node, env, stateDir, url };
}

async function root(url: string): Promise<string> {
  return StateResponse.parse((await talk(`${url}/api/lattice/state`)).body).merkle_root;
}
