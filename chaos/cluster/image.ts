/**
 * The image under test is always that of the source at hand: its label carries a hash of everything it is made of, and
 * it is built when that is not what the tag holds.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ContainerRuntimeClient } from 'testcontainers';
import { WorldUnavailableError } from './port.ts';

export const NODE_IMAGE = `aethel/node:${process.env['AETHEL_TAG'] ?? 'dev'}`;
/** The side container's image: chaos/cluster/faults.Dockerfile. */
export const FAULTS_IMAGE = process.env['AETHEL_FAULTS_IMAGE'] ?? 'aethel/faults:1';
export const SOURCE_LABEL = 'aethel.source';
const LOCAL_BASE = 'aethel/base:24';
const PUBLIC_BASE = 'node:24-bookworm-slim';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** As .dockerignore lets through. */
const INGREDIENTS = [
  'Dockerfile',
  '.dockerignore',
  '.npmrc',
  'package.json',
  'package-lock.json',
  'scripts/build.ts',
  'node',
];
const OUTPUT_LINES_KEPT = 30;

/** @returns the id of the image that `NODE_IMAGE` names now. Throws WorldUnavailableError where it cannot be built. */
export async function ensureNodeImage(
  engine: ContainerRuntimeClient,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const base = await baseImage(engine);
  const source = hashOf(base);
  const present = await inspectImage(engine, NODE_IMAGE);
  if (present !== null && present.labels[SOURCE_LABEL] === source) return present.id;
  progress(`building ${NODE_IMAGE} on ${base.name}`);
  const ca = process.env['NODE_EXTRA_CA_CERTS'];
  const secrets = ca !== undefined && existsSync(ca) ? ['--secret', `id=ca,src=${ca}`] : [];
  const args = [
    '--build-arg',
    `BASE_IMAGE=${base.name}`,
    '--label',
    `${SOURCE_LABEL}=${source}`,
    '--tag',
    NODE_IMAGE,
  ];
  await dockerBuild([...args, ...secrets, ROOT], signal);
  const built = await inspectImage(engine, NODE_IMAGE);
  if (built === null)
    throw new WorldUnavailableError(`${NODE_IMAGE} is not there after its build`, 'see docker images');
  return built.id;
}

interface BaseImage {
  readonly name: string;
  readonly id: string;
}

async function baseImage(engine: ContainerRuntimeClient): Promise<BaseImage> {
  const wanted = process.env['AETHEL_BASE_IMAGE'];
  const name = wanted ?? ((await inspectImage(engine, LOCAL_BASE)) === null ? PUBLIC_BASE : LOCAL_BASE);
  return { name, id: (await inspectImage(engine, name))?.id ?? '' };
}

export async function inspectImage(
  engine: ContainerRuntimeClient,
  name: string,
): Promise<{ readonly id: string; readonly labels: Readonly<Record<string, string>> } | null> {
  try {
    const image = await engine.container.dockerode.getImage(name).inspect();
    return { id: image.Id, labels: image.Config.Labels ?? {} };
  } catch {
    return null;
  }
}

/** Of the base and of every file, by name and content, in a fixed order. */
function hashOf(base: BaseImage): string {
  const hash = createHash('sha256').update(`${base.name} ${base.id}\n`);
  for (const file of INGREDIENTS.flatMap(filesOf).toSorted()) {
    const content = createHash('sha256')
      .update(readFileSync(path.join(ROOT, file)))
      .digest('hex');
    hash.update(`${file.replaceAll(path.sep, '/')} ${content}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

function filesOf(name: string): readonly string[] {
  if (statSync(path.join(ROOT, name)).isFile()) return [name];
  return readdirSync(path.join(ROOT, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)));
}

async function dockerBuild(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const lines: string[] = [];
  const child = spawn('docker', ['build', '--progress', 'plain', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      lines.splice(0, lines.length - OUTPUT_LINES_KEPT);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).catch(() => null);
  signal?.throwIfAborted();
  if (code === 0) return;
  throw new WorldUnavailableError(
    `docker build failed\n${lines.join('\n')}\n${NODE_IMAGE} cannot be built`,
    'where no registry can be reached, run scripts/base-image.sh first',
  );
}
