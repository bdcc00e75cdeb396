/**
 * What a write costs: acknowledged, durable, signed writes of one node beside constant answers of the same server, on the
 * same machine as the load generator (two cores on the reference machine, one of which the generator needs).
 *
 * Two constants, because they answer two questions:
 *   same PUT, GET  the same requests to the same HTTP side, checked alike, with nothing signed or stored (constant-node.ts):
 *                  what does the state cost?
 *   GET /health    the least that the very node answers, on the same short way as the hot routes: what does HTTP allow?
 *
 * Processor time is told beside the rates: where that of a server's and the generator's together reaches two cores, the
 * machine is the limit.
 *
 * A node process with an own state directory, a constant process, and one load process; everybody takes turns.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../chaos/cluster/ports.ts';
import { takeTurns } from './measure.ts';
import { cpuMsOf } from './proc.ts';
import type { Row, RunOptions, Suite } from './suite.ts';

const WRITES = 'single writes';
const BATCHES = 'batches of 100';
const READS = 'reads';
const SAME_PUT = 'same PUT, constant answer';
const SAME_GET = 'same GET, constant answer';
const HEALTH = 'GET /health';

export const write: Suite = {
  name: 'write',
  describe: 'acknowledged durable writes and reads over HTTP, beside constant answers of the same server',
  packages: ['autocannon'],
  size: { what: 'requests a round', usual: 20_000 },
  bars: [
    { what: WRITES, against: SAME_PUT, limit: { atLeast: 0.5 } },
    { what: BATCHES, against: null, limit: { atLeast: 20_000 } },
    { what: READS, against: SAME_GET, limit: { atLeast: 0.8 } },
  ],
  run,
};

const ROUNDS = 5;
const CONNECTIONS = 64;
const BATCH_CONNECTIONS = 16;
const BATCH_ENTRIES = 100;
const READ_KEYS = 1000;
const START_BUDGET_MS = 15_000;

async function run({ n, say }: RunOptions): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'aethel-bench-'));
  const processes: ChildProcess[] = [];
  try {
    const [port = 0, constantPort = 0] = await freePorts(2);
    const generator = new Generator();
    const nodeProcess = start('../node/main.ts', port, directory);
    const constantProcess = start('./constant-node.ts', constantPort, directory);
    processes.push(generator.process, nodeProcess, constantProcess);
    const node = await listening(nodeProcess, port);
    const constant = await listening(constantProcess, constantPort);

    const health = gets(n, () => '/health');
    const reads = gets(n, (i) => keyPath(`read/${i % READ_KEYS}`));
    const batches = Math.max(BATCH_CONNECTIONS, Math.ceil(n / BATCH_ENTRIES));
    await generator.load(
      node,
      1,
      batchesOf(READ_KEYS / BATCH_ENTRIES, () => 'read'),
    );

    const costs = new Map<string, Cost>();
    /** One load, and the processor time that it took of both ends. */
    const turn =
      (who: Contender, server: ChildProcess, connections: number, requests: () => readonly LoadRequest[]) =>
      async (): Promise<number> => {
        const load = requests();
        const before = [cpuMsOf(server.pid), cpuMsOf(generator.process.pid)] as const;
        const url = server === nodeProcess ? node : constant;
        const ms = await generator.load(url, connections, load);
        const cost = costs.get(who) ?? { requests: 0, serverMs: 0, generatorMs: 0 };
        costs.set(who, {
          requests: cost.requests + load.length,
          serverMs: cost.serverMs + cpuMsOf(server.pid) - before[0],
          generatorMs: cost.generatorMs + cpuMsOf(generator.process.pid) - before[1],
        });
        return ms;
      };
    const per: Record<Contender, () => Promise<number>> = {
      writes: turn('writes', nodeProcess, CONNECTIONS, () => puts(n)),
      samePut: turn('samePut', constantProcess, CONNECTIONS, () => puts(n)),
      health: turn('health', nodeProcess, CONNECTIONS, () => health),
      reads: turn('reads', nodeProcess, CONNECTIONS, () => reads),
      sameGet: turn('sameGet', constantProcess, CONNECTIONS, () => reads),
      batches: turn('batches', nodeProcess, BATCH_CONNECTIONS, () => batchesOf(batches, uniqueName)),
    };
    say('one round to warm up');
    await takeTurns(per, 1);
    costs.clear();
    say(`${ROUNDS} rounds of ${n}`);
    const ms = await takeTurns(per, ROUNDS);
    const rate = (who: Contender): number => 1000 / ms[who];
    const cost = (who: Contender, end: 'serverMs' | 'generatorMs'): number => {
      const { requests, [end]: spentMs } = costs.get(who) ?? { requests: 0, serverMs: 0, generatorMs: 0 };
      return (1000 * spentMs) / requests;
    };
    return [
      {
        what: WRITES,
        unit: '1/s',
        better: 'higher',
        ours: rate('writes'),
        peers: { [SAME_PUT]: rate('samePut'), [HEALTH]: rate('health') },
      },
      {
        what: '… processor of the server',
        unit: 'µs',
        better: 'lower',
        ours: cost('writes', 'serverMs'),
        peers: { [SAME_PUT]: cost('samePut', 'serverMs'), [HEALTH]: cost('health', 'serverMs') },
      },
      {
        what: '… processor of the generator',
        unit: 'µs',
        better: 'lower',
        ours: cost('writes', 'generatorMs'),
        peers: { [SAME_PUT]: cost('samePut', 'generatorMs'), [HEALTH]: cost('health', 'generatorMs') },
      },
      {
        what: BATCHES,
        unit: 'records/s',
        better: 'higher',
        ours: rate('batches') * BATCH_ENTRIES,
        peers: {},
      },
      {
        what: READS,
        unit: '1/s',
        better: 'higher',
        ours: rate('reads'),
        peers: { [SAME_GET]: rate('sameGet'), [HEALTH]: rate('health') },
      },
      {
        what: '… processor of the server, reads',
        unit: 'µs',
        better: 'lower',
        ours: cost('reads', 'serverMs'),
        peers: { [SAME_GET]: cost('sameGet', 'serverMs'), [HEALTH]: cost('health', 'serverMs') },
      },
      {
        what: '… processor of the generator, reads',
        unit: 'µs',
        better: 'lower',
        ours: cost('reads', 'generatorMs'),
        peers: { [SAME_GET]: cost('sameGet', 'generatorMs'), [HEALTH]: cost('health', 'generatorMs') },
      },
    ];
  } finally {
    await Promise.all(processes.map(end));
    rmSync(directory, { recursive: true, force: true });
  }
}

