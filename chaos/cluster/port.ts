/**
 * What a scenario needs of a cluster, whatever world it runs in: nodes that can be killed and started, and faults.
 * `startProcessCluster` (processes.ts) and `startContainerCluster` (containers.ts) return one.
 */
import type { Fault } from '../faults/fault.ts';
import type { NodeClient } from './client.ts';
import type { Time } from './time.ts';
import type { FaultSpec, FreezeHow } from '../faults/spec.ts';

/** Where nodes are real. */
export type World = 'containers' | 'processes';

/** Where a scenario can be played; `simulated`: the protocol's own code, in virtual time. */
export type LabWorld = World | 'simulated';

export type NodeState = 'running' | 'frozen' | 'stopped';

export interface ClusterNode {
  readonly name: string;
  /** Base URL of the node's HTTP API as seen from here. A restart may change it: read it anew, don't keep it. */
  readonly url: string;
  readonly state: NodeState;
  /** Starts a stopped node on the state it had; resolves when it serves. Throws NodeStartError. */
  start(): Promise<StartReport>;
  /** SIGKILL. Resolves when the process is gone. Idempotent. @returns when it was struck, ms since the epoch */
  kill(): Promise<number>;
  /** SIGTERM, and SIGKILL if that does not end it in time. Idempotent. */
  stop(): Promise<StopReport>;
  /** Its processes stand still: the sockets stay open and say nothing. @returns when it was struck, ms since the epoch */
  freeze(how?: FreezeHow): Promise<number>;
  /** @returns since when it runs again, ms since the epoch */
  thaw(): Promise<number>;
  /** processor time that it has used since its start, all threads, in ms */
  cpuMs(): Promise<number>;
  /** everything the node has written so far, over all its starts */
  logs(): Promise<string>;
}

/** Milliseconds since the epoch. */
export interface StartReport {
  /** its process was made */
  readonly launchedAt: number;
  /** it was seen to answer `/health`: it lives */
  readonly answersAt: number;
  /** its API was seen to answer: it has its state */
  readonly servesAt: number;
}

export interface StopReport {
  readonly tookMs: number;
  /** null when a signal ended it */
  readonly exitCode: number | null;
  /** true when SIGTERM was enough */
  readonly graceful: boolean;
}

/** A cluster of real nodes. */
export interface Cluster extends LabCluster {
  readonly world: World;
}

export interface LabCluster {
  readonly world: LabWorld;
  /** the time that it goes by; absent: the machine's */
  readonly time?: Time;
  /** names this run in labels and directories */
  readonly runId: string;
  readonly nodes: readonly ClusterNode[];
  /** a client of a node that has no HTTP; absent: it is asked at its url */
  readonly clientOf?: (node: ClusterNode) => NodeClient;
  /** bearer token of the write API; null where loopback may write without one */
  readonly apiToken: string | null;
  /** @returns null when this cluster on this machine can do it, else why it cannot, in words for a person */
  supports(spec: FaultSpec): string | null;
  /** Nothing happens before `inject`. Throws FaultUnsupportedError with the reason that `supports` gives. */
  fault(spec: FaultSpec): Fault;
  /** Ends every node, removes everything the cluster made, and looks whether that is true. Idempotent; never throws. */
  close(): Promise<CloseReport>;
}

export interface CloseReport {
  /** what is still there although it should not; empty is clean */
  readonly leftovers: readonly string[];
  readonly removed: number;
}

/** A node that served has ended by itself. */
export interface Death {
  readonly node: string;
  /** null: a signal ended it */
  readonly exitCode: number | null;
  /** the end of its log */
  readonly said: string;
}

/** What must be there before the nodes start, because a fault needs it; `preparationFor` (../faults/support.ts) says what. */
export interface Preparation {
  /** every node runs on a clock of its own, which can be set */
  readonly clocks: boolean;
  /** every node's state lies on a small file system of its own: what a flush costs is not measured there */
  readonly smallDisks: boolean;
}

export interface ClusterOptions {
  /** 1–20 */
  readonly nodes: number;
  readonly runId: string;
  /** nothing where not given */
  readonly prepare?: Preparation;
  /** told about slow steps, one line each */
  readonly progress?: (line: string) => void;
  /** Aborted while the cluster starts: the start is given up, cleaned up, and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** told of every node that ended although nobody made it */
  readonly died?: (death: Death) => void;
  /** told what the clean-up came to, where the start fails */
  readonly cleanedUp?: (report: CloseReport) => void;
  /** further environment for every node, over the cluster's own */
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines of a log that tell why a node did not start. */
const LOG_LINES = 15;
const LOG_CHARS = 8_000;

/** The end of a log, for whoever asks why a node is not there. */
export function endOfLog(log: string): string {
  return log.trimEnd().split('\n').slice(-LOG_LINES).join('\n').slice(-LOG_CHARS);
}

/** A node did not come up; `detail` is the end of its log. */
export class NodeStartError extends Error {
  readonly code = 'node_start_failed';
  readonly node: string;
  readonly detail: string;

  constructor(node: string, reason: string, log: string) {
    super(`${node} did not start: ${reason}`);
    this.name = 'NodeStartError';
    this.node = node;
    this.detail = endOfLog(log);
  }
}

/** The machine lacks something that this world needs; `wayOut` says what to do. */
export class WorldUnavailableError extends Error {
  readonly code = 'world_unavailable';
  readonly wayOut: string;

  constructor(what: string, wayOut: string) {
    super(`${what}: ${wayOut}`);
    this.name = 'WorldUnavailableError';
    this.wayOut = wayOut;
  }
}
