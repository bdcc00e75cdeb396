/**
 * Whole stacks side by side: two processes of each on loopback hold the same records, are cut apart, each gets records that the
 * other one lacks, and are joined again. How long until both hold everything, and how many bytes went over the line between them?
 *
 * Time counts from the moment at which the line is mended. Ours has to find that out by itself; a peer is told to dial.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LatticeClient } from '../chaos/cluster/client.ts';
import type { StatusResponse } from '../node/http/schemas.ts';
import { poll } from '../chaos/cluster/poll.ts';
import { freePorts } from '../chaos/cluster/ports.ts';
import { signRecord } from '../node/protocol/state/record.ts';
import { identityFromSeed, SEED_BYTES } from '../node/protocol/state/signature.ts';
import { Wire } from './sync-wire.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** What both sides hold before, and what each one gets while they are apart. */
export interface Load {
  readonly shared: readonly Entry[];
  readonly apart: readonly [readonly Entry[], readonly Entry[]];
}

export interface Heal {
  readonly ms: number;
  /** over the line, both ways */
  readonly bytes: number;
  /** of the records that were missing, each once, in the form that is signed */
  readonly recordBytes: number;
}

/** Two processes of one kind, not joined yet. */
interface Pair {
  readonly wires: readonly Wire[];
  /** @returns bytes of the records, in the form that is signed */
  write(side: 0 | 1, entries: readonly Entry[]): Promise<number>;
  /** the wires are whole: see to it that they are used */
  join(): Promise<void>;
  /** resolves when both sides hold so many records */
  bothHold(count: number): Promise<void>;
  /** resolves when both sides have heard that the other one has the same; a peer is not asked */
  knowEqual(): Promise<void>;
  /** the wires are cut: resolves when both sides have noticed; a peer is not asked */
  knowCut(): Promise<void>;
  end(): Promise<void>;
}

const START_BUDGET_MS = 20_000;
const HEAL_BUDGET_MS = 60_000;
const NODE = fileURLToPath(new URL('../node/main.ts', import.meta.url));
const REDIRECT = new URL('../chaos/faults/redirect.ts', import.meta.url).href;

export async function healOurs(load: Load): Promise<Heal> {
  return heal(await startNodes(), load);
}

/** @param program in peers/, see peers/stack.mjs */
export async function healPeer(program: string, load: Load): Promise<Heal> {
  return heal(await startStacks(program), load);
}

async function heal(pair: Pair, { shared, apart }: Load): Promise<Heal> {
  try {
    await pair.write(0, shared);
    await pair.join();
    await pair.bothHold(shared.length);
    await pair.knowEqual();
    for (const wire of pair.wires) wire.cut();
    await pair.knowCut();
    const written = await Promise.all([pair.write(0, apart[0]), pair.write(1, apart[1])]);
    const before = bytesOf(pair.wires);
    const startedAt = performance.now();
    for (const wire of pair.wires) wire.mend();
    await pair.join();
    await pair.bothHold(shared.length + apart[0].length + apart[1].length);
    const ms = performance.now() - startedAt;
    return { ms, bytes: bytesOf(pair.wires) - before, recordBytes: written[0] + written[1] };
  } finally {
    await pair.end();
  }
}

/** Two nodes as they are shipped, each of which believes to dial the other one's real ports, as in the lab's process cluster. */
async function startNodes(): Promise<Pair> {
  const directory = mkdtempSync(join(tmpdir(), 'aethel-bench-'));
  const [httpA = 0, p2pA = 0, httpB = 0, p2pB = 0] = await freePorts(4);
  const wires = await Promise.all([httpA, p2pA, httpB, p2pB].map((port) => Wire.to(port)));
  const [toHttpA, toP2pA, toHttpB, toP2pB] = wires.map(({ port }) => port);
  const children = [
    startNode(directory, 'a', [httpA, p2pA], [httpB, p2pB], { [httpB]: toHttpB, [p2pB]: toP2pB }),
    startNode(directory, 'b', [httpB, p2pB], [httpA, p2pA], { [httpA]: toHttpA, [p2pA]: toP2pA }),
  ];
  const urls = [httpA, httpB].map((port) => `http://127.0.0.1:${port}`);
  const clients = urls.map((url) => new LatticeClient(() => url, null, { timeoutMs: 30_000 }));
  const pair: Pair = {
    wires,
    write: async (side, entries) => {
      const response = await fetch(`${urls[side]}/api/lattice/state`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ entries }),
      });
      if (!response.ok) throw new Error(`the write was answered ${response.status}`);
      return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    },
    join: () => Promise.resolve(),
    bothHold: async (count) => {
      const isDone = await poll(
        async () => {
          const [a, b] = await Promise.all(clients.map((client) => client.status()));
          const isEqual = a !== undefined && a.merkle_root === b?.merkle_root;
          return isEqual && a.state_size === count ? true : null;
        },
        { everyMs: 5, budgetMs: HEAL_BUDGET_MS },
      );
      if (isDone === null) throw new Error(`both nodes should hold ${count} records by now`);
    },
    knowEqual: () => both(clients, (one) => one.peers[0]?.merkle_root === one.merkle_root),
    knowCut: () => both(clients, (one) => one.sync_mode === 'NONE'),
    end: async () => {
      for (const client of clients) client.close();
      await Promise.all([...children.map(ended), ...wires.map((wire) => wire.close())]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    // the usual state of a node that has a member: it hears it by gossip
    await both(clients, (one) => one.sync_mode === 'P2P');
    return pair;
  } catch (error) {
    await pair.end();
    throw error;
  }
}

