import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatusResponse } from '../../node/http/schemas.ts';
import { CLUSTER_KEY, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 30_000;

describe('nodes that share a directory of slots', () => {
  let parent: string;
  let nodes: NodeProcess[];
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'aethel-slots-'));
    nodes = [];
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await rm(parent, { recursive: true, force: true });
  });

  const start = async (more: Readonly<Record<string, string>> = {}): Promise<Started> => {
    const node = new NodeProcess();
    nodes.push(node);
    const port = await freePort();
    node.start({
      ...('AETHEL_CLUSTER_KEY_FILE' in more ? {} : { AETHEL_CLUSTER_KEY: CLUSTER_KEY }),
      AETHEL_HTTP_PORT: String(port),
      AETHEL_P2P_ENABLED: 'false',
      AETHEL_STATE_SLOTS: join(parent, 'slots'),
      ...more,
    });
    const url = `http://127.0.0.1:${port}`;
    const status = await until(async () => statusOf(url), [node], BUDGET_MS);
    return { node, url, status };
  };

  it('each have one, and find identity and data in it again', async () => {
    const first = await start();
    const second = await start();
    expect([first.status.slot, second.status.slot]).toEqual([0, 1]);
    expect(second.node.output).toContain('slot 1 is new; 1 other slot holds state');
    expect((await talk(keyUrl(first.url, 'k'), 'PUT', { value: 'kept' })).status).toBe(201);

    await first.node.halt();
    const again = await start();
    expect(again.status.slot).toBe(0);
    expect(again.status.peer_id).toBe(first.status.peer_id);
    expect((await talk(keyUrl(again.url, 'k'))).body['value']).toBe('kept');
    expect(again.node.output).toMatch(/State slot 0 .*new=false/);
  });

  it('say so where they start empty with an old key', async () => {
    const key = join(parent, 'cluster.key');
    writeFileSync(key, CLUSTER_KEY);
    const threeDaysAgo = Date.now() / 1000 - 3 * 24 * 3600;
    utimesSync(key, threeDaysAgo, threeDaysAgo);
    const env = { AETHEL_CLUSTER_KEY_FILE: key };
    const { node } = await start(env);
    expect(node.output).toMatch(/warn.*this cluster starts empty although its key is 3 days old/);
    await node.halt();
    const again = await start(env);
    expect(again.node.output).not.toContain('starts empty');
  });

  it('leave the directory of a node without slots alone', async () => {
    const state = join(parent, 'own');
    mkdirSync(state);
    const { status } = await start({ AETHEL_STATE_SLOTS: '', AETHEL_STATE_DIR: state });
    expect(status.slot).toBeNull();
    expect(existsSync(join(state, 'identity.key'))).toBe(true);
  });
});

interface Started {
  readonly node: NodeProcess;
  readonly url: string;
  readonly status: StatusResponse;
}

async function statusOf(url: string): Promise<StatusResponse | null> {
  const { status, body } = await talk(`${url}/api/lattice/p2p/status`);
  return status === 200 ? (body as unknown as StatusResponse) : null;
}
