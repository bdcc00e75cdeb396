/** What a run ran on: the source, the machine, the engine and the images. Part of every report, so that it can be repeated. */
import { execFile } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectEngine } from '../cluster/engine.ts';
import { FAULTS_IMAGE, inspectImage, NODE_IMAGE, SOURCE_LABEL } from '../cluster/image.ts';
import type { Environment } from '../reports/results.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export async function describeEnvironment(usesEngine: boolean): Promise<Environment> {
  const [commit, changes, docker] = await Promise.all([
    git('rev-parse', 'HEAD'),
    git('status', '--porcelain'),
    usesEngine ? describeEngine() : NO_ENGINE,
  ]);
  const cores = os.cpus();
  return {
    commit,
    dirty: changes !== null && changes !== '',
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    kernel: `${os.type()} ${os.release()}`,
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memoryBytes: os.totalmem(),
    ...docker,
  };
}

const NO_ENGINE: Pick<Environment, 'engine' | 'images'> = { engine: null, images: [] };

async function describeEngine(): Promise<Pick<Environment, 'engine' | 'images'>> {
  const engine = await connectEngine();
  const { Version, KernelVersion } = await engine.container.dockerode.version();
  const found = await Promise.all(
    [NODE_IMAGE, FAULTS_IMAGE].map(async (name) => ({ name, image: await inspectImage(engine, name) })),
  );
  return {
    engine: `Docker ${Version}, kernel ${KernelVersion ?? 'unknown'}`,
    images: found.flatMap(({ name, image }) =>
      image === null ? [] : [{ name, id: image.id, source: image.labels[SOURCE_LABEL] ?? '' }],
    ),
  };
}

async function git(...args: readonly string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)('git', [...args], { cwd: ROOT })).stdout.trim();
  } catch {
    return null;
  }
}
