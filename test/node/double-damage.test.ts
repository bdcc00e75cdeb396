/** Nodes that are damaged alike do not heal each other: the loss stays visible and named until somebody has what was lost. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateResponse } from '../../node/http/schemas.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;
const KEYS = 20;

interface Member {
  readonly node: NodeProcess;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly stateDir: string;
}

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

it('two that lost the same value stay unready and name it, over restarts, until the third is back', async () => {
  const [a, b, c] = await cluster();
  damage(a, 7);
  damage(b, 7);
  for (const each of [a, b]) each.node.start(each.env);
  await until(async () => ((await areEqual(a, b)) ? true : null), nodes);
  for (const each of [a, b]) {
    await until(async () => ((await hasMet(each)) ? true : null), nodes);
    await each.node.says(/record_key"?[=:]"?key-7\b/, BUDGET_MS);
    expect(await reasons(each)).toMatch(/healing: .*key-7/);
  }
  await halt(a, b);
  const from = [a, b].map(({ node }) => node.output.length);
  for (const each of [a, b]) each.node.start(each.env);
  await until(
    async () => ((await areEqual(a, b)) && (await hasMet(a)) && (await hasMet(b)) ? true : null),
    nodes,
  );
  for (const each of [a, b]) {
    expect(await reasons(each)).toMatch(/healing: .*key-7/);
    expect((await talk(keyUrl(each.url, 'key-7'))).status).toBe(503);
  }
  for (const [at, each] of [a, b].entries()) expect(each.node.output.slice(from[at])).not.toContain('healed');

  c.node.start(c.env);
  for (const each of [a, b, c]) {
    await until(async () => ((await talk(`${each.url}/ready`)).status === 200 ? true : null), nodes);
    expect((await talk(keyUrl(each.url, 'key-7'))).body['value']).toBe(valueOf(7));
  }
}, 120_000);

it('two that lost different values heal each other, without the third', async () => {
  const [a, b] = await cluster();
  damage(a, 3);
  damage(b, 11);
  for (const each of [a, b]) each.node.start(each.env);
  for (const each of [a, b]) {
    await until(async () => ((await talk(`${each.url}/ready`)).status === 200 ? true : null), nodes);
    for (const key of [3, 11])
      expect((await talk(keyUrl(each.url, `key-${key}`))).body['value']).toBe(valueOf(key));
  }
}, 120_000);

it('an operator may give up what nobody has; it comes back all the same should somebody have it', async () => {
  const [a, b, c] = await cluster();
  damage(a, 7);
  damage(b, 7);
  for (const each of [a, b]) {
    writeFileSync(join(each.stateDir, 'accept-loss'), '');
    each.node.start(each.env);
  }
  for (const each of [a, b]) {
    await until(async () => ((await talk(`${each.url}/ready`)).status === 200 ? true : null), nodes);
    expect((await talk(keyUrl(each.url, 'key-7'))).status).toBe(404);
    expect(existsSync(join(each.stateDir, 'accept-loss'))).toBe(false);
    const [record = ''] = readdirSync(each.stateDir).filter((name) => name.startsWith('loss-accepted-'));
    expect(readFileSync(join(each.stateDir, record), 'utf8')).toContain('key-7');
  }
  await halt(a, b);
  for (const each of [a, b, c]) each.node.start(each.env);
  for (const each of [a, b])
    await until(
      async () => ((await talk(keyUrl(each.url, 'key-7'))).body['value'] === valueOf(7) ? true : null),
      nodes,
    );
}, 120_000);

/** Three members that hold the same keys, stopped. */
async function cluster(): Promise<readonly [Member, Member, Member]> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const members = ports.map((port, at): Member => {
    const node = new NodeProcess();
    nodes.push(node);
    const stateDir = join(node.directory, 'state');
    const others = urls.filter((_, other) => other !== at).join(',');
    const env = environment(port, { AETHEL_STATE_DIR: stateDir, AETHEL_LATTICE_NODES: others });
    return { node, env, stateDir, url: urls[at] ?? '' };
  });
  const [a, b, c] = members;
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  for (const each of members) each.node.start(each.env);
  await until(async () => ((await talk(`${a.url}/ready`)).status === 200 ? true : null), nodes);
  for (let n = 0; n < KEYS; n += 1)
    expect((await talk(keyUrl(a.url, `key-${n}`), 'PUT', { value: valueOf(n) })).status).toBe(201);
  await until(async () => ((await areEqual(a, b)) && (await areEqual(a, c)) ? true : null), nodes);
  await halt(a, b, c);
  return [a, b, c];
}

/** Flips a byte in the newest copy of a value. */
function damage({ stateDir }: Member, n: number): void {
  const file = join(stateDir, 'store', 'data.mdb');
  const bytes = readFileSync(file);
  const at = bytes.lastIndexOf(valueOf(n));
  expect(at).toBeGreaterThan(0);
  bytes[at + 5] = (bytes[at + 5] ?? 0) ^ 0x20;
  writeFileSync(file, bytes);
}

async function halt(...members: readonly Member[]): Promise<void> {
  for (const { node } of members) {
    node.kill('SIGTERM');
    expect(await node.ended(BUDGET_MS)).toBe(0);
  }
}

async function reasons({ url }: Member): Promise<string> {
  const { status, body } = await talk(`${url}/ready`);
  expect(status).toBe(503);
  return (body['reasons'] as readonly string[]).join('; ');
}

async function areEqual(one: Member, other: Member): Promise<boolean> {
  const roots = await Promise.all([one, other].map(({ url }) => talk(`${url}/api/lattice/state`)));
  const [root, same] = roots.map(({ body }) => StateResponse.parse(body).merkle_root);
  return root === same && roots.every(({ body }) => Number(body['state_size']) > 0);
}

/** It has heard somebody over HTTP, whose root is its own: what healed it before. */
async function hasMet({ url }: Member): Promise<boolean> {
  const { body } = await talk(`${url}/api/lattice/p2p/status`);
  const peers = body['peers'] as readonly { http: { state: string }; merkle_root: string | null }[];
  return peers.some(({ http, merkle_root: root }) => http.state === 'alive' && root === body['merkle_root']);
}

function valueOf(n: number): string {
  return `the value of ${n} `.padEnd(300, 'x');
}
