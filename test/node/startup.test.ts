import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from '../../chaos/cluster/poll.ts';
import { CLUSTER_KEY, freePort, NodeProcess, occupy, until } from './node-process.ts';
import { talk } from './talk.ts';

const BUDGET_MS = 20_000;

describe('a node process', () => {
  let node: NodeProcess;

  beforeEach(() => {
    node = new NodeProcess();
  });

  afterEach(async () => {
    await node.close();
  });

  it('reports every problem of its configuration at once and exits 2', async () => {
    node.start({
      AETHEL_HTTP_PORT: 'eighty',
      AETHEL_P2P_LISTEN: 'tcp://here',
      AETHEL_LATTICE_NODES: 'ftp://x',
      AETHEL_LOG_LEVEL: 'loud',
      AETHEL_HTTP_PROT: '8000',
    });
    expect(await node.ended(BUDGET_MS)).toBe(2);
    for (const name of [
      'AETHEL_HTTP_PORT',
      'AETHEL_P2P_LISTEN',
      'AETHEL_LATTICE_NODES',
      'AETHEL_LOG_LEVEL',
      'AETHEL_HTTP_PROT',
      'AETHEL_CLUSTER_KEY',
    ]) {
      expect(node.output).toContain(name);
    }
  });

  it('lets the .env file override the environment, at every start', async () => {
    writeFileSync(join(node.directory, '.env'), 'AETHEL_NODE_NAME=from-file\nAETHEL_HTTP_PORT=nonsense\n');
    node.start({ ...(await working()), AETHEL_NODE_NAME: 'from-environment' });
    expect(await node.ended(BUDGET_MS)).toBe(2);
    writeFileSync(join(node.directory, '.env'), 'AETHEL_NODE_NAME=from-file\n');
    node.start({ ...(await working()), AETHEL_NODE_NAME: 'from-environment' });
    await node.says('from-file [STARTUP] LATTICE READY', BUDGET_MS);
    expect(node.output).not.toContain('from-environment');
  });

  it('tells what is doubtful in the .env file by its line, and no value', async () => {
    const text = "\ufeffAETHEL_NODE_NAME=file # $x\r\nhunter2\r\nAETHEL_API_TOKEN='hunter2hunter2#2'\r\n";
    writeFileSync(join(node.directory, '.env'), text);
    node.start({ ...(await working()), AETHEL_SERVICE_HOST: '10.0.0.1', HTTP_PROXY: 'socks5h://x' });
    await node.says('file [STARTUP] LATTICE READY', BUDGET_MS);
    for (const line of [
      'warn  file [STARTUP] (.env, line 2): is not a setting',
      'warn  file [STARTUP] AETHEL_SERVICE_HOST: is what an engine tells',
      'warn  file [STARTUP] HTTP_PROXY: must be the URL of a proxy',
    ]) {
      expect(node.output).toContain(line);
    }
    expect(node.output).not.toContain('hunter2');
  });

  it('tells the story of a start in tagged lines, and stops on SIGTERM with 0', async () => {
    node.start(await working());
    await node.says('[STARTUP] LATTICE READY - Hybrid Sync Active', BUDGET_MS);
    for (const line of [
      '[STARTUP] P2P started successfully',
      '[STARTUP] peer_id: 12D3KooW',
      '[HTTP_SYNC] Heartbeat activated (secondary lung)',
      '[HTTP_SYNC] Monitoring 1 peer node(s)',
    ]) {
      expect(node.output).toContain(line);
    }
    expect(node.output).not.toContain(CLUSTER_KEY);
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
  });

  it('comes up on HTTP where the P2P port is taken, says why, and takes P2P up once the port is free', async () => {
    const taken = await occupy();
    const env = { ...(await working()), AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${taken.port}` };
    try {
      node.start(env);
      await node.says('[STARTUP] LATTICE READY - HTTP Sync Active', BUDGET_MS);
      expect(node.output).toContain('[STARTUP] P2P failed to start: p2p_listen_failed');
      const status = await statusOf(env);
      expect(status).toMatchObject({ enabled: true, started: false, error: 'p2p_listen_failed' });
    } finally {
      await taken.free();
    }
    await node.says('[STARTUP] P2P started successfully', BUDGET_MS);
    expect(await statusOf(env)).toMatchObject({ started: true, error: null });
  });

  it('says from early on that it lives, and serves without a gap once it has its state', async () => {
    const env = await working();
    const url = `http://127.0.0.1:${env['AETHEL_HTTP_PORT']}`;
    node.start(env);
    const seen: string[] = [];
    const look = async (): Promise<string> => {
      const { status, body } = await talk(`${url}/api/lattice/p2p/status`);
      return status === 503 ? String(body['type']) : String(status);
    };
    await until(async () => {
      const what = await look().catch(() => 'no answer');
      if (seen.at(-1) !== what) seen.push(what);
      return what === '200' ? true : null;
    }, [node]);
    expect(seen.filter((what, at) => at > 0 || what !== 'no answer')).toEqual([
      'urn:aethel:problem:starting',
      '200',
    ]);
  });

  it('ends on SIGTERM while it starts, and leaves no listener', async () => {
    const env = await working();
    const url = `http://127.0.0.1:${env['AETHEL_HTTP_PORT']}`;
    node.start(env);
    await until(async () => ((await talk(`${url}/health`)).status === 200 ? true : null), [node]);
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
    await expect(talk(`${url}/health`)).rejects.toThrow('fetch failed');
  });

  it('exits 4 where the HTTP port is taken', async () => {
    const taken = await occupy();
    try {
      node.start({ ...(await working()), AETHEL_HTTP_PORT: String(taken.port) });
      expect(await node.ended(BUDGET_MS)).toBe(4);
      expect(node.output).toContain(`cannot listen for HTTP on 127.0.0.1:${taken.port}: listen EADDRINUSE`);
    } finally {
      await taken.free();
    }
  });

  it('exits 3 where another node has the state directory', async () => {
    const second = new NodeProcess();
    try {
      node.start({ ...(await working()), AETHEL_STATE_DIR: join(node.directory, 'state') });
      await node.says('LATTICE READY', BUDGET_MS);
      second.start({ ...(await working()), AETHEL_STATE_DIR: join(node.directory, 'state') });
      expect(await second.ended(BUDGET_MS)).toBe(3);
    } finally {
      await second.close();
    }
  });

  it('ends when the process that started it with a channel is gone', async () => {
    node.start(await working());
    await node.says('LATTICE READY', BUDGET_MS);
    node.disconnect();
    expect(await node.ended(5_000)).toBe(0);
  });

  it('says in one line that its log cannot be written, and exits 2 (X21)', async () => {
    writeFileSync(join(node.directory, 'file'), '');
    node.start({ ...(await working()), AETHEL_LOG_FILE: 'file/logs/node.log' });
    expect(await node.ended(BUDGET_MS)).toBe(2);
    expect(node.output).toBe('aethel: AETHEL_LOG_FILE: file/logs/node.log cannot be written (ENOTDIR)\n');
  });

  it('checks a configuration without starting a node, and shows no secret', async () => {
    const env = { ...(await working()), HTTPS_PROXY: 'http://me:hunter2@proxy' };
    writeFileSync(
      join(node.directory, '.env'),
      "AETHEL_API_TOKEN='hunter2hunter2ab'\nAETHEL_LOG_LEVEL=warn\nwhat\n",
    );
    node.start(env, ['config', 'check']);
    expect(await node.ended(BUDGET_MS)).toBe(0);
    for (const line of [
      /^AETHEL_LOG_LEVEL +warn {2}\(\.env, line 2\)$/m,
      /^AETHEL_NODE_NAME +test {2}\(environment\)$/m,
      /^AETHEL_STATE_DIR +\.\/\.aethel\/state {2}\(default\)$/m,
      /^AETHEL_CLUSTER_KEY +set, 64 bytes {2}\(AETHEL_CLUSTER_KEY\)$/m,
      /^AETHEL_API_TOKEN +set, 16 bytes/m,
      /^ {2}\(\.env, line 3\): is not a setting/m,
    ]) {
      expect(node.output).toMatch(line);
    }
    expect(node.output).not.toContain(CLUSTER_KEY);
    expect(node.output).not.toContain('hunter2');
    expect(readdirSync(node.directory)).toEqual(['.env']);
  });

  it('tells programs what is wrong with a configuration', async () => {
    node.start({ AETHEL_HTTP_PORT: 'eighty', AETHEL_API_TOKEN: ' ' }, ['config', 'check', '--json']);
    expect(await node.ended(BUDGET_MS)).toBe(2);
    expect(JSON.parse(node.output)).toMatchObject({
      ok: false,
      settings: { AETHEL_P2P_ENABLED: { value: true, from: 'default' } },
      secrets: { AETHEL_CLUSTER_KEY: null, AETHEL_API_TOKEN: null },
      problems: [{ name: 'AETHEL_HTTP_PORT' }, { name: 'AETHEL_API_TOKEN' }, { name: 'AETHEL_CLUSTER_KEY' }],
      warnings: [],
    });
  });

  it.each([
    [['--nonsense']],
    [['nonsense']],
    [['keygen']],
    [['keygen', '--out', 'x', 'y']],
    [['config']],
    [['config', 'chek']],
    [['--json']],
  ])('refuses the arguments %j with one line and exit 2', async (args) => {
    node.start({}, args);
    expect(await node.ended(BUDGET_MS)).toBe(2);
    expect(node.output.trim().split('\n')).toHaveLength(1);
  });
});

async function working(): Promise<Record<string, string>> {
  return {
    AETHEL_NODE_NAME: 'test',
    AETHEL_CLUSTER_KEY: CLUSTER_KEY,
    AETHEL_HTTP_PORT: String(await freePort()),
    AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
    AETHEL_LATTICE_NODES: `http://127.0.0.1:${await freePort()}`,
  };
}

async function statusOf(env: Readonly<Record<string, string>>): Promise<unknown> {
  const answer = await poll(
    async () => {
      const response = await fetch(`http://127.0.0.1:${env['AETHEL_HTTP_PORT']}/api/lattice/p2p/status`);
      return response.json();
    },
    { everyMs: 50, budgetMs: 1_000 },
  );
  return answer;
}
