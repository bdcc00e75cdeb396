/**
 * How long nodes that start all at once on one machine take until each of them says P2P, hears all others by it, and all roots are
 * equal; and what they cost afterwards. Processes on loopback, bundled as in the image, each told the addresses of all others.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LatticeClient } from '../chaos/cluster/client.ts';
import { poll } from '../chaos/cluster/poll.ts';
import { freePorts } from '../chaos/cluster/ports.ts';
import { cpuMsOf } from './proc.ts';

export interface Crowd {
  /** Infinity: not within the limit */
  readonly settledMs: number;
  /** of the costliest node, % of a core; NaN where they did not settle */
  readonly idlePercent: number;
}

const BUILD = fileURLToPath(new URL('../scripts/build.ts', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../dist/aethel-node.mjs', import.meta.url));
/** Each asks twenty nodes, which costs them something: no more often than it must. */
const LOOK_EVERY_MS = 1_000;
const ANSWER_MS = 10_000;
/** Until nodes rest, and then some. */
const REST_MS = 10_000;
const IDLE_MS = 20_000;

export async function crowd(
  count: number,
  limitMs: number,
  settings: Readonly<Record<string, string>>,
): Promise<Crowd> {
  execFileSync(process.execPath, [BUILD]);
  const directory = mkdtempSync(join(tmpdir(), 'aethel-crowd-'));
  const compiled = join(directory, 'compiled');
  const nodes: ChildProcess[] = [];
  try {
    const ports = await freePorts(2 * count);
    const places = Array.from({ length: count }, (_, i) => ({ http: ports[2 * i], p2p: ports[2 * i + 1] }));
    const start = (i: number, others: typeof places): ChildProcess => {
      const home = join(directory, String(i));
      mkdirSync(home, { recursive: true });
      const env = {
        ...settings,
        PATH: process.env['PATH'] ?? '',
        NODE_COMPILE_CACHE: compiled,
        AETHEL_CLUSTER_KEY: '0'.repeat(64),
        AETHEL_HTTP_PORT: String(places[i]?.http),
        AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${places[i]?.p2p}`,
        AETHEL_STATE_DIR: join(home, 'state'),
        AETHEL_LATTICE_NODES: others.map(({ http }) => `http://127.0.0.1:${http}`).join(','),
        AETHEL_P2P_BOOTSTRAP: others.map(({ p2p }) => `/ip4/127.0.0.1/tcp/${p2p}`).join(','),
        AETHEL_LOG_LEVEL: 'error',
      };
      return spawn(process.execPath, [PROGRAM], { cwd: home, env, stdio: ['ignore', 'ignore', 'inherit'] });
    };
    // The image holds compiled code: one start makes it here.
    await settled([start(0, [])], places, 1, limitMs).then(end);
    const startedAt = performance.now();
    for (let i = 0; i < count; i += 1)
      nodes.push(
        start(
          i,
          places.filter((_, other) => other !== i),
        ),
      );
    await settled(nodes, places, count, limitMs);
    const settledMs = performance.now() - startedAt;
    if (settledMs > limitMs) return { settledMs: Infinity, idlePercent: NaN };
    await pause(REST_MS);
    const before = nodes.map(({ pid }) => cpuMsOf(pid));
    await pause(IDLE_MS);
    const used = nodes.map(({ pid }, i) => cpuMsOf(pid) - (before[i] ?? 0));
    return { settledMs, idlePercent: (100 * Math.max(...used)) / IDLE_MS };
  } finally {
    await end(nodes);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Waits until all are in one state, or the limit is over. @returns the nodes */
async function settled(
  nodes: readonly ChildProcess[],
  places: readonly { readonly http: number | undefined }[],
  count: number,
  limitMs: number,
): Promise<readonly ChildProcess[]> {
  const clients = places
    .slice(0, count)
    .map(({ http }) => new LatticeClient(() => `http://127.0.0.1:${http}`, null, { timeoutMs: ANSWER_MS }));
  const look = async (): Promise<true | null> => {
    const states = await Promise.all(clients.map((client) => client.status().catch(() => null)));
    const isWhole = states.every(
      (state) =>
        state !== null &&
        (count === 1 || state.sync_mode === 'P2P') &&
        state.started &&
        state.peers.filter(({ p2p }) => p2p.state === 'alive').length === count - 1,
    );
    return isWhole && new Set(states.map((state) => state?.merkle_root)).size === 1 ? true : null;
  };
  await poll(look, { everyMs: LOOK_EVERY_MS, budgetMs: limitMs });
  return nodes;
}

async function end(nodes: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      if (node.exitCode !== null || node.signalCode !== null) return;
      const ended = once(node, 'exit');
      node.kill('SIGTERM');
      await ended;
    }),
  );
}
