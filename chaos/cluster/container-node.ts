/**
 * One node in a container, as the compose file runs it: unprivileged, read-only, no capability, its state on a volume of
 * its own that outlives the container. What a start changes (namespace, address, published port, side container) is its
 * place, looked up anew at every start, also at one that is somebody else's doing.
 */
import { GenericContainer, PullPolicy, StartupCheckStrategy } from 'testcontainers';
import type { ContainerRuntimeClient, StartupStatus } from 'testcontainers';
import { HTTP_PORT } from '../faults/network-rules.ts';
import { Serial } from '../faults/serial.ts';
import { FAULTS_IMAGE, Sidecar } from '../faults/sidecar.ts';
import type { FreezeHow } from '../faults/spec.ts';
import { LatticeClient } from './client.ts';
import { demultiplexed, executeIn, labelsOf } from './engine.ts';
import type { Container } from './engine.ts';
import { poll } from './poll.ts';
import { NodeStartError } from './port.ts';
import type { ClusterNode, NodeState, StartReport, StopReport } from './port.ts';

const START_BUDGET_MS = 60_000;
/** the error of a measured start */
const LOOK_EVERY_MS = 20;
/** The contract is five seconds from SIGTERM; Docker's own limit stands behind it. */
const STOP_BUDGET_SECONDS = 10;
/** An old address is the first free one again: one holder of it is enough, unless others come and go at the time. */
const MOVES_MAX = 4;

const STATE_DIRECTORY = '/var/lib/aethel';

export interface ContainerNodeOptions {
  readonly name: string;
  readonly network: string;
  readonly runId: string;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  /** of the volume that holds its state; empty for one on the machine's disk */
  readonly volumeOptions: Readonly<Record<string, string>>;
  /** A container that somebody else made and keeps; null: the lab makes one. */
  readonly adopted: string | null;
  /** by the port that it publishes on 127.0.0.1, or by its address in the network, for a lab that is in there too */
  readonly reachedBy: 'port' | 'address';
  /** Called when the node has a namespace, before anybody waits for its answer. @param since ms since the epoch */
  readonly onNamespace: (name: string, since: number) => Promise<void>;
}

type Inspection = Awaited<ReturnType<Container['inspect']>>;

/** Where a running node is. */
interface Place {
  readonly url: string;
  readonly address: string;
  readonly sidecar: Sidecar;
  readonly startedAt: string;
}

export class ContainerNode implements ClusterNode {
  readonly name: string;
  readonly #engine: ContainerRuntimeClient;
  readonly #options: ContainerNodeOptions;
  readonly #serial = new Serial();
  #image: string;
  #id: string | null = null;
  #place: Place | null = null;
  #state: NodeState = 'stopped';
  #frozen: FreezeHow = 'cgroup';
  #abandoned = false;
  #started: StartReport = { launchedAt: 0, answersAt: 0 };
  /** what containers wrote that are no more */
  #oldLogs = '';

