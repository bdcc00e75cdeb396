/**
 * A cluster of simulated nodes: the protocol's real code on simulated machines, disks and networks, in virtual time. What
 * a scenario does to it and what its checkers say of it is the same code as for real nodes.
 */
import { CORE_DEFAULTS } from '../../node/protocol/defaults.ts';
import { makeHosts } from '../../sim/cluster.ts';
import { Faults } from '../../sim/faults.ts';
import type { Host } from '../../sim/host.ts';
import { topologyOf } from '../../sim/topology.ts';
import { World, WORLD_DEFAULTS } from '../../sim/world.ts';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { SimulatedFault, whyNotSimulated } from '../faults/simulated.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { NodeClient } from './client.ts';
import type {
  CloseReport,
  LabCluster,
  ClusterNode,
  ClusterOptions,
  NodeState,
  StartReport,
  StopReport,
} from './port.ts';
import { SimulatedClient } from './simulated-client.ts';
import { VirtualTime } from './simulated-time.ts';

export interface SimulatedOptions extends Pick<ClusterOptions, 'nodes' | 'runId'> {
  readonly seed: number;
}

/** A disk sync, in ms: as measured (docs/PROTOCOL.md). */
const FLUSH_MS = 1;

export function startSimulatedCluster(options: SimulatedOptions): SimulatedCluster {
  return new SimulatedCluster(options);
}

export class SimulatedCluster implements LabCluster {
  readonly world = 'simulated';
  readonly runId: string;
  readonly apiToken = null;
  readonly time: VirtualTime;
  readonly nodes: readonly SimulatedNode[];
  readonly #world: World;
  readonly #faults: Faults;
  readonly #passing: Promise<Error | null>;
  #dropped = 0;

  constructor({ nodes, runId, seed }: SimulatedOptions) {
    this.runId = runId;
    this.#world = new World({ seed, ...WORLD_DEFAULTS });
    this.#faults = new Faults(nodes);
    this.#world.rule = (from, to, lung) => {
      const fate = this.#faults.rule(from, to, lung);
      if (fate === 'drop') this.#dropped += 1;
      return fate;
    };
    this.time = new VirtualTime(this.#world);
    const hosts = makeHosts(this.#world, {
      seed,
      hosts: Array.from({ length: nodes }, () => ({ flushMs: FLUSH_MS, driftPpm: 0, offsetMs: 0 })),
      topology: topologyOf(seed, nodes, null),
      wire: true,
      core: CORE_DEFAULTS,
      sabotage: {},
      watch: null,
      keepsEvents: false,
    });
    this.nodes = hosts.map((host) => new SimulatedNode(host, this.time));
    for (const host of hosts) host.start();
    this.#passing = this.time.pass();
  }

  readonly clientOf = (node: ClusterNode): NodeClient => {
    const found = this.nodes.find(({ name }) => name === node.name);
    if (found === undefined) throw new RangeError(`${node.name} is not of this cluster`);
    return new SimulatedClient(found.name, found.host, this.time);
  };

  supports(spec: FaultSpec): string | null {
    return whyNotSimulated(spec);
  }

  fault(spec: FaultSpec): Fault {
    const reason = whyNotSimulated(spec);
    if (reason !== null) throw new FaultUnsupportedError(reason);
    const modules = {
      world: this.#world,
      faults: this.#faults,
      hosts: new Map(this.nodes.map(({ name, host }) => [name, host])),
      epochMs: () => this.time.epochMs(),
      dropped: () => this.#dropped,
    };
    return new SimulatedFault(modules, spec);
  }

  async close(): Promise<CloseReport> {
    this.time.end();
    const failure = await this.#passing;
    return { leftovers: failure === null ? [] : [`the simulator failed: ${failure.message}`], removed: 0 };
  }
}

class SimulatedNode implements ClusterNode {
  readonly name: string;
  readonly url = '';
  readonly host: Host;
  readonly #time: VirtualTime;
  #thaw: (() => void) | null = null;

  constructor(host: Host, time: VirtualTime) {
    this.name = `node${host.number + 1}`;
    this.host = host;
    this.#time = time;
  }

  get state(): NodeState {
    if (!this.host.isUp) return 'stopped';
    return this.host.isStalled ? 'frozen' : 'running';
  }

  async start(): Promise<StartReport> {
    if (!this.host.isUp) this.host.start();
    const at = this.#time.epochMs();
    return { launchedAt: at, answersAt: at, servesAt: at };
  }

  async kill(): Promise<number> {
    if (this.host.isUp) this.host.kill();
    return this.#time.epochMs();
  }

  async stop(): Promise<StopReport> {
    await this.kill();
    return { tookMs: 0, exitCode: 0, graceful: true };
  }

  async freeze(): Promise<number> {
    this.#thaw ??= this.host.freeze();
    return this.#time.epochMs();
  }

  async thaw(): Promise<number> {
    this.#thaw?.();
    this.#thaw = null;
    return this.#time.epochMs();
  }

  async cpuMs(): Promise<number> {
    return 0;
  }

  async logs(): Promise<string> {
    return '';
  }
}
