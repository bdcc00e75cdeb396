/**
 * How long a node takes to start on a full store, and what a record costs in memory.
 *
 *     node bench/startup.ts [--records 100000,1000000] [--bundle] [--gate]
 *
 * Start-up is the time from starting the process until HTTP answers with the root that the records must have. Memory is
 * the process' anonymous memory at that moment, less that of a node with an empty store, per record, less the value; the
 * store's pages, which the kernel may take back at any time, are listed apart. Records have keys of 20 bytes and values
 * of 100. Their signatures are not real: nobody checks them at start-up, and a million would take a minute to make.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts } from '../chaos/cluster/ports.ts';
import { MerkleTrie, pathOf } from '../node/protocol/state/merkle.ts';
import { signRecord, type VerifiedRecord } from '../node/protocol/state/record.ts';
import type { Identity } from '../node/ports.ts';
import { loadOrCreateIdentity } from '../node/storage/identity.ts';
import { LmdbStorage } from '../node/storage/lmdb-storage.ts';

/** Bars of the issue "State worth trusting". */
const STARTUP_MS_MAX: Readonly<Record<number, number>> = { 100_000: 1_500, 1_000_000: 8_000 };
const RECORD_BYTES_MAX = 250;

const KEY_BYTES = 20;
const VALUE_BYTES = 100;
const BATCH = 10_000;
const PATIENCE_MS = 120_000;
const SOURCE = fileURLToPath(new URL('../node/main.ts', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../dist/aethel-node.mjs', import.meta.url));

export interface StartupOptions {
  readonly records: readonly number[];
  /** the one-file build in dist/ instead of the sources */
  readonly isBundle: boolean;
}

export interface StartupMeasure {
  readonly records: number;
  readonly startupMs: number;
  /** null where there is no /proc */
  readonly anonymousBytes: number | null;
  readonly fileBytes: number | null;
  /** beyond the value, against the empty node */
  readonly bytesPerRecord: number | null;
  readonly storeBytes: number;
}

/** The first measure is of an empty store. */
export async function run(options: StartupOptions): Promise<readonly StartupMeasure[]> {
  const measures: StartupMeasure[] = [];
  let empty: number | null = null;
  for (const records of [0, ...options.records]) {
    const directory = mkdtempSync(join(tmpdir(), 'aethel-startup-'));
    try {
      const root = await fill(directory, records);
      // The first start fills the compile cache and the page cache; the second one counts.
      await start(options.isBundle ? BUNDLE : SOURCE, directory, root);
      const { startupMs, anonymousBytes, fileBytes } = await start(
        options.isBundle ? BUNDLE : SOURCE,
        directory,
        root,
      );
      empty ??= anonymousBytes;
      const grown = anonymousBytes === null || empty === null ? null : anonymousBytes - empty;
      const bytesPerRecord = grown === null || records === 0 ? null : grown / records - VALUE_BYTES;
      const storeBytes = statSync(join(directory, 'store', 'data.mdb')).size;
      measures.push({ records, startupMs, anonymousBytes, fileBytes, bytesPerRecord, storeBytes });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return measures;
}

/** Writes that many records into the store of a new state directory. @returns their root */
async function fill(directory: string, count: number): Promise<string> {
  const identity = await loadOrCreateIdentity(directory);
  const storage = await LmdbStorage.open(join(directory, 'store'));
  const trie = new MerkleTrie();
  for (let from = 0; from < count; from += BATCH) {
    const put: { slot: number; bytes: Uint8Array }[] = [];
    for (let n = from + 1; n <= Math.min(count, from + BATCH); n++) {
      const record = recordOf(identity, n);
      trie.set(pathOf(record.key), [record.id]);
      put.push({ slot: n, bytes: record.bytes });
    }
    await storage.commit({
      put,
      remove: [],
      meta: { sequence: count, wallMs: WALL_MS, counter: 0, knowledge: null },
    });
  }
  await storage.close();
  return trie.root();
}

const WALL_MS = Date.UTC(2026, 0, 1);
const SIGNATURE = new Uint8Array(64).fill(0x5a);

function recordOf(identity: Identity, n: number): VerifiedRecord {
  // Keys in no order: neither the store's nor the listing's.
  const key = `key-${((n * 7_368_787) % 2 ** 32).toString(16)}-${n}`.padEnd(KEY_BYTES, '.');
  const head = `{"n":${n},"text":"`;
  const value = `${head}${'v'.repeat(VALUE_BYTES - head.length - 2)}"}`;
  const stamp = { wallMs: WALL_MS - 1_000_000 + n, counter: 0 };
  return signRecord(
    { key, value, dot: { author: identity.id, sequence: n }, context: [], stamp },
    () => SIGNATURE,
  );
}

interface Start {
  readonly startupMs: number;
  readonly anonymousBytes: number | null;
  readonly fileBytes: number | null;
}

async function start(program: string, directory: string, root: string): Promise<Start> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no port is free');
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      AETHEL_CLUSTER_KEY: '0'.repeat(64),
      AETHEL_HTTP_PORT: String(port),
      AETHEL_P2P_ENABLED: 'false',
      AETHEL_STATE_DIR: directory,
      AETHEL_LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    for (;;) {
      const text = await answerOf(`http://127.0.0.1:${port}/api/lattice/state`);
      if (text?.includes(`"merkle_root":"${root}"`) === true) break;
      if (text !== null) throw new Error(`not the root ${root}: ${text.slice(0, 200)}`);
      if (child.exitCode !== null) throw new Error(`the node ended with ${child.exitCode}`);
      if (performance.now() - startedAt > PATIENCE_MS) throw new Error('the node never answered');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const startupMs = performance.now() - startedAt;
    return { startupMs, anonymousBytes: rss(child.pid, 'Anon'), fileBytes: rss(child.pid, 'File') };
  } finally {
    const ended = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
    child.kill('SIGTERM');
    await ended;
  }
}

async function answerOf(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    }).on('error', () => resolve(null));
  });
}

