/**
 * A cluster of real nodes on Docker, as the compose file runs them: unprivileged, read-only, no capability, found by DNS,
 * published on 127.0.0.1 only. A side container per node shares its network namespace for faults and probes. The engine's
 * events tell of starts and ends that are not our doing; a guardian lifts what would outlive the lab.
 */
import { randomBytes } from 'node:crypto';
import type { ContainerRuntimeClient } from 'testcontainers';
import { wrongClock } from '../faults/clock.ts';
import { corrupt } from '../faults/corrupt.ts';
import { fullDisk } from '../faults/disk-full.ts';
import { restartElsewhere } from '../faults/elsewhere.ts';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { cpuHog } from '../faults/hog.ts';
import { NetworkRules } from '../faults/network-rules.ts';
import { DISCOVERY_NAME, NftFault } from '../faults/nft-fault.ts';
import { NodeFault } from '../faults/node-fault.ts';
import { scale } from '../faults/scale.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { assertSupported, missingNodes, onEach } from '../faults/support.ts';
import { NO_POWER_CUTS, whyNotInContainers } from '../faults/why-not.ts';
import type { Means } from '../faults/why-not.ts';
import { upgrade } from '../faults/upgrade.ts';
import { ContainerNode } from './container-node.ts';
import { lendClocks } from './lend-clocks.ts';
import { watchContainers } from './container-events.ts';
import { connectEngine, labelsOf, listLabelled, removeLabelled } from './engine.ts';
import { Guardian } from './guardian.ts';
import { FAULTS_IMAGE, NODE_IMAGE, ensureNodeImage, inspectImage } from './image.ts';
import { WorldUnavailableError } from './port.ts';
import type { CloseReport, Cluster, ClusterOptions } from './port.ts';

/** How often leftovers are looked for again: a container whose creation was under way appears late. */
const SWEEPS_MAX = 40;

