/**
 * A cluster that docker compose made and keeps, as the lab sees it: its containers are broken and healed like the lab's own,
 * found by compose's labels, and left as they are when the lab goes. Only the side containers are the lab's.
 */
import type { ContainerRuntimeClient } from 'testcontainers';
import { FaultUnsupportedError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { NetworkRules } from '../faults/network-rules.ts';
import { NftFault } from '../faults/nft-fault.ts';
import { NodeFault } from '../faults/node-fault.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { assertSupported, missingNodes, onEach } from '../faults/support.ts';
import { ContainerNode } from './container-node.ts';
import { connectEngine, listLabelled, removeLabelled } from './engine.ts';
import { Guardian } from './guardian.ts';
import { FAULTS_IMAGE, inspectImage } from './image.ts';
import { poll } from './poll.ts';
import { WorldUnavailableError } from './port.ts';
import type { CloseReport, Cluster } from './port.ts';

export interface ComposeClusterOptions {
  /**
   * the compose project; its service `node` is the cluster, its network `lattice` the one that the lab is in too.
   * null: the only one that runs
   */
  readonly project: string | null;
  readonly runId: string;
  /** bearer token of the nodes' write API; null where they take writes without one */
  readonly apiToken: string | null;
}

/** Compose starts the replicas one after the other; none that comes later is taken in. */
const APPEAR_BUDGET_MS = 60_000;
const LOOK_EVERY_MS = 500;
const NODES_MIN = 2;

/** Waits until the replicas are there and their number stands still. Throws WorldUnavailableError where they are not. */
export async function adoptComposeCluster(options: ComposeClusterOptions): Promise<Cluster> {
  const engine = await connectEngine();
  if ((await inspectImage(engine, FAULTS_IMAGE)) === null)
    throw new WorldUnavailableError(`the image ${FAULTS_IMAGE} is missing`, 'run scripts/base-image.sh');
  let { project } = options;
  let before = 0;
  const found = await poll(
    async () => {
      project ??= await onlyProject(engine);
      const replicas = project === null ? [] : await replicasOf(engine, project);
      const stands = replicas.length >= NODES_MIN && replicas.length === before;
      before = replicas.length;
      return stands ? replicas : null;
    },
    { everyMs: LOOK_EVERY_MS, budgetMs: APPEAR_BUDGET_MS },
  );
  if (found === null || project === null)
    throw new WorldUnavailableError(
      `fewer than ${NODES_MIN} nodes of ${project === null ? 'any compose project' : `the compose project ${project}`}`,
      'docker compose … up --scale node=5',
    );
  const cluster = new ComposeCluster(engine, { ...options, project }, found);
  try {
    await cluster.open();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

interface Replica {
  readonly name: string;
  readonly id: string;
}

/** Told by what our compose file alone has: a service `node` in a network `lattice`. Throws where there are several. */
async function onlyProject(engine: ContainerRuntimeClient): Promise<string | null> {
  const label = ['com.docker.compose.service=node'];
  const listed = await engine.container.dockerode.listContainers({ filters: { label } });
  const projects = new Set(
    listed.flatMap(({ Labels, NetworkSettings }) => {
      const project = Labels['com.docker.compose.project'] ?? '';
      return Object.hasOwn(NetworkSettings.Networks, `${project}_lattice`) ? [project] : [];
    }),
  );
  const [first = null] = projects;
  if (projects.size < 2) return first;
  throw new WorldUnavailableError(
    `several compose projects run here: ${[...projects].toSorted().join(', ')}`,
    'set COMPOSE_PROJECT_NAME',
  );
}

/** In the order of compose's own numbers. */
async function replicasOf(engine: ContainerRuntimeClient, project: string): Promise<readonly Replica[]> {
  const label = [`com.docker.compose.project=${project}`, 'com.docker.compose.service=node'];
  const listed = await engine.container.dockerode.listContainers({ filters: { label } });
  return listed
    .map(({ Id, Labels }) => ({ id: Id, number: Number(Labels['com.docker.compose.container-number']) }))
    .toSorted((a, b) => a.number - b.number)
    .map(({ id, number }) => ({ id, name: `node${number}` }));
}

class ComposeCluster implements Cluster {
  readonly world = 'containers';
  readonly runId: string;
  readonly apiToken: string | null;
  readonly nodes: readonly ContainerNode[];
  readonly #engine: ContainerRuntimeClient;
  readonly #rules = new NetworkRules(() => this.nodes);
  #guardian: Guardian | null = null;
  #closed: Promise<CloseReport> | null = null;

  constructor(
    engine: ContainerRuntimeClient,
    options: ComposeClusterOptions & { readonly project: string },
    replicas: readonly Replica[],
  ) {
    this.#engine = engine;
    this.runId = options.runId;
    this.apiToken = options.apiToken;
    this.nodes = replicas.map(
      ({ name, id }) =>
        new ContainerNode(engine, {
          name,
          network: `${options.project}_lattice`,
          runId: options.runId,
          image: '',
          env: {},
          adopted: id,
          reachedBy: 'address',
          apiToken: options.apiToken,
          hasSmallDisk: false,
          clocks: null,
          onNamespace: (node, since) => this.#rules.reassert(node, since),
          onDeath: () => undefined,
        }),
    );
  }

  async open(): Promise<void> {
    this.#guardian = Guardian.over('containers', this.runId);
    const started = await Promise.allSettled(this.nodes.map((node) => node.noticeStart()));
    for (const result of started) if (result.status === 'rejected') throw result.reason;
  }

  supports(spec: FaultSpec): string | null {
    const names = this.nodes.map(({ name }) => name);
    return missingNodes(spec, names) ?? (isPossible(spec) ? null : 'not on nodes that compose keeps');
  }

  fault(spec: FaultSpec): Fault {
    assertSupported(spec, this.supports(spec));
    if (spec.kind === 'partition' || spec.kind === 'loss') return new NftFault(spec, this.#rules);
    if (spec.kind === 'kill' || spec.kind === 'freeze' || spec.kind === 'restart')
      return onEach(spec.nodes, this.nodes, (node) => new NodeFault(spec, node));
    throw new FaultUnsupportedError(spec.kind);
  }

  close(): Promise<CloseReport> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** What was broken is mended, the side containers go, and compose has its containers as it gave them. */
  async #close(): Promise<CloseReport> {
    await this.#rules.withdrawAll();
    await Promise.allSettled(
      this.nodes.map((node) => (node.state === 'frozen' ? node.thaw() : node.start())),
    );
    for (const node of this.nodes) node.abandon();
    const ours = await listLabelled(this.#engine, this.runId);
    await removeLabelled(this.#engine, ours);
    const left = (await listLabelled(this.#engine, this.runId)).map(({ kind, name }) => `${kind} ${name}`);
    if ((await this.#guardian?.dismiss()) === false) left.push('the guardian did not leave');
    return { leftovers: left, removed: ours.length };
  }
}

function isPossible({ kind }: FaultSpec): boolean {
  return ['partition', 'loss', 'kill', 'freeze', 'restart'].includes(kind);
}
