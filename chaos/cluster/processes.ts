/**
 * A cluster of real node processes on loopback: needs no Docker, works wherever Node does. Each node has its own state
 * directory; between each two nodes stands a forwarder per direction and lung (../faults/forwarder.ts) that carries their
 * traffic, so that one lung of a node, or both, can be cut. All of it lives in one temporary directory that `close` removes.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Forwarder } from '../faults/forwarder.ts';
import { LinkCut } from '../faults/link-cut.ts';
import { NodeFault } from '../faults/node-fault.ts';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { assertSupported, missingNodes, onEach } from '../faults/support.ts';
import { LatticeClient } from './client.ts';
import { Guardian } from './guardian.ts';
import { poll } from './poll.ts';
import { NodeStartError } from './port.ts';
import { freePorts } from './ports.ts';
import { DIRECTORY_PREFIX, writeRunFile } from './run-file.ts';
import type {
  CloseReport,
  Cluster,
  ClusterNode,
  ClusterOptions,
  NodeState,
  StartReport,
  StopReport,
} from './port.ts';

export interface ProcessClusterOptions extends ClusterOptions {
  /** one per node; free ones where not given */
  readonly httpPorts?: readonly number[];
  /** what is started as a node; the product's own main where not given */
  readonly main?: string;
}

export interface ProcessCluster extends Cluster {
  readonly world: 'processes';
  readonly nodes: readonly ProcessNode[];
  /** state directories and logs, one sub-directory per node */
  readonly directory: string;
}

const MAIN = fileURLToPath(new URL('../../node/main.ts', import.meta.url));
const REDIRECT = new URL('../faults/redirect.ts', import.meta.url).href;

/** A node answers within a second or two; the rest is for a machine that is busy with something else. */
const START_BUDGET_MS = 30_000;
/** the error of a measured start */
const LOOK_EVERY_MS = 10;
/** The contract is five seconds from SIGTERM. */
const STOP_BUDGET_MS = 8_000;

