/**
 * A cluster of real node processes on loopback: needs no Docker, works wherever Node does. Each node has its own state
 * directory; between each two nodes stands a forwarder per direction and lung (../faults/forwarder.ts) that carries their
 * traffic, so that any of it can be made worse. All of it lives in one temporary directory that `close` removes.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { clockEnvironment, wrongClock } from '../faults/clock.ts';
import { corrupt } from '../faults/corrupt.ts';
import { fullDisk } from '../faults/disk-full.ts';
import { restartElsewhere } from '../faults/elsewhere.ts';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { Forwarder } from '../faults/forwarder.ts';
import { cpuHog } from '../faults/hog.ts';
import { LinkFault } from '../faults/link-fault.ts';
import { Links } from '../faults/links.ts';
import type { Link } from '../faults/links.ts';
import { lostWrites } from '../faults/lost-writes.ts';
import { NodeFault } from '../faults/node-fault.ts';
import { scale } from '../faults/scale.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { assertSupported, missingNodes, onEach } from '../faults/support.ts';
import { whyNotInProcesses } from '../faults/why-not.ts';
import type { Means } from '../faults/why-not.ts';
import { Guardian } from './guardian.ts';
import { freePorts } from './ports.ts';
import { ProcessNode } from './process-node.ts';
import { DIRECTORY_PREFIX, writeRunFile } from './run-file.ts';
import { clocksHere, libraryOf } from './faketime.ts';
import { mountDisk, NO_EXT4, NO_MOUNTS, unmountDisks } from './small-disk.ts';
import type { DiskKind } from './small-disk.ts';
import type { CloseReport, Cluster, ClusterOptions } from './port.ts';

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

export async function startProcessCluster(options: ProcessClusterOptions): Promise<ProcessCluster> {
  const cluster = new LoopbackCluster(options);
  const giveUp = (): void => void cluster.close();
  options.signal?.addEventListener('abort', giveUp);
  try {
    options.signal?.throwIfAborted();
    await cluster.open();
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

/** Where a node listens now. */
interface Place {
  httpPort: number;
  p2pPort: number;
}

class LoopbackCluster implements ProcessCluster {
  readonly world = 'processes';
  readonly apiToken = null;
  readonly runId: string;
  readonly directory: string;
  readonly #options: ProcessClusterOptions;
  readonly #clusterKey = randomBytes(32).toString('hex');
  readonly #nodes: ProcessNode[] = [];
  readonly #places = new Map<string, Place>();
  readonly #links: Link[] = [];
  readonly #faulty: Links;
  /** null: the nodes run on the machine's own clock */
  readonly #clockLibrary: string | null;
  /** what the nodes' states lie on; null: the machine's own disk */
  #disks: DiskKind | null = null;
  readonly #guardian: Guardian;
  #closed: Promise<CloseReport> | null = null;