function rss(pid: number | undefined, kind: 'Anon' | 'File'): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [, kib] = new RegExp(`^Rss${kind}:\\s+(\\d+) kB`, 'm').exec(status) ?? [];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}

/** What the bars of the issue say to a measure; empty when it keeps them. */
export function missesOf(measure: StartupMeasure): readonly string[] {
  const { records, startupMs, bytesPerRecord } = measure;
  const most = STARTUP_MS_MAX[records];
  return [
    ...(most !== undefined && startupMs > most
      ? [`${records} records: ${startupMs.toFixed(0)} ms, at most ${most}`]
      : []),
    ...(most !== undefined && bytesPerRecord !== null && bytesPerRecord > RECORD_BYTES_MAX
      ? [`${records} records: ${bytesPerRecord.toFixed(0)} bytes each, at most ${RECORD_BYTES_MAX}`]
      : []),
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '100000,1000000' },
      bundle: { type: 'boolean', default: false },
      gate: { type: 'boolean', default: false },
    },
  });
  const measures = await run({ records: values.records.split(',').map(Number), isBundle: values.bundle });
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}`);
  for (const { records, startupMs, anonymousBytes, fileBytes, bytesPerRecord, storeBytes } of measures) {
    console.log(
      `${records} records: ${startupMs.toFixed(0)} ms; anonymous ${mib(anonymousBytes)}, ` +
        `file ${mib(fileBytes)}, store ${mib(storeBytes)}; ${bytesPerRecord?.toFixed(0) ?? '-'} bytes a record`,
    );
  }
  const misses = measures.flatMap(missesOf);
  console.log(misses.length === 0 ? 'PASS' : `MISS ${misses.join('; ')}`);
  if (values.gate && misses.length > 0) process.exitCode = 1;
}

function mib(bytes: number | null): string {
  return bytes === null ? '-' : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

if (import.meta.main) await main();
