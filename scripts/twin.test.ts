import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from '../chaos/cluster/ports.ts';

/** Starting two nodes and meeting take a second or two; the rest is for a busy machine. */
const BUDGET_MS = 90_000;

describe('the twin', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'aethel-twin-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it(
    'meets: both P2P, equal roots after a write, their stories in their logs, and nothing left running',
    async () => {
      const ports = await freePorts(4);
      const args = envFiles(directory, ports);
      const { code, output } = await twin(['--once', ...args]);
      expect({ code, output }).toMatchObject({
        code: 0,
        output: expect.stringContaining('met: both P2P, equal roots'),
      });
      for (const name of ['nodeA', 'nodeB']) {
        expect(readFileSync(path.join(directory, `${name}.log`), 'utf8')).toContain('[STARTUP]');
      }
      const pids = [...output.matchAll(/process ([0-9]+)/g)].map((match) => Number(match[1]));
      expect(pids).toHaveLength(2);
      expect(pids.filter(isRunning)).toEqual([]);
    },
    BUDGET_MS,
  );

  it(
    'says which port is taken and whose setting that is, and starts nothing',
    async () => {
      const ports = await freePorts(4);
      const args = envFiles(directory, ports);
      const squatter = net.createServer().listen(ports[1], '127.0.0.1');
      await once(squatter, 'listening');
      const { code, output } = await twin(['--once', ...args]);
      await once(squatter.close(), 'close');
      expect(code).toBe(3);
      expect(output).toContain(`port ${ports[1]} on 127.0.0.1 (AETHEL_HTTP_PORT in b.env) is taken`);
      expect(output).not.toContain('process ');
    },
    BUDGET_MS,
  );
});

async function twin(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const env = { ...process.env };
  delete env['NODE_OPTIONS'];
  const child = spawn(process.execPath, ['scripts/twin.ts', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** @param ports A's HTTP, B's HTTP, A's P2P, B's P2P */
function envFiles(directory: string, ports: readonly number[]): readonly string[] {
  const [httpA = 0, httpB = 0, p2pA = 0, p2pB = 0] = ports;
  const text = (name: string, http: number, p2p: number, other: number): string =>
    [
      `AETHEL_NODE_NAME=${name}`,
      'AETHEL_HTTP_HOST=127.0.0.1',
      `AETHEL_HTTP_PORT=${http}`,
      `AETHEL_P2P_LISTEN=/ip4/127.0.0.1/tcp/${p2p}`,
      `AETHEL_LATTICE_NODES=http://127.0.0.1:${other}`,
      `AETHEL_STATE_DIR=${path.join(directory, name)}`,
      `AETHEL_CLUSTER_KEY_FILE=${path.join(directory, 'cluster.key')}`,
      `AETHEL_LOG_FILE=${path.join(directory, `${name}.log`)}`,
      '',
    ].join('\n');
  const files = [path.join(directory, 'a.env'), path.join(directory, 'b.env')] as const;
  writeFileSync(files[0], text('nodeA', httpA, p2pA, httpB));
  writeFileSync(files[1], text('nodeB', httpB, p2pB, httpA));
  return ['--env-a', files[0], '--env-b', files[1]];
}

/** Below the range from which the system takes ports for outgoing connections, so that none takes ours meanwhile. */

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