type Contender = 'writes' | 'samePut' | 'health' | 'reads' | 'sameGet' | 'batches';

/** of some loads, both ends of the wire */
interface Cost {
  readonly requests: number;
  readonly serverMs: number;
  readonly generatorMs: number;
}

interface LoadRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
let names = 0;

/** New keys in every round: no write here replaces another. */
function uniqueName(): string {
  names += 1;
  return `bench/${names}`;
}

function puts(count: number): readonly LoadRequest[] {
  return Array.from({ length: count }, (_, i) => ({
    method: 'PUT',
    path: keyPath(uniqueName()),
    headers: JSON_HEADERS,
    body: JSON.stringify({ value: valueOf(i) }),
  }));
}

function gets(count: number, pathOf: (i: number) => string): readonly LoadRequest[] {
  return Array.from({ length: count }, (_, i) => ({ method: 'GET', path: pathOf(i) }));
}

function batchesOf(count: number, nameOf: () => string): readonly LoadRequest[] {
  return Array.from({ length: count }, (_, batch) => {
    const name = nameOf();
    const entries = Array.from({ length: BATCH_ENTRIES }, (_value, i) => ({
      key: `${name}/${batch * BATCH_ENTRIES + i}`,
      value: valueOf(i),
    }));
    return {
      method: 'POST',
      path: '/api/lattice/state',
      headers: JSON_HEADERS,
      body: JSON.stringify({ entries }),
    };
  });
}

function valueOf(i: number): unknown {
  return { n: i, text: 'a value of a usual size' };
}

function keyPath(key: string): string {
  return `/api/lattice/state/${encodeURIComponent(key)}`;
}

/** The load generator's process. */
class Generator {
  readonly process = spawn(process.execPath, [fileURLToPath(new URL('peers/load.mjs', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

  /** @returns milliseconds per request, all connections together; throws when one was not answered well */
  async load(url: string, connections: number, requests: readonly LoadRequest[]): Promise<number> {
    this.process.send({ url, connections, requests });
    const [result] = (await once(this.process, 'message')) as [LoadResult];
    if (result.bad > 0 || result.good < requests.length) {
      throw new Error(
        `${result.good} of ${requests.length} requests were answered well, ${result.bad} badly`,
      );
    }
    return (result.seconds * 1000) / result.good;
  }
}

interface LoadResult {
  readonly seconds: number;
  readonly good: number;
  readonly bad: number;
}

/** A node alone: no member to tell, so that what is measured is the write and nothing else. */
function start(program: string, port: number, directory: string): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url))], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      AETHEL_CLUSTER_KEY: '0'.repeat(64),
      AETHEL_HTTP_PORT: String(port),
      AETHEL_P2P_ENABLED: 'false',
      AETHEL_STATE_DIR: join(directory, 'state'),
      AETHEL_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** @returns the base URL once it serves */
async function listening(child: ChildProcess, port: number): Promise<string> {
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + START_BUDGET_MS;
  for (;;) {
    // What needs nothing behind it, and is 503 while the node starts.
    const answer = await fetch(`${url}/openapi.json`).catch(() => null);
    if (answer?.ok === true) return url;
    if (child.exitCode !== null) throw new Error(`${url} ended with ${child.exitCode}`);
    if (performance.now() > deadline) throw new Error(`nothing answers at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
