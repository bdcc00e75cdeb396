/** `chaos doctor`: what this machine can do, found out by doing it, and the way out where it cannot. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connectEngine, listLabelled, removeLabelled, runOnce } from './cluster/engine.ts';
import { NODE_IMAGE, inspectImage } from './cluster/image.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { renderTable } from './faults/nft.ts';

const TRY_NFT = `nft -f - <<'END'\n${renderTable('aethel_lab_doctor', { kind: 'dns' }, 60)}END\n`;
const TRY_NETEM = 'tc qdisc add dev lo root netem delay 1ms';

/** @returns exit code: 0 when `npm run chaos` can run, 3 when it cannot */
export async function diagnose(say: (line: string) => void): Promise<number> {
  const report = (what: string, ok: boolean, detail: string): boolean => {
    say(`${ok ? 'yes' : 'no '}  ${what.padEnd(18)} ${detail}`);
    return ok;
  };
  report('processes', true, `Node ${process.version}; run with --cluster processes`);
  const engine = await connectEngine().catch((error: unknown) => {
    if (!(error instanceof WorldUnavailableError)) throw error;
    report('engine', false, error.wayOut);
    return null;
  });
  if (engine === null) return 3;
  const { dockerode } = engine.container;
  const version = await dockerode.version();
  report('engine', true, `Docker ${version.Version}, kernel ${version.KernelVersion ?? 'unknown'}`);
  const compose = await output('docker', ['compose', 'version', '--short']);
  report(
    'compose',
    compose !== null,
    compose ?? 'the plugin docker-compose is missing: scripts/docker-engine.sh',
  );
  const node = await inspectImage(engine, NODE_IMAGE);
  report('node image', true, node === null ? `${NODE_IMAGE} is not there yet: a run builds it` : NODE_IMAGE);

  const { FAULTS_IMAGE } = await import('./faults/sidecar.ts');
  const hasFaults = (await inspectImage(engine, FAULTS_IMAGE)) !== null;
  report(
    'faults image',
    hasFaults,
    hasFaults ? FAULTS_IMAGE : `${FAULTS_IMAGE} is missing: run scripts/base-image.sh`,
  );
  if (!hasFaults) return 3;
  const runId = `doctor-${process.pid}`;
  try {
    const nft = await attempt(engine, FAULTS_IMAGE, runId, TRY_NFT);
    report('nftables', nft === null, nft ?? 'rules can be loaded in a container: drops and cuts work');
    const netem = await attempt(engine, FAULTS_IMAGE, runId, TRY_NETEM);
    report(
      'netem',
      netem === null,
      netem === null ? 'latency and jitter by the kernel' : `no latency by the kernel (${netem})`,
    );
    return nft === null ? 0 : 3;
  } finally {
    await removeLabelled(engine, await listLabelled(engine, runId));
  }
}

/** @returns null when the command works in a side container, else the last line of what it said */
async function attempt(
  engine: Awaited<ReturnType<typeof connectEngine>>,
  image: string,
  runId: string,
  script: string,
): Promise<string | null> {
  const { code, output: said } = await runOnce(engine, { runId, image, script, capabilities: ['NET_ADMIN'] });
  return code === 0 ? null : (said.split('\n').at(-1)?.trim() ?? `it ended with ${code}`);
}

async function output(command: string, args: readonly string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)(command, [...args])).stdout.trim();
  } catch {
    return null;
  }
}