/** @param redirects from real ports of the other one to those of the wires */
function startNode(
  directory: string,
  name: string,
  [httpPort, p2pPort]: readonly [number, number],
  [otherHttp, otherP2p]: readonly [number, number],
  redirects: Readonly<Record<number, number | undefined>>,
): ChildProcess {
  return spawn(process.execPath, ['--import', REDIRECT, NODE], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      AETHEL_NODE_NAME: name,
      AETHEL_CLUSTER_KEY: '0'.repeat(64),
      AETHEL_HTTP_HOST: '127.0.0.1',
      AETHEL_HTTP_PORT: String(httpPort),
      AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${p2pPort}`,
      AETHEL_P2P_BOOTSTRAP: `/ip4/127.0.0.1/tcp/${otherP2p}`,
      AETHEL_LATTICE_NODES: `http://127.0.0.1:${otherHttp}`,
      AETHEL_STATE_DIR: join(directory, name),
      AETHEL_LOG_LEVEL: 'error',
      AETHEL_LAB_REDIRECT: JSON.stringify(redirects),
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** Of a record; who signs it and when does not change it. */
function sizeOf({ key, value }: Entry): number {
  const dot = { author: identityFromSeed(new Uint8Array(SEED_BYTES)).id, sequence: 1 };
  const stamp = { wallMs: 0, counter: 0 };
  const fields = { key, value: JSON.stringify(value), dot, context: [], stamp };
  return signRecord(fields, () => new Uint8Array(64)).bytes.length;
}

/** Resolves when both nodes say so of themselves. */
async function both(
  clients: readonly LatticeClient[],
  claim: (status: StatusResponse) => boolean,
): Promise<void> {
  const isSo = async (client: LatticeClient): Promise<true | null> =>
    (await client.isServing()) && claim(await client.status()) ? true : null;
  const said = clients.map((client) => poll(() => isSo(client), { everyMs: 25, budgetMs: START_BUDGET_MS }));
  if ((await Promise.all(said)).includes(null)) throw new Error(`never true of both nodes: ${String(claim)}`);
}

/** The second one dials the first one through a wire. */
async function startStacks(program: string): Promise<Pair> {
  const stacks = [new Stack(program), new Stack(program)];
  const wires: Wire[] = [];
  const [first, second] = stacks;
  if (first === undefined || second === undefined) throw new Error('two stacks');
  const end = async (): Promise<void> => {
    await Promise.all(stacks.map(({ process: child }) => ended(child)));
    await Promise.all(wires.map((wire) => wire.close()));
  };
  try {
    const [port] = await Promise.all(stacks.map((stack) => stack.answer()));
    const wire = await Wire.to(Number(port));
    wires.push(wire);
    return {
      wires,
      write: async (side, entries) => Number(await (side === 0 ? first : second).call('write', entries)),
      join: async () => void (await second.call('dial', wire.port)),
      bothHold: async (count) => void (await Promise.all(stacks.map((stack) => stack.call('holds', count)))),
      knowEqual: () => Promise.resolve(),
      knowCut: () => Promise.resolve(),
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A process of peers/stack.mjs; its first message is the port that it listens at. */
class Stack {
  readonly process: ChildProcess;

  constructor(program: string) {
    this.process = spawn(process.execPath, [fileURLToPath(new URL(`peers/${program}`, import.meta.url))], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  async call(call: string, argument: unknown): Promise<unknown> {
    this.process.send({ call, argument });
    return this.answer();
  }

  async answer(): Promise<unknown> {
    const signal = AbortSignal.timeout(HEAL_BUDGET_MS);
    const [said] = (await Promise.race([
      once(this.process, 'message', { signal }),
      once(this.process, 'exit', { signal }).then(() => [{ error: 'it ended' }]),
    ])) as [{ readonly result?: unknown; readonly error?: string }];
    if (said.error !== undefined) throw new Error(`a peer's process: ${said.error}`);
    return said.result;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function bytesOf(wires: readonly Wire[]): number {
  return wires.reduce((sum, wire) => sum + wire.bytes, 0);
}
