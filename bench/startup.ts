/**
 * How long a node takes to start on a full store, and what a record costs in memory.
 *
 * Start-up is the time from starting the process until HTTP answers with the root that the records must have; the second
 * start counts, when the compile cache and the page cache are warm. Memory is the process' anonymous memory at that moment,
 * less that of a node with an empty store, per record, less the value. The store's pages, which the kernel may take back
 * at any time, do not count. Node's memory is set as in the image: see Dockerfile.
 *
 * Records have keys of 20 bytes and values of 100; their signatures are not real.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../chaos/cluster/ports.ts';
import { MerkleTrie, pathOf } from '../node/protocol/state/merkle.ts';
import { RecordStore } from '../node/protocol/state/record-store.ts';
import { Sketch, SKETCH_DEFAULTS } from '../node/protocol/state/sketch/sketch.ts';
import { identityFromSeed, SEED_BYTES } from '../node/protocol/state/signature.ts';
import { crowd } from './crowd.ts';
import { fillStore, recordOf, VALUE_BYTES } from './full-store.ts';
import { anonymousBytesOf, cpuMsOf } from './proc.ts';
import type { Row, RunOptions, Suite } from './suite.ts';

const TENTH = 'start, a tenth of the records';
const ALL = 'start, all records';
const MEMORY = 'memory of a record beyond its value';
const TWENTY = 'twenty nodes at once, until all are P2P with one root';
const FORTY = 'forty nodes at once, the same';
const IDLE = 'the costliest of twenty, idle';

export const startup: Suite = {
  name: 'startup',
  describe:
    'start of a node on a full store, until HTTP answers with the right root; memory per record; many nodes at once',
  packages: [],
  size: { what: 'records', usual: 1_000_000 },
  bars: [
    { what: TENTH, against: null, limit: { atMost: 1_500 } },
    { what: ALL, against: null, limit: { atMost: 8_000 } },
    { what: MEMORY, against: null, limit: { atMost: 250 } },
    { what: TWENTY, against: null, limit: { atMost: 60_000 } },
    { what: IDLE, against: null, limit: { atMost: 2 } },
    { what: FORTY, against: null, limit: { atMost: 180_000 } },
  ],
  run,
};

const PARTS_RECORDS = 100_000;
const PATIENCE_MS = 120_000;
const CROWD_LIMIT_MS = 240_000;
const PROGRAM = fileURLToPath(new URL('../node/main.ts', import.meta.url));
const IMAGE = fileURLToPath(new URL('../Dockerfile', import.meta.url));
/** Of no records: nobody checks them at a start, and real ones would take longer to make than all the rest. */
const SIGNATURE = new Uint8Array(64).fill(0x5a);
const unsigned = () => SIGNATURE;

async function run({ n, say }: RunOptions): Promise<readonly Row[]> {
  say('twenty nodes at once');
  const twenty = await crowd(20, CROWD_LIMIT_MS, imageSettings());
  say('forty nodes at once');
  const forty = await crowd(40, CROWD_LIMIT_MS, imageSettings());
  say('an empty store');
  const empty = await measure(0);
  say(`${Math.round(n / 10)} records`);
  const tenth = await measure(Math.round(n / 10));
  say(`${n} records`);
  const all = await measure(n);
  const perRecord = (all.anonymousBytes - empty.anonymousBytes) / n - VALUE_BYTES;
  return [
    rowOf('start, empty store', 'ms', empty.startMs),
    rowOf(TENTH, 'ms', tenth.startMs),
    rowOf(ALL, 'ms', all.startMs),
    rowOf('the same in processor time', 'ms', all.cpuMs),
    rowOf(MEMORY, 'bytes', perRecord),
    ...partsOf(Math.min(n, PARTS_RECORDS)),
    rowOf(TWENTY, 'ms', twenty.settledMs),
    rowOf(IDLE, '% of a core', twenty.idlePercent),
    rowOf(FORTY, 'ms', forty.settledMs),
  ];
}

/** What holds a record, piece by piece, without what the engine keeps for itself. */
function partsOf(count: number): readonly Row[] {
  const sketch = new Sketch(new Uint8Array(32), SKETCH_DEFAULTS);
  const store = new RecordStore(Uint8Array.of(1), (id) => sketch.shortOf(id));
  const trie = new MerkleTrie();
  const author = identityFromSeed(new Uint8Array(SEED_BYTES));
  for (let n = 1; n <= count; n++) {
    const record = recordOf(author, n, unsigned);
    const path = pathOf(record.key);
    trie.set(path, [record.id]);
    store.put(n, record);
  }
  trie.root();
  const { heldBytes, indexBytes } = store.memory();
  return [
    rowOf('… of which packed record', 'bytes', heldBytes / count - VALUE_BYTES),
    rowOf('… of which indexes', 'bytes', indexBytes / count),
    rowOf('… of which trie', 'bytes', trie.bytes / count),
  ];
}

interface Measure {
  readonly startMs: number;
  readonly cpuMs: number;
  readonly anonymousBytes: number;
}

async function measure(count: number): Promise<Measure> {
  const directory = mkdtempSync(join(tmpdir(), 'aethel-startup-'));
  try {
    const root = await fillStore(directory, count, unsigned);
    await start(directory, root);
    return await start(directory, root);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function start(directory: string, root: string): Promise<Measure> {
  const [port = 0] = await freePorts(1);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [PROGRAM], {
    cwd: directory,
    env: {
      ...imageSettings(),
      PATH: process.env['PATH'] ?? '',
      AETHEL_CLUSTER_KEY: '0'.repeat(64),
      AETHEL_HTTP_PORT: String(port),
      AETHEL_P2P_ENABLED: 'false',
      AETHEL_STATE_DIR: directory,
      AETHEL_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    for (;;) {
      const text = await answerOf(`http://127.0.0.1:${port}/api/lattice/state`);
      if (text?.includes(`"merkle_root":"${root}"`) === true) break;
      if (text !== null) throw new Error(`not the root ${root}: ${text.slice(0, 200)}`);
      if (child.exitCode !== null) throw new Error(`the node ended with ${child.exitCode}`);
      if (performance.now() - startedAt > PATIENCE_MS) throw new Error('the node never answered');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const startMs = performance.now() - startedAt;
    return { startMs, cpuMs: cpuMsOf(child.pid), anonymousBytes: anonymousBytesOf(child.pid) };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** What the image tells Node of memory. */
function imageSettings(): Readonly<Record<string, string>> {
  const found = readFileSync(IMAGE, 'utf8').matchAll(/\b(NODE_OPTIONS)=(\S+)/g);
  return Object.fromEntries(Array.from(found, ([, name = '', value = '']) => [name, value]));
}

/** @returns null before it serves */
async function answerOf(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      // 503: it is starting.
      response.on('end', () => resolve(response.statusCode === 503 ? null : text));
    }).on('error', () => resolve(null));
  });
}

function rowOf(what: string, unit: string, ours: number): Row {
  return { what, unit, better: 'lower', ours, peers: {} };
}