  constructor(options: ProcessClusterOptions) {
    this.#options = options;
    this.runId = options.runId;
    this.directory = path.join(os.tmpdir(), DIRECTORY_PREFIX + options.runId);
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    // From the first moment on: what has no owner is taken for what a dead run left.
    this.#writeRunFile();
    this.#faulty = new Links(
      () => this.#links,
      (name) => this.#nodes.some((node) => node.name === name && node.state === 'running'),
    );
    this.#clockLibrary = options.prepare?.clocks === true ? libraryOf() : null;
    this.#guardian = Guardian.over('processes', this.directory);
  }

  get nodes(): readonly ProcessNode[] {
    return this.#nodes;
  }

  async open(): Promise<void> {
    const { nodes: count, httpPorts = [] } = this.#options;
    const ports = await freePorts(count * 2);
    for (let i = 0; i < count; i += 1) {
      const node = await this.#add({ httpPort: httpPorts[i] ?? at(ports, i), p2pPort: at(ports, count + i) });
      if (this.#options.prepare?.smallDisks === true) this.#disks = mountDisk(node.stateDirectory);
    }
    await Promise.all(this.#nodes.map((node) => node.start()));
  }

  supports(spec: FaultSpec): string | null {
    return (
      missingNodes(
        spec,
        this.nodes.map(({ name }) => name),
      ) ?? whyNotInProcesses(spec, this.#means)
    );
  }

  fault(spec: FaultSpec): Fault {
    assertSupported(spec, this.supports(spec));
    switch (spec.kind) {
      case 'partition':
      case 'latency':
      case 'bandwidth':
        return new LinkFault(spec, this.#faulty);
      case 'kill':
      case 'freeze':
      case 'restart':
        return onEach(spec.nodes, this.nodes, (node) => new NodeFault(spec, node));
      case 'restart-elsewhere':
        return onEach(spec.nodes, this.#nodes, restartElsewhere);
      case 'corrupt':
        return onEach(spec.nodes, this.#nodes, (node) => corrupt(spec, node));
      case 'cpu-hog':
        return onEach(spec.nodes, this.#nodes, (node) => cpuHog(spec.hogs, node));
      case 'scale':
        return scale(spec.to, this);
      case 'clock':
        return onEach(spec.nodes, this.#nodes, (node) => wrongClock(spec, node));
      case 'disk-full':
        return onEach(spec.nodes, this.#nodes, fullDisk);
      case 'lost-writes':
        return onEach(spec.nodes, this.#nodes, lostWrites);
      case 'loss':
      case 'dns':
      case 'upgrade':
        throw new FaultUnsupportedError(spec.kind);
    }
  }

  get #means(): Means {
    const { prepare } = this.#options;
    const unprepared = (what: string): string =>
      `the cluster was opened without ${what} of their own for the nodes`;
    return {
      clocks: this.#clockLibrary === null ? (clocksHere() ?? unprepared('clocks')) : null,
      smallDisks:
        this.#disks === null ? (prepare?.smallDisks === true ? NO_MOUNTS : unprepared('disks')) : null,
      powerCuts: this.#disks === 'ext4' ? null : prepare?.smallDisks === true ? NO_EXT4 : unprepared('disks'),
    };
  }

  close(): Promise<CloseReport> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<CloseReport> {
    await Promise.allSettled(this.#nodes.map((node) => node.kill()));
    await Promise.allSettled(this.#links.map((link) => link.forwarder.close()));
    const leftovers = this.#nodes
      .filter((node) => node.pid !== null)
      .map((node) => `process ${node.pid} (${node.name})`);
    if (!(await this.#guardian.dismiss())) leftovers.push('the guardian');
    const mounted = unmountDisks(this.directory);
    if (mounted > 0) leftovers.push(`${mounted} file systems below ${this.directory}`);
    if (leftovers.length === 0) {
      try {
        rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
      } catch (error) {
        leftovers.push(`${this.directory} (${String(error)})`);
      }
    }
    return { leftovers, removed: this.#nodes.length };
  }

  async grow(): Promise<ProcessNode> {
    const [httpPort, p2pPort] = await freePorts(2);
    if (httpPort === undefined || p2pPort === undefined) throw new RangeError('no ports');
    const node = await this.#add({ httpPort, p2pPort });
    if (this.#disks !== null) mountDisk(node.stateDirectory);
    await node.start();
    return node;
  }

  async shrink(): Promise<void> {
    const node = this.#nodes.pop();
    if (node === undefined) return;
    await node.stop();
    const isOf = ({ from, to }: Link): boolean => from === node.name || to === node.name;
    await Promise.all(this.#links.filter(isOf).map(({ forwarder }) => forwarder.close()));
    this.#links.splice(0, this.#links.length, ...this.#links.filter((link) => !isOf(link)));
    this.#places.delete(node.name);
    this.#writeRedirects();
    unmountDisks(node.directory);
    rmSync(node.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** A node more, not started yet, and the links between it and all others. */
  async #add(place: Place): Promise<ProcessNode> {
    const name = `node${this.#nodes.length + 1}`;
    this.#places.set(name, place);
    const node = new ProcessNode({
      name,
      directory: path.join(this.directory, name),
      main: this.#options.main ?? MAIN,
      env: () => this.#envOf(name),
      url: () => `http://127.0.0.1:${this.#placeOf(name).httpPort}`,
      move: () => this.#move(name),
      onChange: () => this.#writeRunFile(),
      onDeath: (death) => this.#options.died?.(death),
    });
    const pairs = this.#nodes.flatMap((other) => [
      { from: name, to: other.name },
      { from: other.name, to: name },
    ]);
    this.#nodes.push(node);
    for (const { from, to } of pairs) {
      await this.#link(from, to, 'p2p', () => this.#placeOf(to).p2pPort);
      await this.#link(from, to, 'http', () => this.#placeOf(to).httpPort);
    }
    this.#writeRedirects();
    return node;
  }

  async #link(from: string, to: string, lung: Link['lung'], port: () => number): Promise<void> {
    const forwarder = new Forwarder(() => ({ host: '127.0.0.1', port: port() }));
    await forwarder.listen();
    const link = { from, to, lung, forwarder };
    this.#links.push(link);
    this.#faulty.welcome(link);
  }

  async #move(name: string): Promise<void> {
    const [httpPort, p2pPort] = await freePorts(2);
    if (httpPort === undefined || p2pPort === undefined) throw new RangeError('no ports');
    Object.assign(this.#placeOf(name), { httpPort, p2pPort });
    this.#writeRedirects();
  }

  #placeOf(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new RangeError(`nobody knows where ${name} is`);
    return place;
  }

  #envOf(name: string): Readonly<Record<string, string>> {
    const { httpPort, p2pPort } = this.#placeOf(name);
    const others = this.#nodes.filter((node) => node.name !== name).map((node) => this.#placeOf(node.name));
    return {
      AETHEL_NODE_NAME: name,
      AETHEL_HTTP_HOST: '127.0.0.1',
      AETHEL_HTTP_PORT: String(httpPort),
      AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${p2pPort}`,
      AETHEL_P2P_BOOTSTRAP: others.map((other) => `/ip4/127.0.0.1/tcp/${other.p2pPort}`).join(','),
      AETHEL_LATTICE_NODES: others.map((other) => `http://127.0.0.1:${other.httpPort}`).join(','),
      AETHEL_STATE_DIR: path.join(this.directory, name, 'state'),
      AETHEL_CLUSTER_KEY: this.#clusterKey,
      AETHEL_LAB_REDIRECT: this.#redirectFile(name),
      ...(this.#clockLibrary === null
        ? {}
        : clockEnvironment(this.#clockLibrary, path.join(this.directory, name, 'clock'))),
      ...this.#options.env,
    };
  }

  #redirectFile(name: string): string {
    return path.join(this.directory, name, 'redirect.json');
  }

  /** For every node: which forwarder stands before which port of the others, as they are now. A node reads it at every dial. */
  #writeRedirects(): void {
    for (const { name } of this.#nodes) {
      const table = Object.fromEntries(
        this.#links
          .filter(({ from }) => from === name)
          .map(({ to, lung, forwarder }) => [this.#placeOf(to)[`${lung}Port`], forwarder.port]),
      );
      const file = this.#redirectFile(name);
      // Renamed, so that nobody reads half of it.
      writeFileSync(`${file}.draft`, JSON.stringify(table));
      renameSync(`${file}.draft`, file);
    }
  }

  #writeRunFile(): void {
    writeRunFile(
      this.directory,
      this.#nodes.flatMap(({ pid }) => pid ?? []),
    );
  }
}

function at(list: readonly number[], index: number): number {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no port number ${index}`);
  return value;
}