export async function startContainerCluster(options: ClusterOptions): Promise<Cluster> {
  const progress = options.progress ?? (() => undefined);
  const engine = await connectEngine();
  if ((await inspectImage(engine, FAULTS_IMAGE)) === null) {
    throw new WorldUnavailableError(
      `the image ${FAULTS_IMAGE} is missing`,
      `run scripts/base-image.sh, or: docker build -t ${FAULTS_IMAGE} -f chaos/cluster/faults.Dockerfile chaos/cluster`,
    );
  }
  await ensureNodeImage(engine, progress, options.signal);

  options.signal?.throwIfAborted();
  const cluster = new DockerCluster(engine, options);
  const giveUp = (): void => cluster.abandon();
  options.signal?.addEventListener('abort', giveUp);
  try {
    await cluster.open(progress);
    options.signal?.throwIfAborted();
  } catch (error) {
    const report = await cluster.close();
    options.cleanedUp?.(report);
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
  return cluster;
}

class DockerCluster implements Cluster {
  readonly world = 'containers';
  readonly runId: string;
  readonly apiToken = randomBytes(24).toString('base64url');
  readonly #nodes: ContainerNode[];
  readonly #options: ClusterOptions;
  readonly #env: Readonly<Record<string, string>>;
  readonly #engine: ContainerRuntimeClient;
  readonly #network: string;
  readonly #rules = new NetworkRules(() => this.nodes);
  #images: ReadonlySet<string> = new Set();
  /** the volume that lends the nodes their clocks; null: they run on the machine's */
  readonly #clocks: string | null;
  #guardian: Guardian | null = null;
  #unwatch: () => void = () => undefined;
  #closed: Promise<CloseReport> | null = null;

  constructor(engine: ContainerRuntimeClient, options: ClusterOptions) {
    this.#engine = engine;
    this.runId = options.runId;
    this.#network = `aethel-lab-${options.runId}`;
    this.#options = options;
    this.#clocks = options.prepare?.clocks === true ? `${this.#network}-clocks` : null;
    this.#env = {
      AETHEL_DISCOVERY_DNS: DISCOVERY_NAME,
      AETHEL_CLUSTER_KEY: randomBytes(32).toString('hex'),
      AETHEL_API_TOKEN: this.apiToken,
      AETHEL_LOG_FORMAT: 'pretty',
      ...options.env,
    };
    this.#nodes = Array.from({ length: options.nodes }, (_, i) => this.#make(`node${i + 1}`));
  }

  get nodes(): readonly ContainerNode[] {
    return this.#nodes;
  }

  async open(progress: (line: string) => void): Promise<void> {
    await this.#engine.network.create({
      Name: this.#network,
      Driver: 'bridge',
      EnableIPv6: false,
      Labels: labelsOf(this.runId),
    });
    this.#guardian = Guardian.over('containers', this.runId);
    this.#unwatch = await watchContainers(this.#engine, this.runId, (name, event) => {
      const node = this.nodes.find((candidate) => name === `${this.#network}-${candidate.name}`);
      void (event === 'start' ? node?.noticeStart() : node?.noticeEnd())?.catch(() => undefined);
    });
    const images = await this.#engine.container.dockerode.listImages();
    this.#images = new Set(images.flatMap(({ RepoTags }) => RepoTags ?? []));
    if (this.#clocks !== null) await lendClocks(this.#engine, this.runId, this.#clocks);
    progress(`starting ${this.nodes.length} nodes`);
    // All settle before anything is thrown: nothing may still be starting while the clean-up runs.
    const started = await Promise.allSettled(this.nodes.map((node) => node.start()));
    for (const result of started) if (result.status === 'rejected') throw result.reason;
  }

  supports(spec: FaultSpec): string | null {
    return (
      missingNodes(
        spec,
        this.nodes.map(({ name }) => name),
      ) ?? whyNotInContainers(spec, this.#means, (name) => this.#images.has(name))
    );
  }

  fault(spec: FaultSpec): Fault {
    assertSupported(spec, this.supports(spec));
    switch (spec.kind) {
      case 'partition':
      case 'loss':
      case 'latency':
      case 'bandwidth':
      case 'dns':
        return new NftFault(spec, this.#rules);
      case 'kill':
      case 'freeze':
      case 'restart':
        return onEach(spec.nodes, this.nodes, (node) => new NodeFault(spec, node));
      case 'restart-elsewhere':
        return onEach(spec.nodes, this.nodes, restartElsewhere);
      case 'corrupt':
        return onEach(spec.nodes, this.nodes, (node) => corrupt(spec, node));
      case 'cpu-hog':
        return onEach(spec.nodes, this.nodes, (node) => cpuHog(spec.hogs, node));
      case 'upgrade':
        return upgrade(
          spec.image,
          this.nodes.filter(({ name }) => spec.nodes.includes(name)),
        );
      case 'scale':
        return scale(spec.to, this);
      case 'clock':
        return onEach(spec.nodes, this.nodes, (node) => wrongClock(spec, node));
      case 'disk-full':
        return onEach(spec.nodes, this.nodes, fullDisk);
      case 'lost-writes':
        throw new FaultUnsupportedError(spec.kind);
    }
  }

  get #means(): Means {
    const unprepared = (what: string): string =>
      `the cluster was opened without ${what} of their own for the nodes`;
    return {
      clocks: this.#clocks === null ? unprepared('clocks') : null,
      smallDisks: this.#options.prepare?.smallDisks === true ? null : unprepared('disks'),
      powerCuts: NO_POWER_CUTS,
    };
  }

  async grow(): Promise<ContainerNode> {
    const node = this.#make(`node${this.#nodes.length + 1}`);
    this.#nodes.push(node);
    await node.start();
    return node;
  }

  async shrink(): Promise<void> {
    const node = this.#nodes.pop();
    await node?.discard();
  }

  #make(name: string): ContainerNode {
    return new ContainerNode(this.#engine, {
      name,
      network: this.#network,
      runId: this.runId,
      image: NODE_IMAGE,
      env: this.#env,
      adopted: null,
      reachedBy: 'port',
      apiToken: this.apiToken,
      hasSmallDisk: this.#options.prepare?.smallDisks === true,
      clocks: this.#clocks,
      onNamespace: (node, since) => this.#rules.reassert(node, since),
      onDeath: (death) => this.#options.died?.(death),
    });
  }

  /** From now on nothing new is made. */
  abandon(): void {
    for (const node of this.nodes) node.abandon();
  }

  close(): Promise<CloseReport> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<CloseReport> {
    const removed = new Set<string>();
    this.abandon();
    this.#unwatch();
    this.#rules.close();
    await Promise.allSettled(this.nodes.map((node) => node.settled()));
    let left: readonly string[] = [];
    try {
      for (let sweep = 0; sweep < SWEEPS_MAX; sweep += 1) {
        const things = await listLabelled(this.#engine, this.runId);
        left = things.map((thing) => `${thing.kind} ${thing.name}`);
        if (things.length === 0) break;
        for (const thing of things) removed.add(thing.id);
        await removeLabelled(this.#engine, things);
      }
    } catch (error) {
      left = [...left, `the engine did not answer: ${String(error)}`];
    }
    if ((await this.#guardian?.dismiss()) === false) left = [...left, 'the guardian did not leave'];
    return { leftovers: left, removed: removed.size };
  }
}
