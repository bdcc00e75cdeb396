/**
 * A newcomer takes over a whole state: two nodes as they are shipped, one with all the records, one with none, joined over one lung only.
 *
 * Time counts from the moment at which the newcomer sees that the states are unlike (its event `divergence`) until it has the root that the records must have. Beside it,
 * what bounds it: the same records committed to a store of ours, batch after batch, without a look at their signatures, and with.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../chaos/cluster/ports.ts';
import type { DatedEvent } from '../node/protocol/events.ts';
import { keptForm } from '../node/protocol/state/kept-record.ts';
import { verifyRecord, type SignedRecord } from '../node/protocol/state/record.ts';
import { identityFromSeed, SEED_BYTES } from '../node/protocol/state/signature.ts';
import { LmdbStorage } from '../node/storage/lmdb-storage.ts';
import { fillStore, recordOf } from './full-store.ts';
import { median } from './measure.ts';
import { cpuMsOf } from './proc.ts';
import type { Bar, Row } from './suite.ts';

const named = (lung: string) => ({
  rate: `snapshot over ${lung}`,
  share: `snapshot over ${lung}: of what the store takes`,
  verified: `snapshot over ${lung}: of what is taken verified by one processor`,
  cpu: `snapshot over ${lung}: processor time of both nodes per record`,
});
const LUNGS = { http: named('HTTP'), p2p: named('P2P') } as const;

export const SNAPSHOT_BARS: readonly Bar[] = Object.values(LUNGS).map(({ share }) => ({
  what: share,
  against: null,
  limit: { atLeast: 0.6 },
}));

/** As many as a page of the exchange has. */
const BATCH = 10_000;
const ROUNDS = 3;
const BUDGET_MS = 120_000;
/** Nobody listens there. */
const NOWHERE = 1;
const NODE = fileURLToPath(new URL('../node/main.ts', import.meta.url));
const REDIRECT = new URL('../chaos/faults/redirect.ts', import.meta.url).href;

