/**
 * A cluster of real nodes on Docker, as the compose file runs them: unprivileged, read-only, no capability, found by DNS,
 * published on 127.0.0.1 only. A side container per node shares its network namespace for faults and probes.
 */
import { randomBytes } from 'node:crypto';
import { GenericContainer, PullPolicy, StartupCheckStrategy } from 'testcontainers';
import type { ContainerRuntimeClient, StartupStatus } from 'testcontainers';
import { HTTP_PORT, NftCut } from '../faults/nft-cut.ts';
import { NodeFault } from '../faults/node-fault.ts';
import { FAULTS_IMAGE, Sidecar } from '../faults/sidecar.ts';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultSpec, FreezeHow } from '../faults/spec.ts';
import { assertSupported, missingNodes, onEach } from '../faults/support.ts';
import { LatticeClient } from './client.ts';
import { connectEngine, labelsOf, listLabelled, removeLabelled } from './engine.ts';
import { NODE_IMAGE, ensureNodeImage, inspectImage } from './image.ts';
import { poll } from './poll.ts';
import { NodeStartError, WorldUnavailableError } from './port.ts';
import type {
  CloseReport,
  Cluster,
  ClusterNode,
  ClusterOptions,
  NodeState,
  StartReport,
  StopReport,
} from './port.ts';

const START_BUDGET_MS = 60_000;
/** the error of a measured start */
const LOOK_EVERY_MS = 20;
/** The contract is five seconds from SIGTERM; Docker's own limit stands behind it. */
const STOP_BUDGET_SECONDS = 10;
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
  readonly nodes: readonly ContainerNode[];
  readonly #engine: ContainerRuntimeClient;
  readonly #network: string;
  #closed: Promise<CloseReport> | null = null;

  constructor(engine: ContainerRuntimeClient, options: ClusterOptions) {
    this.#engine = engine;
    this.runId = options.runId;
    this.#network = `aethel-lab-${options.runId}`;
    const env = {
      AETHEL_DISCOVERY_DNS: 'node',
      AETHEL_CLUSTER_KEY: randomBytes(32).toString('hex'),
      AETHEL_API_TOKEN: this.apiToken,
      AETHEL_LOG_FORMAT: 'pretty',
      ...options.env,
    };
    this.nodes = Array.from(
      { length: options.nodes },
      (_, i) =>
        new ContainerNode(engine, {
          name: `node${i + 1}`,
          network: this.#network,
          runId: options.runId,
          env,
        }),
    );
  }

  async open(progress: (line: string) => void): Promise<void> {
    await this.#engine.network.create({
      Name: this.#network,
      Driver: 'bridge',
      EnableIPv6: false,
      Labels: labelsOf(this.runId),
    });
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
      ) ?? unsupported(spec)
    );
  }

  fault(spec: FaultSpec): Fault {
    assertSupported(spec, this.supports(spec));
    switch (spec.kind) {
      case 'partition':
        return new NftCut(spec, this.nodes);
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
      return { leftovers: [...left, `the engine did not answer: ${String(error)}`], removed: removed.size };
    }
    return { leftovers: left, removed: removed.size };
  }
}

/** @returns why nodes in containers cannot do it; null: they can */
function unsupported(spec: FaultSpec): string | null {
  switch (spec.kind) {
    case 'partition':
      return spec.how === 'drop' ? null : 'the rules only drop';
    case 'kill':
    case 'freeze':
    case 'restart':
      return null;
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
      return 'the lab has no means for it in this world yet';
  }
}

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

interface ContainerNodeOptions {
  readonly name: string;
  readonly network: string;
  readonly runId: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where a running node is: everything that a restart changes. */
interface Place {
  readonly url: string;
  readonly address: string;
  readonly sidecar: Sidecar;
}

class ContainerNode implements ClusterNode {
  readonly name: string;
  readonly #engine: ContainerRuntimeClient;
  readonly #options: ContainerNodeOptions;
  #id: string | null = null;
  #place: Place | null = null;
  #state: NodeState = 'stopped';
  #frozen: FreezeHow = 'cgroup';
  #abandoned = false;
  #starting: Promise<unknown> = Promise.resolve();
  #started: StartReport = { launchedAt: 0, answersAt: 0 };