export async function startProcessCluster(options: ProcessClusterOptions): Promise<ProcessCluster> {
  const directory = path.join(os.tmpdir(), DIRECTORY_PREFIX + options.runId);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const ports = await freePorts(options.nodes * 2);
  const names = Array.from({ length: options.nodes }, (_, i) => `node${i + 1}`);
  const places = names.map((name, i) => ({
    name,
    httpPort: options.httpPorts?.[i] ?? at(ports, i),
    p2pPort: at(ports, options.nodes + i),
  }));
  const links = await openLinks(places);
  const clusterKey = randomBytes(32).toString('hex');

  const nodes: readonly ProcessNode[] = places.map((place) => {
    const others = places.filter((other) => other !== place);
    const redirect = Object.fromEntries(
      links.filter((link) => link.from === place.name).map((link) => [String(link.realPort), link.port]),
    );
    return new ProcessNode({
      name: place.name,
      url: `http://127.0.0.1:${place.httpPort}`,
      directory: path.join(directory, place.name),
      main: options.main ?? MAIN,
      env: {
        AETHEL_NODE_NAME: place.name,
        AETHEL_HTTP_HOST: '127.0.0.1',
        AETHEL_HTTP_PORT: String(place.httpPort),
        AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${place.p2pPort}`,
        AETHEL_P2P_BOOTSTRAP: others.map((other) => `/ip4/127.0.0.1/tcp/${other.p2pPort}`).join(','),
        AETHEL_LATTICE_NODES: others.map((other) => `http://127.0.0.1:${other.httpPort}`).join(','),
        AETHEL_STATE_DIR: path.join(directory, place.name, 'state'),
        AETHEL_CLUSTER_KEY: clusterKey,
        AETHEL_LAB_REDIRECT: JSON.stringify(redirect),
        ...options.env,
      },
      onChange: () =>
        writeRunFile(
          directory,
          nodes.flatMap(({ pid }) => pid ?? []),
        ),
    });
  });
  const cluster = new LoopbackCluster(options.runId, directory, nodes, links);
  const giveUp = (): void => void cluster.close();
  options.signal?.addEventListener('abort', giveUp);
  try {
    options.signal?.throwIfAborted();
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    const report = await cluster.close();
    options.cleanedUp?.(report);
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
  return cluster;
}

/** What one lung of `from` dials to `to`. */
interface Link {
  readonly from: string;
  readonly to: string;
  readonly lung: 'p2p' | 'http';
  readonly realPort: number;
  readonly port: number;
  readonly forwarder: Forwarder;
}

interface Place {
  readonly name: string;
  readonly httpPort: number;
  readonly p2pPort: number;
}

async function openLinks(places: readonly Place[]): Promise<readonly Link[]> {
  const pairs = places.flatMap((from) => places.filter((to) => to !== from).map((to) => ({ from, to })));
  const links = pairs.flatMap(({ from, to }) => [
    { from: from.name, to: to.name, lung: 'p2p' as const, realPort: to.p2pPort },
    { from: from.name, to: to.name, lung: 'http' as const, realPort: to.httpPort },
  ]);
  return Promise.all(
    links.map(async (link) => {
      const forwarder = new Forwarder(() => ({ host: '127.0.0.1', port: link.realPort }));
      return { ...link, port: await forwarder.listen(), forwarder };
    }),
  );
}

class LoopbackCluster implements ProcessCluster {
  readonly world = 'processes';
  readonly apiToken = null;
  readonly runId: string;
  readonly directory: string;
  readonly nodes: readonly ProcessNode[];
  readonly #links: readonly Link[];
  readonly #guardian: Guardian;
  #closed: Promise<CloseReport> | null = null;

  constructor(runId: string, directory: string, nodes: readonly ProcessNode[], links: readonly Link[]) {
    this.runId = runId;
    this.directory = directory;
    this.nodes = nodes;
    this.#links = links;
    this.#guardian = Guardian.over('processes', directory);
  }

  supports(spec: FaultSpec): string | null {
    return (
      missingNodes(
        spec,
        this.nodes.map(({ name }) => name),
      ) ?? unsupported(spec)
    );
  }

  fault(spec: FaultSpec): Fault {
    assertSupported(spec, this.supports(spec));
    switch (spec.kind) {
      case 'partition':
        return new LinkCut(spec, this.#links);
      case 'kill':
      case 'freeze':
      case 'restart':
        return onEach(spec.nodes, this.nodes, (node) => new NodeFault(spec, node));
      case 'loss':
      case 'latency':
      case 'bandwidth':
      case 'restart-elsewhere':
      case 'clock':
      case 'disk-full':
      case 'corrupt':
      case 'lost-writes':
      case 'dns':
      case 'cpu-hog':
      case 'scale':
      case 'upgrade':
        throw new FaultUnsupportedError(spec.kind);
    }
  }

  close(): Promise<CloseReport> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<CloseReport> {
    await Promise.allSettled(this.nodes.map((node) => node.kill()));
    await Promise.allSettled(this.#links.map((link) => link.forwarder.close()));
    const leftovers = this.nodes
      .filter((node) => node.pid !== null)
      .map((node) => `process ${node.pid} (${node.name})`);
    if (!(await this.#guardian.dismiss())) leftovers.push('the guardian');
    if (leftovers.length === 0) {
      try {
        rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
      } catch (error) {
        leftovers.push(`${this.directory} (${String(error)})`);
      }
    }
    return { leftovers, removed: this.nodes.length };
  }
}

/** @returns why processes on loopback cannot do it; null: they can */
function unsupported(spec: FaultSpec): string | null {
  switch (spec.kind) {
    case 'partition':
      return spec.how === 'drop' ? null : 'the forwarders only fall silent';
    case 'freeze':
      return spec.how === 'sigstop' ? null : 'these processes have no control group of their own';
    case 'kill':
    case 'restart':
      return null;
    case 'loss':
      return 'a forwarder sees a stream, not its packets';
    case 'dns':
      return 'nodes on loopback are found by address, not by name';
    case 'upgrade':
      return 'processes run the source at hand: there is no other version';
    case 'latency':
    case 'bandwidth':
    case 'restart-elsewhere':
    case 'clock':
    case 'disk-full':
    case 'corrupt':
    case 'lost-writes':
    case 'cpu-hog':
    case 'scale':
      return 'the lab has no means for it in this world yet';
  }
}

interface ProcessNodeOptions {
  readonly name: string;
  readonly url: string;
  readonly directory: string;
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onChange: () => void;
}

export class ProcessNode implements ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly #options: ProcessNodeOptions;
  readonly #logFile: string;
  #child: ChildProcess | null = null;
  #state: NodeState = 'stopped';
  #started: StartReport = { launchedAt: 0, answersAt: 0 };

  constructor(options: ProcessNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = options.url;
    this.#logFile = path.join(options.directory, 'node.log');
    mkdirSync(path.join(options.directory, 'state'), { recursive: true });
  }

  get state(): NodeState {
    return this.#state;
  }

  /** null when no process runs */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<StartReport> {
    if (this.#child !== null) return this.#started;
    const launchedAt = Date.now();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(process.execPath, ['--import', REDIRECT, this.#options.main], {
      // Its own directory, where no .env lies that would override the lab's settings.
      cwd: this.#options.directory,
      env: { ...inherited(), ...this.#options.env },
      // Its own process group, so that a terminal's Ctrl-C reaches the lab only; the channel ends it when the lab dies.
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    child.on('error', () => this.#ended(child));
    child.on('exit', () => this.#ended(child));
    this.#child = child;
    this.#state = 'running';
    this.#options.onChange();

    const client = new LatticeClient(() => this.url, null, { timeoutMs: 1_000 });
    const answer = await poll(
      async () => (this.#child !== child ? 'ended' : (await client.isHealthy()) ? 'healthy' : null),
      { everyMs: LOOK_EVERY_MS, budgetMs: START_BUDGET_MS },
    );
    client.close();
    if (answer === 'healthy') {
      this.#started = { launchedAt, answersAt: Date.now() };
      return this.#started;
    }
    const reason =
      answer === 'ended'
        ? `it ended with ${child.exitCode ?? child.signalCode}`
        : `no answer within ${START_BUDGET_MS} ms`;
    await this.kill();
    throw new NodeStartError(this.name, reason, tail(await this.logs()));
  }

  async kill(): Promise<number> {
    const struckAt = Date.now();
    await this.#end('SIGKILL', STOP_BUDGET_MS);
    return struckAt;
  }

  async stop(): Promise<StopReport> {
    const child = this.#child;
    const startedAt = performance.now();
    const graceful = await this.#end('SIGTERM', STOP_BUDGET_MS);
    if (!graceful) await this.#end('SIGKILL', STOP_BUDGET_MS);
    return { tookMs: performance.now() - startedAt, exitCode: child?.exitCode ?? null, graceful };
  }

  async freeze(): Promise<number> {
    const struckAt = Date.now();
    if (this.#child?.kill('SIGSTOP') === true) this.#state = 'frozen';
    return struckAt;
  }

  async thaw(): Promise<number> {
    if (this.#child?.kill('SIGCONT') === true) this.#state = 'running';
    return Date.now();
  }

  async cpuMs(): Promise<number> {
    return this.pid === null ? 0 : processorMs(this.pid);
  }

  async logs(): Promise<string> {
    try {
      return await readFile(this.#logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** @returns whether the process is gone */
  async #end(signal: 'SIGTERM' | 'SIGKILL', budgetMs: number): Promise<boolean> {
    const child = this.#child;
    if (child === null) return true;
    // A frozen process hears SIGTERM only after it is thawed.
    if (this.#state === 'frozen') await this.thaw();
    child.kill(signal);
    const gone = await poll(async () => (this.#child === child ? null : true), { everyMs: 5, budgetMs });
    return gone !== null;
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#state = 'stopped';
    this.#options.onChange();
  }
}

/** What a node needs of our environment; never our own AETHEL_ settings, nor what only this runner's Node understands. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('AETHEL_') && name !== 'NODE_OPTIONS'),
  );
}

/** user and system time of all threads; the kernel counts in hundredths of a second */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before it may hold anything, spaces and brackets too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function at(list: readonly number[], index: number): number {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no port number ${index}`);
  return value;
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-15).join('\n');
}
