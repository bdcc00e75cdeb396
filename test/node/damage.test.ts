/** Bytes on the disk that are not what was written: nothing wrong is served, the record is named, and members heal it. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateResponse } from '../../node/http/schemas.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk, type Answer } from './talk.ts';

const BUDGET_MS = 20_000;
const PAGE = 4096;
const KEYS = 60;

/** Each changes the store's file of a stopped node. */
const DAMAGES: readonly (readonly [string, (file: string) => void, RegExp])[] = [
  [
    'a flipped byte in a value',
    (file) => change(file, (bytes, at) => void (bytes[at] = (bytes[at] ?? 0) ^ 0x20)),
    /slot 31, key \\?"key-30/g,
  ],
  [
    'a page of zeros',
    (file) => change(file, (bytes, at) => void bytes.fill(0, at - (at % PAGE), at - (at % PAGE) + PAGE)),
    /page \d+ \(slots above \d+ and below \d+\) is not what was written/g,
  ],
  [
    'a file that is cut short',
    (file) => truncateSync(file, PAGE * 3),
    /page \d+ \(no slot can be told\) lies beyond the end of the file/g,
  ],
];

describe.each(DAMAGES)('a store: %s', (_what, damage, named) => {
  const nodes: NodeProcess[] = [];
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it('stops a node that is alone, which says what is lost and changes nothing', async () => {
    const { node, env, file } = await filled(nodes, {});
    damage(file);
    const from = node.output.length;
    for (const _start of ['the first', 'the second, which finds what the first found']) {
      node.start(env);
      expect(await node.ended(BUDGET_MS)).toBe(3);
    }
    const said = node.output.slice(from);
    expect(said.match(named)).toHaveLength(2);
    expect(said).toContain('Restore a backup');
    expect(said).not.toContain('HTTP serving');
  }, 60_000);

  it('heals from a member; until then nothing is read or written there', async () => {
    const peerPort = await freePort();
    const { node, env, file, url } = await filled(nodes, {
      AETHEL_LATTICE_NODES: `http://127.0.0.1:${peerPort}`,
    });
    // the member is told everything, then goes away
    const peer = new NodeProcess();
    nodes.push(peer);
    const peerEnv = environment(peerPort, { AETHEL_LATTICE_NODES: url });
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    node.start(env);
    peer.start(peerEnv);
    const whole = await until(async () => {
      const [ours, theirs] = await Promise.all([state(url), state(peerUrl)]);
      return ours === theirs ? ours : null;
    }, nodes);
    await stop(peer);
    await stop(node);
    damage(file);

    const from = node.output.length;
    node.start(env);
    await until(async () => ((await isHealing(url)) ? true : null), nodes);
    const refusals: readonly Answer[] = [
      await talk(keyUrl(url, 'key-1')),
      await talk(`${url}/api/lattice/state?entries=1`),
      await talk(keyUrl(url, 'key-1'), 'PUT', { value: 1 }),
      await talk(keyUrl(url, 'key-1'), 'DELETE'),
    ];
    for (const { status, body } of refusals) {
      expect(status).toBe(503);
      expect(body['type']).toBe('urn:aethel:problem:healing');
    }
    expect(node.output.slice(from)).toContain('the store lost a record');
    // it is not healed by being started once more
    await stop(node);
    node.start(env);
    await until(async () => ((await isHealing(url)) ? true : null), nodes);

    peer.start(peerEnv);
    await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
    expect(await state(url)).toBe(whole);
    for (let n = 0; n < KEYS; n += 1) {
      expect((await talk(keyUrl(url, `key-${n}`))).body['value']).toBe(valueOf(n));
    }
    // and it stays healed, alone
    await stop(peer);
    await stop(node);
    const alone = environment(Number(new URL(url).port), { AETHEL_STATE_DIR: env['AETHEL_STATE_DIR'] ?? '' });
    node.start(alone);
    await until(async () => ((await talk(`${url}/ready`)).status === 200 ? true : null), nodes);
    expect(await state(url)).toBe(whole);
  }, 120_000);
});

async function isHealing(url: string): Promise<boolean> {
  const { status, body } = await talk(`${url}/ready`);
  return status === 503 && JSON.stringify(body).includes('healing');
}

/** A stopped node that was given the keys, and where its store lies. */
async function filled(
  nodes: NodeProcess[],
  more: Readonly<Record<string, string>>,
): Promise<{
  readonly node: NodeProcess;
  readonly env: Readonly<Record<string, string>>;
  readonly file: string;
  readonly url: string;
}> {
  const port = await freePort();
  const node = new NodeProcess();
  nodes.push(node);
  const stateDir = join(node.directory, 'state');
  const env = environment(port, { AETHEL_STATE_DIR: stateDir, ...more });
  const url = `http://127.0.0.1:${port}`;
  node.start(env);
  await until(
    async () => ((await talk(`${url}/api/lattice/p2p/status`)).status === 200 ? true : null),
    nodes,
  );
  for (let n = 0; n < KEYS; n += 1) {
    expect((await talk(keyUrl(url, `key-${n}`), 'PUT', { value: valueOf(n) })).status).toBe(201);
  }
  await stop(node);
  return { node, env, file: join(stateDir, 'store', 'data.mdb'), url };
}

function valueOf(n: number): string {
  return `the value of ${n} `.padEnd(400, 'x');
}

/** At the newest copy of one key's value. */
function change(file: string, how: (bytes: Buffer, at: number) => void): void {
  const bytes = readFileSync(file);
  const at = bytes.lastIndexOf(valueOf(KEYS / 2));
  expect(at).toBeGreaterThan(0);
  how(bytes, at + 5);
  writeFileSync(file, bytes);
}

async function stop(node: NodeProcess): Promise<void> {
  node.kill('SIGTERM');
  expect(await node.ended(BUDGET_MS)).toBe(0);
}

/** The root. */
async function state(url: string): Promise<string> {
  return StateResponse.parse((await talk(`${url}/api/lattice/state`)).body).merkle_root;
}
