/**
 * The Docker engine as the lab needs it beyond testcontainers: what is labelled as ours, and how to remove it. The
 * reaper that testcontainers would start is another image to pull, and does not survive our way of being honest about
 * leftovers; so it is off, and everything the lab makes carries its labels.
 */
import type { ContainerRuntimeClient } from 'testcontainers';
import { troubleHere, troubleWithDockerHost } from './engine-trouble.ts';
import type { EngineTrouble } from './engine-trouble.ts';
import { WorldUnavailableError } from './port.ts';

/** value: the run's id */
export const RUN_LABEL = 'aethel.lab';
/** value: process id of the lab that started it, on the machine that runs it */
const HARNESS_LABEL = 'aethel.lab.harness';

export function labelsOf(runId: string): Record<string, string> {
  return { [RUN_LABEL]: runId, [HARNESS_LABEL]: String(process.pid) };
}

/** @throws WorldUnavailableError with the reason and the way out, where no engine answers */
export async function connectEngine(): Promise<ContainerRuntimeClient> {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  const trouble = await troubleWithDockerHost(process.env);
  if (trouble !== null) throw unavailable(trouble);
  // Loaded only here: the process cluster works without it, and it takes half a second.
  const { getContainerRuntimeClient } = await import('testcontainers');
  try {
    return await getContainerRuntimeClient();
  } catch {
    throw unavailable(await troubleHere(process.env));
  }
}

function unavailable({ what, wayOut }: EngineTrouble): WorldUnavailableError {
  return new WorldUnavailableError(what, wayOut);
}

export type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

/** Runs a command in it, as its user. @returns what it printed, when it has ended */
export async function executeIn(container: Container, command: readonly string[]): Promise<string> {
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true });
  const stream = await exec.start({});
  const chunks: Buffer[] = [];
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return demultiplexed(Buffer.concat(chunks)).trim();
}

/** Something to be run in a container of its own that is gone afterwards. */
interface Errand {
  readonly runId: string;
  readonly image: string;
  readonly script: string;
  /** a volume, seen at /volume */
  readonly volume?: string;
  /** that of the image where not given */
  readonly user?: string;
  readonly capabilities?: readonly string[];
}

/** Without a network. @returns its exit code, and what it wrote to both outputs */
export async function runOnce(
  engine: ContainerRuntimeClient,
  { runId, image, script, volume, user, capabilities = [] }: Errand,
): Promise<{ readonly code: number; readonly output: string }> {
  const container = await engine.container.dockerode.createContainer({
    Image: image,
    Cmd: ['bash', '-c', script],
    Labels: labelsOf(runId),
    ...(user === undefined ? {} : { User: user }),
    HostConfig: {
      CapDrop: ['ALL'],
      CapAdd: [...capabilities],
      NetworkMode: 'none',
      ...(volume === undefined ? {} : { Binds: [`${volume}:/volume`] }),
    },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { readonly StatusCode: number };
    const frames = await container.logs({ stdout: true, stderr: true, follow: false });
    return { code: StatusCode, output: demultiplexed(frames).trim() };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

export interface Labelled {
  readonly kind: 'container' | 'network' | 'volume';
  readonly id: string;
  readonly name: string;
  readonly run: string;
  readonly harness: number;
}

/** @param runId null: of every run */
export async function listLabelled(
  engine: ContainerRuntimeClient,
  runId: string | null,
): Promise<readonly Labelled[]> {
  const { dockerode } = engine.container;
  const filters = { label: [runId === null ? RUN_LABEL : `${RUN_LABEL}=${runId}`] };
  const containers = await dockerode.listContainers({ all: true, filters });
  const networks = await dockerode.listNetworks({ filters });
  const volumes = await dockerode.listVolumes({ filters: JSON.stringify(filters) });
  return [
    ...containers.map((found) => labelled('container', found.Id, found.Names[0] ?? found.Id, found.Labels)),
    ...networks.map((found) => labelled('network', found.Id, found.Name, found.Labels ?? {})),
    ...volumes.Volumes.map((found) => labelled('volume', found.Name, found.Name, found.Labels)),
  ];
}

/** Removes these; containers with their anonymous volumes. What is already gone is fine. */
export async function removeLabelled(
  engine: ContainerRuntimeClient,
  things: readonly Labelled[],
): Promise<void> {
  const { dockerode } = engine.container;
  const containers = things.filter((thing) => thing.kind === 'container');
  await Promise.allSettled(
    containers.map(({ id }) => dockerode.getContainer(id).remove({ force: true, v: true })),
  );
  // A network or a volume can be removed only after everything that uses it has gone.
  const networks = things.filter((thing) => thing.kind === 'network');
  await Promise.allSettled(networks.map(({ id }) => dockerode.getNetwork(id).remove()));
  const volumes = things.filter((thing) => thing.kind === 'volume');
  await Promise.allSettled(volumes.map(({ id }) => dockerode.getVolume(id).remove()));
}

function labelled(
  kind: Labelled['kind'],
  id: string,
  name: string,
  labels: Record<string, string>,
): Labelled {
  return {
    kind,
    id,
    name: name.replace(/^\//, ''),
    run: labels[RUN_LABEL] ?? '',
    harness: Number(labels[HARNESS_LABEL] ?? 0),
  };
}

/** Docker's log frames: stream (1 byte), three zero bytes, length (4 bytes, big-endian), text. */
export function demultiplexed(frames: Buffer): string {
  const texts: string[] = [];
  for (let offset = 0; offset + 8 <= frames.length;) {
    const length = frames.readUInt32BE(offset + 4);
    texts.push(frames.toString('utf8', offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return texts.join('');
}
