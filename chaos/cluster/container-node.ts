/**
 * One node in a container, as the compose file runs it: unprivileged, read-only, no capability, its state on a volume of
 * its own that outlives the container. What a start changes (namespace, address, published port, side container) is its
 * place, looked up anew at every start, also at one that is somebody else's doing.
 */
import { GenericContainer, PullPolicy, StartupCheckStrategy } from 'testcontainers';
import type { ContainerRuntimeClient, StartupStatus } from 'testcontainers';
import { clockEnvironment } from '../faults/clock.ts';
import { placeOf } from '../faults/corrupt.ts';
import type { Damage } from '../faults/corrupt.ts';
import { FaultError } from '../faults/fault.ts';
import { HOG_SECONDS_MAX } from '../faults/hog.ts';
import type { Hogs } from '../faults/hog.ts';
import { HTTP_PORT } from '../faults/network-rules.ts';
import { Serial } from '../faults/serial.ts';
import { Sidecar } from '../faults/sidecar.ts';
import { FAULTS_IMAGE } from './image.ts';
import type { FreezeHow, SpecOf } from '../faults/spec.ts';
import { timeOf, tryWriteTo } from './ask-node.ts';
import { isCrash } from './crash.ts';
import { demultiplexed, executeIn, labelsOf, runOnce } from './engine.ts';
import type { Container } from './engine.ts';
import { CLOCK_LIBRARY, CLOCKS_DIRECTORY } from './lend-clocks.ts';
import { endOfLog, NodeStartError } from './port.ts';
import type { ClusterNode, Death, NodeState, StartReport, StopReport } from './port.ts';
import { DISK_MEGABYTES } from './small-disk.ts';
import { watchStart } from './watch-start.ts';

const START_BUDGET_MS = 60_000;
/** the error of a measured start */
const LOOK_EVERY_MS = 20;
const ABANDONED = 'it was given up';
const ENDED = 'it ended';
/** The contract is five seconds from SIGTERM; Docker's own limit stands behind it. */
const STOP_BUDGET_SECONDS = 10;
/** An old address is the first free one again: one holder of it is enough, unless others come and go at the time. */
const MOVES_MAX = 4;

const STATE_DIRECTORY = '/var/lib/aethel';
const NODE_USER = '1000:1000';
/** on the volume */
const STORE = 'store/data.mdb';
const STORE_COPY = 'lab-copy';

export interface ContainerNodeOptions {
  readonly name: string;
  readonly network: string;
  readonly runId: string;
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  /** A container that somebody else made and keeps; null: the lab makes one. */
  readonly adopted: string | null;
  /** by the port that it publishes on 127.0.0.1, or by its address in the network, for a lab that is in there too */
  readonly reachedBy: 'port' | 'address';
  readonly apiToken: string | null;
  /** its state lies on a small file system in memory, which a container beside it keeps */
  readonly hasSmallDisk: boolean;
  /** the volume that lends it a clock of its own; null: it has the machine's */
  readonly clocks: string | null;
  /** Called when the node has a namespace, before anybody waits for its answer. @param since ms since the epoch */
  readonly onNamespace: (name: string, since: number) => Promise<void>;
  readonly onDeath: (death: Death) => void;
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
  /** since its start, which was ours */
  #serves = false;
  #started: StartReport = { launchedAt: 0, answersAt: 0, servesAt: 0 };
  #diskKeeper: Container | null = null;
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