export async function snapshotRows(n: number, say: (line: string) => void): Promise<readonly Row[]> {
  const author = identityFromSeed(new Uint8Array(SEED_BYTES).fill(7));
  const records = Array.from({ length: n }, (_, i) => recordOf(author, i + 1, (bytes) => author.sign(bytes)));
  const directory = mkdtempSync(join(tmpdir(), 'aethel-snapshot-'));
  try {
    const root = await fillStore(join(directory, 'full'), n);
    const takeovers = { http: [] as Takeover[], p2p: [] as Takeover[] };
    const loads = { bulk: [] as number[], verified: [] as number[] };
    for (let round = 1; round <= ROUNDS; round++) {
      say(`a newcomer takes ${n} records over either lung, round ${round} of ${ROUNDS}`);
      // One after the other is the point.
      // oxlint-disable no-await-in-loop
      loads.bulk.push(await load(directory, records, false));
      takeovers.http.push(await takeOver(directory, 'http', root));
      takeovers.p2p.push(await takeOver(directory, 'p2p', root));
      loads.verified.push(await load(directory, records, true));
      // oxlint-enable no-await-in-loop
    }
    const perSecond = (ms: readonly number[]): number => (n * 1_000) / median(ms);
    const [bulk, verified] = [perSecond(loads.bulk), perSecond(loads.verified)];
    return [
      rowOf('the store takes', '/s', bulk),
      rowOf('the store takes, verified by one processor', '/s', verified),
      ...(['http', 'p2p'] as const).flatMap((lung) => {
        const rate = perSecond(takeovers[lung].map(({ ms }) => ms));
        const cpuUs = (median(takeovers[lung].map(({ cpuMs }) => cpuMs)) * 1_000) / n;
        return [
          rowOf(LUNGS[lung].rate, '/s', rate),
          rowOf(LUNGS[lung].share, '', rate / bulk),
          rowOf(LUNGS[lung].verified, '', rate / verified),
          { ...rowOf(LUNGS[lung].cpu, 'µs', cpuUs), better: 'lower' as const },
        ];
      }),
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function rowOf(what: string, unit: string, ours: number): Row {
  return { what, unit, better: 'higher', ours, peers: {} };
}

/** @returns ms that a new store takes for them */
async function load(
  directory: string,
  records: readonly SignedRecord[],
  isVerified: boolean,
): Promise<number> {
  const path = mkdtempSync(join(directory, 'store-'));
  const storage = await LmdbStorage.open(path);
  const meta = { sequence: records.length, wallMs: 1, counter: 0, knowledge: null };
  const startedAt = performance.now();
  for (let from = 0; from < records.length; from += BATCH) {
    const put = records.slice(from, from + BATCH).map((record, i) => {
      if (isVerified && verifyRecord(record) === null) throw new Error('a record of our own is not sound');
      return { slot: from + i + 1, bytes: keptForm(record) };
    });
    // oxlint-disable-next-line no-await-in-loop -- as a node does
    await storage.commit({ put, remove: [], meta });
  }
  const ms = performance.now() - startedAt;
  await storage.close();
  rmSync(path, { recursive: true, force: true });
  return ms;
}

interface Takeover {
  readonly ms: number;
  readonly cpuMs: number;
}

/** The newcomer is there first and is listened to, so that no event is missed. */
async function takeOver(directory: string, lung: 'http' | 'p2p', root: string): Promise<Takeover> {
  const [httpA = 0, p2pA = 0, httpB = 0, p2pB = 0] = await freePorts(4);
  const empty = mkdtempSync(join(directory, 'empty-'));
  const member: Readonly<Record<string, string>> =
    lung === 'http'
      ? { AETHEL_LATTICE_NODES: `http://127.0.0.1:${httpA}` }
      : { AETHEL_P2P_BOOTSTRAP: `/ip4/127.0.0.1/tcp/${p2pA}` };
  const newcomer = start(empty, lung, { http: httpB, p2p: p2pB, hidden: httpA }, member);
  let full: ChildProcess | null = null;
  try {
    await up(httpB);
    const cpuMs = (): number => cpuMsOf(newcomer.pid) + cpuMsOf(full?.pid);
    const taking = watch(httpB, root, cpuMs);
    full = start(join(directory, 'full'), lung, { http: httpA, p2p: p2pA, hidden: httpB }, {});
    return await taking;
  } finally {
    await Promise.all([full, newcomer].map(end));
    rmSync(empty, { recursive: true, force: true });
  }
}

/** @param ports `hidden`: the other one's for HTTP, which is out of reach where the lung is P2P */
function start(
  directory: string,
  lung: 'http' | 'p2p',
  ports: { readonly http: number; readonly p2p: number; readonly hidden: number },
  env: Readonly<Record<string, string>>,
): ChildProcess {
  return spawn(process.execPath, ['--import', REDIRECT, NODE], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      AETHEL_CLUSTER_KEY: '0'.repeat(64),
      AETHEL_HTTP_HOST: '127.0.0.1',
      AETHEL_HTTP_PORT: String(ports.http),
      AETHEL_P2P_ENABLED: String(lung === 'p2p'),
      AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${ports.p2p}`,
      AETHEL_STATE_DIR: directory,
      AETHEL_LOG_LEVEL: 'error',
      AETHEL_LAB_REDIRECT: JSON.stringify(lung === 'p2p' ? { [ports.hidden]: NOWHERE } : {}),
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function up(port: number): Promise<void> {
  for (const until = performance.now() + BUDGET_MS; performance.now() < until;) {
    // oxlint-disable-next-line no-await-in-loop -- polls
    const isUp = await new Promise<boolean>((resolve) => {
      get(`http://127.0.0.1:${port}/api/lattice/p2p/status`, { agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      }).on('error', () => resolve(false));
    });
    if (isUp) return;
    // oxlint-disable-next-line no-await-in-loop -- polls
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the node never served');
}

/** From the first divergence, by the node's own clock, until the root is there. */
function watch(port: number, root: string, cpuMs: () => number): Promise<Takeover> {
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => fail(new Error('the newcomer never had the root')), BUDGET_MS);
    let before: { readonly at: number; readonly cpuMs: number } | null = null;
    const request = get(`http://127.0.0.1:${port}/api/lattice/events`, { agent: false }, (response) => {
      let tail = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('data', (chunk: string) => {
        const lines = `${tail}${chunk}`.split('\n');
        tail = lines.pop() ?? '';
        for (const line of lines) {
          if (line.startsWith('data: ')) take(JSON.parse(line.slice('data: '.length)) as Partial<DatedEvent>);
        }
      });
    });
    const take = ({ at, event }: Partial<DatedEvent>): void => {
      if (at === undefined || event === undefined) return;
      if (event.type === 'divergence') before ??= { at, cpuMs: cpuMs() };
      const isEqual =
        (event.type === 'root' && event.root === root) ||
        (event.type === 'reconciliation' && event.outcome === 'equal');
      if (!isEqual || before === null) return;
      clearTimeout(tooLate);
      resolve({ ms: at - before.at, cpuMs: cpuMs() - before.cpuMs });
      request.destroy();
    };
    const fail = (error: Error): void => {
      clearTimeout(tooLate);
      request.destroy();
      reject(error);
    };
    request.on('error', fail);
  });
}

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
