/**
 * A full disk: writes get 507, reads and anti-entropy go on, and the node recovers by itself. The disk is a small tmpfs,
 * which only root may mount; elsewhere this says that it was skipped.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;
const DISK = '12m';
const WRITERS = 8;
/** what the writers have until they meet the end of the disk */
const ROOM_BYTES = 1_000_000;
const BIG = 'x'.repeat(30_000);

describe('a node whose disk is full', () => {
  const nodes: NodeProcess[] = [];
  const mounts: string[] = [];
  afterEach(async () => {
    for (const node of nodes) await node.halt();
    for (const disk of mounts.splice(0)) execFileSync('umount', [disk]);
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  it('refuses writes with 507, reads and tells members what is durable, and takes writes when there is room', async () => {
    const node = new NodeProcess();
    nodes.push(node);
    const disk = join(node.directory, 'disk');
    mkdirSync(disk);
    if (!mount(disk)) {
      process.stdout.write('SKIPPED: a full disk: mounting a tmpfs is not permitted here\n');
      return;
    }
    mounts.push(disk);
    const [port, peerPort] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${port}`;
    const env = environment(port, { AETHEL_STATE_DIR: join(disk, 'state') });
    node.start(env);
    await until(
      async () => ((await talk(`${url}/api/lattice/p2p/status`)).status === 200 ? true : null),
      nodes,
    );
    const acknowledged = new Map<string, unknown>();
    const put = async (key: string, value: unknown): Promise<number> => {
      const { status } = await talk(keyUrl(url, key), 'PUT', { value });
      if (status === 200 || status === 201) acknowledged.set(key, value);
      return status;
    };
    for (let n = 0; n < 20; n += 1) expect(await put(`key-${n}`, n)).toBe(201);

    fill(join(disk, 'ballast'), ROOM_BYTES);
    const refused = new Set<string>();
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let n = 0; n < 1_000; n += 1) {
          const key = n % 2 === 0 ? `big-${writer}-${n}` : `key-${writer}`;
          if ((await put(key, `${n}${BIG}`)) === 507) {
            refused.add(key);
            return;
          }
        }
      }),
    );
    expect(refused.size).toBeGreaterThan(0);

    const answer = await talk(keyUrl(url, 'key-0'), 'PUT', { value: 'not now' });
    expect(answer.status).toBe(507);
    expect(answer.headers.get('content-type')).toMatch('application/problem+json');
    expect(answer.body['type']).toBe('urn:aethel:problem:storage-full');
    expect((await talk(`${url}/health`)).status).toBe(200);
    expect(JSON.stringify((await talk(`${url}/ready`)).body)).toContain('ENOSPC');
    expect((await talk(`${url}/api/lattice/state`)).status).toBe(200);
    await expectShown(url, acknowledged, refused);

    // a member that comes now gets what is durable; where a write failed on its way to the disk, what it would have replaced stays here
    const peer = new NodeProcess();
    nodes.push(peer);
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    peer.start(environment(peerPort, { AETHEL_LATTICE_NODES: url }));
    const settled = [...acknowledged].filter(([key]) => !refused.has(key));
    await until(async () => ((await entries(peerUrl)).size >= settled.length ? true : null), nodes);
    const given = await entries(peerUrl);
    for (const [key, value] of settled) expect([key, given.get(key)]).toEqual([key, value]);
    // A write that came when the disk was known to be full was refused before it touched anything: there the old value is given.
    for (const [key, value] of given) expect([key, value]).toEqual([key, acknowledged.get(key)]);
    expect((await talk(keyUrl(url, 'key-0'), 'PUT', { value: 'still not' })).status).toBe(507);

    rmSync(join(disk, 'ballast'));
    await until(async () => ((await put('room', 'again')) === 201 ? true : null), nodes);
    await until(
      async () => ((await talk(`${url}/ready`)).body['reasons']?.toString() === '' ? true : null),
      nodes,
    );
    node.kill('SIGKILL');
    expect(await node.ended(BUDGET_MS)).toBe('SIGKILL');
    node.start(env);
    const kept = await until(async () => entries(url), nodes);
    // what was refused may have come through after all: nobody was told
    for (const [key, value] of acknowledged) if (!refused.has(key)) expect(kept.get(key)).toEqual(value);
    for (const key of kept.keys()) expect(acknowledged.has(key) || refused.has(key)).toBe(true);
    await until(async () => ((await entries(peerUrl)).get('room') === 'again' ? true : null), nodes);
  }, 120_000);
});

/** Each key as it was last acknowledged, alone and in the listing; of what was refused nothing. */
async function expectShown(
  url: string,
  acknowledged: ReadonlyMap<string, unknown>,
  refused: ReadonlySet<string>,
): Promise<void> {
  for (const key of new Set([...acknowledged.keys(), ...refused])) {
    const { status, body } = await talk(keyUrl(url, key));
    expect([key, status]).toEqual([key, acknowledged.has(key) ? 200 : 404]);
    if (acknowledged.has(key)) expect(body['value']).toEqual(acknowledged.get(key));
  }
  expect(await entries(url)).toEqual(acknowledged);
}

async function entries(url: string): Promise<ReadonlyMap<string, unknown>> {
  const found = new Map<string, unknown>();
  for (let cursor: unknown = ''; typeof cursor === 'string';) {
    const after = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await talk(`${url}/api/lattice/state?entries=1&limit=7${after}`);
    for (const { key, value } of body['entries'] as readonly { key: string; value: unknown }[])
      found.set(key, value);
    cursor = body['next_cursor'];
  }
  return found;
}

function mount(directory: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Takes all the room there is, and gives a little back. */
function fill(file: string, roomBytes: number): void {
  const descriptor = openSync(file, 'w');
  try {
    for (const size of [65_536, 512]) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size));
      } catch (error) {
        // an error of Node's own comes from another realm than the test
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    ftruncateSync(descriptor, fstatSync(descriptor).size - roomBytes);
  } finally {
    closeSync(descriptor);
  }
}