  constructor(engine: ContainerRuntimeClient, options: ContainerNodeOptions) {
    this.#engine = engine;
    this.#options = options;
    this.name = options.name;
  }

  get state(): NodeState {
    return this.#state;
  }

  get url(): string {
    return this.#here.url;
  }

  get address(): string {
    return this.#here.address;
  }

  get sidecar(): Sidecar {
    return this.#here.sidecar;
  }

  start(): Promise<StartReport> {
    const starting = this.#start();
    this.#starting = starting;
    return starting;
  }

  /** From now on nothing new is made for this node. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** Resolves when no start is under way. */
  async settled(): Promise<void> {
    await this.#starting.catch(() => undefined);
  }

  async #start(): Promise<StartReport> {
    if (this.#state !== 'stopped' || this.#abandoned) return this.#started;
    const id = this.#id ?? (await this.#create());
    if (this.#abandoned) return this.#started;
    const container = this.#engine.container.getById(id);
    let info = await container.inspect();
    if (!info.State.Running) {
      await container.start();
      info = await container.inspect();
    }
    this.#state = 'running';
    const port = info.NetworkSettings.Ports[`${HTTP_PORT}/tcp`]?.[0]?.HostPort;
    const address = info.NetworkSettings.Networks[this.#options.network]?.IPAddress;
    if (port === undefined || address === undefined || address === '') {
      throw new NodeStartError(this.name, 'it has no address', await this.logs());
    }
    const url = `http://127.0.0.1:${port}`;
    await this.#untilHealthy(url);
    this.#started = { launchedAt: Date.parse(info.State.StartedAt), answersAt: Date.now() };
    if (this.#abandoned) return this.#started;
    const { network, runId } = this.#options;
    const sidecar = await Sidecar.start(this.name, `${network}-${this.name}-faults`, id, labelsOf(runId));
    this.#place = { url, address, sidecar };
    return this.#started;
  }

  async kill(): Promise<number> {
    let struckAt = Date.now();
    await this.#end(async (container) => {
      // From inside, because the engine's own way takes tens of milliseconds, of which nobody knows when the blow fell.
      const said = this.#place === null ? '' : await execute(container, signalAll('KILL')).catch(() => '');
      if (/^\d{13}$/.test(said)) struckAt = Number(said);
      else await container.kill({ signal: 'SIGKILL' });
    });
    return struckAt;
  }

  async stop(): Promise<StopReport> {
    const startedAt = performance.now();
    await this.#end((container) => container.stop({ t: STOP_BUDGET_SECONDS }));
    const tookMs = performance.now() - startedAt;
    const state = this.#id === null ? null : (await this.#engine.container.getById(this.#id).inspect()).State;
    const exitCode = state?.ExitCode ?? null;
    return { tookMs, exitCode, graceful: exitCode !== 137 };
  }

  /** The time is that of the order: it takes the engine some tens of milliseconds. */
  async freeze(how: FreezeHow = 'cgroup'): Promise<number> {
    const struckAt = Date.now();
    if (this.#id !== null && this.#state === 'running') {
      const container = this.#engine.container.getById(this.#id);
      await (how === 'cgroup' ? container.pause() : execute(container, signalAll('STOP')));
      this.#frozen = how;
      this.#state = 'frozen';
    }
    return struckAt;
  }

  async thaw(): Promise<number> {
    if (this.#id !== null && this.#state === 'frozen') {
      const container = this.#engine.container.getById(this.#id);
      await (this.#frozen === 'cgroup' ? container.unpause() : execute(container, signalAll('CONT')));
      this.#state = 'running';
    }
    return Date.now();
  }

  async cpuMs(): Promise<number> {
    if (this.#id === null || this.#state === 'stopped') return 0;
    const container = this.#engine.container.getById(this.#id);
    const stats = await container.stats({ stream: false, 'one-shot': true });
    return stats.cpu_stats.cpu_usage.total_usage / 1e6;
  }

  async logs(): Promise<string> {
    if (this.#id === null) return '';
    try {
      const container = this.#engine.container.getById(this.#id);
      return demultiplexed(await container.logs({ follow: false, stdout: true, stderr: true }));
    } catch {
      return '';
    }
  }

  get #here(): Place {
    if (this.#place === null) throw new Error(`${this.name} has no place: it does not run`);
    return this.#place;
  }

  async #create(): Promise<string> {
    const started = await new NodeContainer(NODE_IMAGE, this.#options.network)
      .withName(`${this.#options.network}-${this.name}`)
      .withHostname(this.name)
      .withEnvironment({ ...this.#options.env, AETHEL_NODE_NAME: this.name })
      .withLabels(labelsOf(this.#options.runId))
      .withExposedPorts(HTTP_PORT)
      .withPullPolicy(PullPolicy.neverPull())
      .withWaitStrategy(new NoWait())
      .start();
    this.#id = started.getId();
    return this.#id;
  }

  async #untilHealthy(url: string): Promise<void> {
    const client = new LatticeClient(() => url, null, { timeoutMs: 1_000 });
    const container = this.#engine.container.getById(this.#id ?? '');
    const up = await poll(
      async () => {
        if (this.#abandoned || (await client.isHealthy())) return 'healthy';
        return (await container.inspect()).State.Running ? null : 'ended';
      },
      { everyMs: LOOK_EVERY_MS, budgetMs: START_BUDGET_MS },
    );
    client.close();
    if (up === 'healthy') return;
    const reason = up === 'ended' ? 'it ended' : `no answer within ${START_BUDGET_MS} ms`;
    throw new NodeStartError(
      this.name,
      reason,
      (await this.logs()).trimEnd().split('\n').slice(-15).join('\n'),
    );
  }

  async #end(how: (container: Container) => Promise<unknown>): Promise<void> {
    if (this.#id === null || this.#state === 'stopped') return;
    await this.thaw();
    const container = this.#engine.container.getById(this.#id);
    await how(container);
    await container.wait();
    this.#state = 'stopped';
    // The side container sits in a dead namespace now; the next start makes a new one.
    const old = this.#place?.sidecar;
    this.#place = null;
    await old?.remove();
  }
}

/** As in docker-compose.yml. */
class NodeContainer extends GenericContainer {
  readonly #network: string;

  constructor(image: string, network: string) {
    super(image);
    this.#network = network;
    // Not withNetwork + withNetworkAliases: that would put the node on Docker's default bridge as well, where its peers
    // could reach it past the rules.
    this.networkMode = network;
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: ['node'] } } };
  }

  protected override async beforeContainerCreated(): Promise<void> {
    Object.assign(this.hostConfig, {
      PortBindings: { [`${HTTP_PORT}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'size=16m,mode=1777' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Init: true,
      PidsLimit: 128,
      Memory: 512 * 1024 * 1024,
    });
    if (this.createOpts.NetworkingConfig?.EndpointsConfig?.[this.#network] === undefined) {
      throw new Error('the node would start outside the lab network');
    }
  }
}

/** Whether a node is up is asked over HTTP, here as after every restart; testcontainers need not wait as well. */
class NoWait extends StartupCheckStrategy {
  async checkStartupState(): Promise<StartupStatus> {
    return 'SUCCESS';
  }
}

/** To every process but the first one and the shell itself. Killed, the last of them takes the first one with it. */
function signalAll(signal: 'KILL' | 'STOP' | 'CONT'): string[] {
  return ['sh', '-c', `date +%s%3N; kill -${signal} -1`];
}

/** @returns what it printed, when it has ended */
async function execute(container: Container, command: string[]): Promise<string> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true });
  const stream = await exec.start({});
  const chunks: Buffer[] = [];
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return demultiplexed(Buffer.concat(chunks)).trim();
}

/** Docker's log frames: stream (1 byte), three zero bytes, length (4 bytes, big-endian), text. */
function demultiplexed(frames: Buffer): string {
  const texts: string[] = [];
  for (let offset = 0; offset + 8 <= frames.length;) {
    const length = frames.readUInt32BE(offset + 4);
    texts.push(frames.toString('utf8', offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return texts.join('');
}