  /** Ends it and removes its container and its state. */
  discard(): Promise<void> {
    return this.#serial.run(async () => {
      await this.#stop();
      if (this.#id !== null) await this.#container.remove({ force: true });
      this.#id = null;
      await this.#diskKeeper?.remove({ force: true });
      this.#diskKeeper = null;
      await this.#engine.container.dockerode.getVolume(this.volume).remove();
    });
  }

  inside(script: string): Promise<string> {
    return executeIn(this.#container, ['bash', '-c', script]);
  }

  /** In the node's own container: what uses its processor share uses that of its box. */
  async hog(count: number): Promise<Hogs> {
    const inside = (script: string): Promise<string> => executeIn(this.#container, ['sh', '-c', script]);
    const spin = `timeout ${HOG_SECONDS_MAX} sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $!`;
    const started = await inside(`for i in $(seq ${count}); do ${spin}; done`);
    const pids = started
      .split(/\s+/)
      .filter((pid) => /^\d+$/.test(pid))
      .join(' ');
    return {
      alive: async () =>
        Number(await inside(`n=0; for p in ${pids}; do kill -0 $p 2>/dev/null && n=$((n+1)); done; echo $n`)),
      cpuMs: () => this.cpuMs(),
      stop: async () => void (await inside(`kill -TERM ${pids} 2>/dev/null; true`)),
    };
  }

  get launchedAt(): number {
    return this.#started.launchedAt;
  }

  async setClock(text: string): Promise<void> {
    const script = `echo '${text}' > ${this.#clockFile}.draft && mv ${this.#clockFile}.draft ${this.#clockFile}`;
    await executeIn(this.#container, ['sh', '-c', script]);
  }

  time(): Promise<number | null> {
    return timeOf({ url: this.url, apiToken: this.#options.apiToken });
  }

  async fillDisk(): Promise<void> {
    const write = (bytes: number): string => `dd if=/dev/zero bs=${bytes} 2>/dev/null >> lab-filler`;
    await this.#onDisk(`${write(65_536)}; ${write(1)}; true`);
  }

  async emptyDisk(): Promise<void> {
    await this.#onDisk('rm -f lab-filler');
  }

  async freeBytes(): Promise<number> {
    return Number((await this.#onDisk('df --output=avail -B1 .')).split('\n').at(-1));
  }

  tryWrite(characters: number): Promise<{ readonly taken: boolean; readonly said: string }> {
    return tryWriteTo({ url: this.url, apiToken: this.#options.apiToken }, characters);
  }

  async damageStore(how: SpecOf<'corrupt'>['how'], seed: number): Promise<Damage> {
    const [size = '0', before = ''] = (
      await this.#onVolume(`cp ${STORE} ${STORE_COPY} && stat -c %s ${STORE} && sha256sum < ${STORE}`)
    ).split('\n');
    const bytes = Number(size);
    const { at, bit } = placeOf(seed, bytes);
    const turn = `old=$(od -An -tu1 -j${at} -N1 ${STORE}); printf "\\x$(printf %x $((old ^ ${1 << bit})))" | dd of=${STORE} bs=1 seek=${at} conv=notrunc status=none`;
    const after = await this.#onVolume(
      `${how === 'torn' ? `truncate -s ${at} ${STORE}` : turn} && sha256sum < ${STORE}`,
    );
    return { bytes, at, before, after };
  }

  async restoreStore(): Promise<void> {
    await this.#onVolume(`cp ${STORE_COPY} ${STORE}`);
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
      const { Running, ExitCode } = (await this.#container.inspect()).State;
      if (Running) return;
      const served = this.#serves;
      await this.#ended();
      const said = endOfLog(await this.#logs());
      if (served) this.#options.onDeath({ node: this.name, exitCode: ExitCode, said });
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
    const seen = await this.#untilServing(this.url);
    this.#serves = seen !== null;
    if (seen !== null) this.#started = { launchedAt: Date.parse(info.State.StartedAt), ...seen };
    return this.#started;
  }

  /** Looks where it is now, puts the side container beside it, and tells. */
  async #settle(info: Inspection): Promise<void> {
    const port = info.NetworkSettings.Ports[`${HTTP_PORT}/tcp`]?.[0]?.HostPort;
    const address = info.NetworkSettings.Networks[this.#options.network]?.IPAddress;
    const { reachedBy } = this.#options;
    if ((port === undefined && reachedBy === 'port') || address === undefined || address === '') {
      await this.#ended();
      throw new NodeStartError(this.name, 'it has no address', await this.#logs());
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
    const served = this.#serves;
    await this.#end((container) => container.stop({ t: STOP_BUDGET_SECONDS }));
    const tookMs = performance.now() - startedAt;
    const state = this.#id === null ? null : (await this.#container.inspect()).State;
    const exitCode = state?.ExitCode ?? null;
    if (served && isCrash(exitCode, null))
      this.#options.onDeath({ node: this.name, exitCode, said: endOfLog(await this.#logs()) });
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
    this.#serves = false;
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
    if (this.#options.hasSmallDisk) await this.#keepDisk();
    const started = await new NodeContainer(this.#image, this.#options.network, this.#mounts())
      .withName(`${this.#options.network}-${this.name}`)
      .withHostname(this.name)
      .withEnvironment({ ...this.#options.env, ...this.#clockEnvironment, AETHEL_NODE_NAME: this.name })
      .withLabels(labels)
      .withExposedPorts(HTTP_PORT)
      .withPullPolicy(PullPolicy.neverPull())
      .withWaitStrategy(new NoWait())
      .start();
    return started.getId();
  }

  #mounts(): readonly object[] {
    const { clocks, runId } = this.#options;
    const state = {
      Type: 'volume',
      Source: this.volume,
      Target: STATE_DIRECTORY,
      VolumeOptions: { NoCopy: false, Labels: labelsOf(runId) },
    };
    return clocks === null ? [state] : [state, { Type: 'volume', Source: clocks, Target: CLOCKS_DIRECTORY }];
  }

  get #clockFile(): string {
    return `${CLOCKS_DIRECTORY}/${this.name}`;
  }

  get #clockEnvironment(): Readonly<Record<string, string>> {
    return this.#options.clocks === null ? {} : clockEnvironment(CLOCK_LIBRARY, this.#clockFile);
  }

  /** A file system in memory is gone with the last container that uses it: this one stays while the node comes and goes. */
  async #keepDisk(): Promise<void> {
    if (this.#diskKeeper !== null) return;
    const { network, runId } = this.#options;
    const { dockerode } = this.#engine.container;
    await dockerode.createVolume({
      Name: this.volume,
      Labels: labelsOf(runId),
      DriverOpts: {
        type: 'tmpfs',
        device: 'tmpfs',
        o: `size=${DISK_MEGABYTES}m,uid=1000,gid=1000,mode=0750`,
      },
    });
    const keeper = await dockerode.createContainer({
      name: `${network}-${this.name}-disk`,
      Image: FAULTS_IMAGE,
      User: NODE_USER,
      Labels: labelsOf(runId),
      HostConfig: {
        NetworkMode: 'none',
        CapDrop: ['ALL'],
        Init: true,
        Binds: [`${this.volume}:/volume`],
      },
    });
    await keeper.start();
    this.#diskKeeper = keeper;
  }

  async #onDisk(script: string): Promise<string> {
    if (this.#diskKeeper === null) throw new FaultError(`${this.name} has no disk of its own`);
    return executeIn(this.#diskKeeper, ['sh', '-c', `cd /volume; ${script}`]);
  }

  /** As the node's user, while its own container does not run. @returns what it printed. Throws FaultError. */
  async #onVolume(script: string): Promise<string> {
    const { runId } = this.#options;
    const { code, output } = await runOnce(this.#engine, {
      runId,
      image: FAULTS_IMAGE,
      script: `set -e; cd /volume; ${script}`,
      volume: this.volume,
      user: NODE_USER,
    });
    if (code !== 0) throw new FaultError(`${this.name}: its volume: ${output}`);
    return output;
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

  /** @returns null when nobody waits any more */
  async #untilServing(url: string): Promise<Omit<StartReport, 'launchedAt'> | null> {
    const seen = await watchStart({
      url: () => url,
      over: async () => {
        if (this.#abandoned) return ABANDONED;
        return (await this.#container.inspect()).State.Running ? null : ENDED;
      },
      everyMs: LOOK_EVERY_MS,
      budgetMs: START_BUDGET_MS,
    });
    if (typeof seen === 'object' && seen !== null) return seen;
    if (seen === ABANDONED) return null;
    if (seen === ENDED) await this.#ended();
    const reason = seen ?? `it does not serve within ${START_BUDGET_MS} ms`;
    throw new NodeStartError(this.name, reason, await this.#logs());
  }
}

/** As in docker-compose.yml, but for the mounts, which are the lab's. */
class NodeContainer extends GenericContainer {
  readonly #network: string;
  readonly #mounts: readonly object[];

  constructor(image: string, network: string, mounts: readonly object[]) {
    super(image);
    this.#network = network;
    this.#mounts = mounts;
    // Not withNetwork + withNetworkAliases: that would put the node on Docker's default bridge as well, where its peers
    // could reach it past the rules.
    this.networkMode = network;
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: ['node'] } } };
  }

  protected override async beforeContainerCreated(): Promise<void> {
    Object.assign(this.hostConfig, {
      PortBindings: { [`${HTTP_PORT}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Mounts: this.#mounts,
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