  constructor(engine: ContainerRuntimeClient, options: ContainerNodeOptions) {
    this.#engine = engine;
    this.#options = options;
    this.name = options.name;
    this.#image = options.image;
    this.#id = options.adopted;
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

  get image(): string {
    return this.#image;
  }

  get volume(): string {
    return `${this.#options.network}-${this.name}`;
  }

  /** A start that is under way gives up at its next step, and none begins. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** Resolves when nothing that was asked of it is under way any more. */
  settled(): Promise<void> {
    return this.#serial.run(async () => undefined);
  }

  start(): Promise<StartReport> {
    return this.#serial.run(() => this.#start());
  }

  kill(): Promise<number> {
    return this.#serial.run(() => this.#kill());
  }

  stop(): Promise<StopReport> {
    return this.#serial.run(() => this.#stop());
  }

  /** The time is that of the order: it takes the engine some tens of milliseconds. */
  freeze(how: FreezeHow = 'cgroup'): Promise<number> {
    return this.#serial.run(async () => {
      const struckAt = Date.now();
      if (this.#id !== null && this.#state === 'running') {
        const container = this.#container;
        await (how === 'cgroup' ? container.pause() : executeIn(container, signalAll('STOP')));
        this.#frozen = how;
        this.#state = 'frozen';
      }
      return struckAt;
    });
  }

  thaw(): Promise<number> {
    return this.#serial.run(() => this.#thaw());
  }

  /** Kills it and starts it again where its old address is taken. @returns both addresses */
  startElsewhere(): Promise<{ readonly launchedAt: number; readonly from: string; readonly to: string }> {
    return this.#serial.run(async () => {
      const from = this.address;
      await this.#kill();
      const holders: Container[] = [];
      try {
        for (let move = 0; move < MOVES_MAX; move += 1) {
          holders.push(await this.#holdAddress());
          const { launchedAt } = await this.#start();
          if (this.address !== from) return { launchedAt, from, to: this.address };
          await this.#kill();
        }
      } finally {
        await Promise.allSettled(holders.map((holder) => holder.remove({ force: true })));
      }
      throw new NodeStartError(this.name, `it came back to ${from} again and again`, '');
    });
  }

  /** Ends it, and starts it on the same state from another image. */
  changeImage(image: string): Promise<StartReport> {
    return this.#serial.run(async () => {
      await this.#stop();
      this.#oldLogs = await this.#logs();
      if (this.#id !== null) await this.#container.remove({ force: true });
      this.#id = null;
      this.#image = image;
      return this.#start();
    });
  }

  /** Runs this in the node's container, as its user. @returns what it printed, when it has ended */
  execute(command: readonly string[]): Promise<string> {
    return executeIn(this.#container, command);
  }

  /** Docker says that the container runs. Where that is not our doing, everything about its place is another. */
  noticeStart(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#id === null || this.#abandoned) return;
      const info = await this.#container.inspect();
      if (!info.State.Running || info.State.StartedAt === this.#place?.startedAt) return;
      await this.#ended();
      await this.#settle(info);
    });
  }

  /** Docker says that the container has ended. Where that is not our doing, it has died by itself. */
  noticeEnd(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#id === null || this.#state === 'stopped') return;
      const info = await this.#container.inspect();
      if (!info.State.Running) await this.#ended();
    });
  }

  async cpuMs(): Promise<number> {
    if (this.#id === null || this.#state === 'stopped') return 0;
    const stats = await this.#container.stats({ stream: false, 'one-shot': true });
    return stats.cpu_stats.cpu_usage.total_usage / 1e6;
  }

  async logs(): Promise<string> {
    return this.#oldLogs + (await this.#logs());
  }

  get #here(): Place {
    if (this.#place === null) throw new Error(`${this.name} has no place: it does not run`);
    return this.#place;
  }

  get #container(): Container {
    return this.#engine.container.getById(this.#id ?? '');
  }

  async #start(): Promise<StartReport> {
    if (this.#state !== 'stopped' || this.#abandoned) return this.#started;
    this.#id ??= await this.#create();
    if (this.#abandoned) return this.#started;
    let info = await this.#container.inspect();
    if (!info.State.Running) {
      await this.#container.start();
      info = await this.#container.inspect();
    }
    await this.#settle(info);
    await this.#untilHealthy(this.url);
    this.#started = { launchedAt: Date.parse(info.State.StartedAt), answersAt: Date.now() };
    return this.#started;
  }

  /** Looks where it is now, puts the side container beside it, and tells. */
  async #settle(info: Inspection): Promise<void> {
    const port = info.NetworkSettings.Ports[`${HTTP_PORT}/tcp`]?.[0]?.HostPort;
    const address = info.NetworkSettings.Networks[this.#options.network]?.IPAddress;
    const { reachedBy } = this.#options;
    if ((port === undefined && reachedBy === 'port') || address === undefined || address === '') {
      await this.#ended();
      throw new NodeStartError(this.name, 'it has no address', tail(await this.#logs()));
    }
    const { network, runId } = this.#options;
    const sidecar = await Sidecar.start(
      this.name,
      `${network}-${this.name}-faults`,
      info.Id,
      labelsOf(runId),
    );
    const host = reachedBy === 'port' ? `127.0.0.1:${port}` : `${address}:${HTTP_PORT}`;
    this.#place = { url: `http://${host}`, address, sidecar, startedAt: info.State.StartedAt };
    this.#state = 'running';
    await this.#options.onNamespace(this.name, Date.parse(info.State.StartedAt));
  }

  async #kill(): Promise<number> {
    let struckAt = Date.now();
    await this.#end(async (container) => {
      // From inside, because the engine's own way takes tens of milliseconds, of which nobody knows when the blow fell.
      const said = this.#place === null ? '' : await executeIn(container, signalAll('KILL')).catch(() => '');
      if (/^\d{13}$/.test(said)) struckAt = Number(said);
      else await container.kill({ signal: 'SIGKILL' });
    });
    return struckAt;
  }

  async #stop(): Promise<StopReport> {
    const startedAt = performance.now();
    await this.#end((container) => container.stop({ t: STOP_BUDGET_SECONDS }));
    const tookMs = performance.now() - startedAt;
    const state = this.#id === null ? null : (await this.#container.inspect()).State;
    const exitCode = state?.ExitCode ?? null;
    return { tookMs, exitCode, graceful: exitCode !== 137 };
  }

  async #thaw(): Promise<number> {
    if (this.#id !== null && this.#state === 'frozen') {
      const container = this.#container;
      await (this.#frozen === 'cgroup' ? container.unpause() : executeIn(container, signalAll('CONT')));
      this.#state = 'running';
    }
    return Date.now();
  }

  async #end(how: (container: Container) => Promise<unknown>): Promise<void> {
    if (this.#id === null || this.#state === 'stopped') return;
    await this.#thaw();
    const container = this.#container;
    await how(container);
    await container.wait();
    await this.#ended();
  }

  async #ended(): Promise<void> {
    this.#state = 'stopped';
    await this.#leave();
  }

  /** The side container sits in a dead namespace now; the next start makes a new one. */
  async #leave(): Promise<void> {
    const old = this.#place?.sidecar;
    this.#place = null;
    await old?.remove();
  }

  async #logs(): Promise<string> {
    if (this.#id === null) return '';
    try {
      return demultiplexed(await this.#container.logs({ follow: false, stdout: true, stderr: true }));
    } catch {
      return '';
    }
  }

  async #create(): Promise<string> {
    const labels = labelsOf(this.#options.runId);
    const started = await new NodeContainer(this.#image, this.#options.network, {
      Type: 'volume',
      Source: this.volume,
      Target: STATE_DIRECTORY,
      VolumeOptions: {
        NoCopy: false,
        Labels: labels,
        DriverConfig: { Name: 'local', Options: { ...this.#options.volumeOptions } },
      },
    })
      .withName(`${this.#options.network}-${this.name}`)
      .withHostname(this.name)
      .withEnvironment({ ...this.#options.env, AETHEL_NODE_NAME: this.name })
      .withLabels(labels)
      .withExposedPorts(HTTP_PORT)
      .withPullPolicy(PullPolicy.neverPull())
      .withWaitStrategy(new NoWait())
      .start();
    return started.getId();
  }

  /** Takes the first free address of the lab's network, which is the one that the node has just left. */
  async #holdAddress(): Promise<Container> {
    const { network, runId } = this.#options;
    const holder = await this.#engine.container.dockerode.createContainer({
      Image: FAULTS_IMAGE,
      Labels: labelsOf(runId),
      HostConfig: { NetworkMode: network, CapDrop: ['ALL'], Init: true },
    });
    await holder.start();
    return holder;
  }

  async #untilHealthy(url: string): Promise<void> {
    const client = new LatticeClient(() => url, null, { timeoutMs: 1_000 });
    const up = await poll(
      async () => {
        if (this.#abandoned || (await client.isHealthy())) return 'healthy';
        return (await this.#container.inspect()).State.Running ? null : 'ended';
      },
      { everyMs: LOOK_EVERY_MS, budgetMs: START_BUDGET_MS },
    );
    client.close();
    if (up === 'healthy') return;
    if (up === 'ended') await this.#ended();
    const reason = up === 'ended' ? 'it ended' : `no answer within ${START_BUDGET_MS} ms`;
    throw new NodeStartError(this.name, reason, tail(await this.#logs()));
  }
}

/** As in docker-compose.yml, but for the mount of its state, which is the lab's. */
class NodeContainer extends GenericContainer {
  readonly #network: string;
  readonly #mount: object;

  constructor(image: string, network: string, mount: object) {
    super(image);
    this.#network = network;
    this.#mount = mount;
    // Not withNetwork + withNetworkAliases: that would put the node on Docker's default bridge as well, where its peers
    // could reach it past the rules.
    this.networkMode = network;
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: ['node'] } } };
  }

  protected override async beforeContainerCreated(): Promise<void> {
    Object.assign(this.hostConfig, {
      PortBindings: { [`${HTTP_PORT}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Mounts: [this.#mount],
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

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-15).join('\n');
}
