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
 * A node process with an own state directory, a constant process, and a load generator (load.ts); everybody takes turns. wrk is taken
 * where it is installed: autocannon takes as much of the processor for a request as a server does for a constant answer, so that it is
 * what limits the constant.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../chaos/cluster/ports.ts';
import { makeGenerator, wrkVersion, type GeneratorName, type Load } from './load.ts';
import { takeTurns } from './measure.ts';
import { cpuMsOf } from './proc.ts';
import { UsageError } from './suite.ts';
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
  options: {
    generator: { value: 'auto', describe: 'wrk or autocannon; auto takes wrk where it is installed' },
  },
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
const WARM_UP_ROUNDS = 2;
const START_BUDGET_MS = 15_000;

async function run({ n, say, note, options }: RunOptions): Promise<readonly Row[]> {
  const generator = makeGenerator(generatorNamed(options['generator'] ?? 'auto'), n);
  const directory = mkdtempSync(join(tmpdir(), 'aethel-bench-'));
  const processes: ChildProcess[] = [];
  try {
    const [port = 0, constantPort = 0] = await freePorts(2);
    const nodeProcess = start('../node/main.ts', port, directory);
    const constantProcess = start('./constant-node.ts', constantPort, directory);
    processes.push(nodeProcess, constantProcess);
    const node = await listening(nodeProcess, port);
    const constant = await listening(constantProcess, constantPort);
    await writeReadKeys(node);

    let next = 1;
    const costs = new Map<string, Cost>();
    /** One load, and the processor time that it took of both ends. @returns milliseconds a request */
    const turn =
      (who: Contender, server: ChildProcess, load: Omit<Load, 'first'>) => async (): Promise<number> => {
        const before = cpuMsOf(server.pid);
        const url = server === nodeProcess ? node : constant;
        // New keys in every round: no write here replaces another.
        const loaded = await generator.load(url, { ...load, first: load.wrap === null ? next : 0 });
        if (load.wrap === null) ({ next } = loaded);
        const cost = costs.get(who) ?? { requests: 0, serverMs: 0, generatorMs: 0 };
        costs.set(who, {
          requests: cost.requests + loaded.requests,
          serverMs: cost.serverMs + cpuMsOf(server.pid) - before,
          generatorMs: cost.generatorMs + loaded.processorMs,
        });
        return (loaded.seconds * 1000) / loaded.requests;
      };
    const per: Record<Contender, () => Promise<number>> = {
      writes: turn('writes', nodeProcess, PUTS),
      samePut: turn('samePut', constantProcess, PUTS),
      health: turn('health', nodeProcess, { ...GETS, path: '/health' }),
      reads: turn('reads', nodeProcess, GETS),
      sameGet: turn('sameGet', constantProcess, GETS),
      batches: turn('batches', nodeProcess, POSTS),
    };
    note(`load by ${generator.describe}`);
    say(`${WARM_UP_ROUNDS} rounds to warm up`);
    await takeTurns(per, WARM_UP_ROUNDS);
    costs.clear();
    say(`${ROUNDS} rounds`);
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
    await generator.close();
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

const VALUE_TEXT = '{"n":%n,"text":"a value of a usual size"}';
const PUTS: Omit<Load, 'first'> = {
  method: 'PUT',
  path: keyPath('bench/%n'),
  body: `{"value":${VALUE_TEXT}}`,
  connections: CONNECTIONS,
  wrap: null,
};
const GETS: Omit<Load, 'first'> = {
  method: 'GET',
  path: keyPath('read/%n'),
  body: null,
  connections: CONNECTIONS,
  wrap: READ_KEYS,
};
const POSTS: Omit<Load, 'first'> = {
  method: 'POST',
  path: '/api/lattice/state',
  body: batchText((i) => `batch/%n/${i}`, BATCH_ENTRIES),
  connections: BATCH_CONNECTIONS,
  wrap: null,
};

function batchText(keyOf: (i: number) => string, count: number): string {
  const entries = Array.from({ length: count }, (_entry, i) => `{"key":"${keyOf(i)}","value":${VALUE_TEXT}}`);
  return `{"entries":[${entries.join()}]}`;
}

function keyPath(key: string): string {
  return `/api/lattice/state/${encodeURIComponent(key).replaceAll('%25n', '%n')}`;
}

function generatorNamed(name: string): GeneratorName {
  if (name === 'auto') return wrkVersion() === null ? 'autocannon' : 'wrk';
  if (name === 'wrk' && wrkVersion() === null)
    throw new UsageError('wrk is not installed; on Debian: apt-get install wrk');
  if (name === 'wrk' || name === 'autocannon') return name;
  throw new UsageError(`--generator is wrk, autocannon or auto, not ${name.slice(0, 40)}`);
}

async function writeReadKeys(url: string): Promise<void> {
  const answer = await fetch(`${url}/api/lattice/state`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: batchText((i) => `read/${i}`, READ_KEYS).replaceAll('%n', '0'),
  });
  if (!answer.ok) throw new Error(`the keys to be read were not written: ${answer.status}`);
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
