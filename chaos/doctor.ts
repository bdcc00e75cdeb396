/** `chaos doctor`: what this machine can do, found out by doing it, and the way out where it cannot. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connectEngine, listLabelled, removeLabelled } from './cluster/engine.ts';
import { FAULTS_IMAGE, NODE_IMAGE, inspectImage } from './cluster/image.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { diagnoseContainers, diagnoseProcesses, whyFails } from './faults/doctor.ts';
import type { FaultDiagnosis } from './faults/doctor.ts';

const TRY_NETEM = 'tc qdisc add dev lo root netem delay 1ms';

/** @returns exit code: 0 when `npm run chaos` can run, 3 when it cannot */
export async function diagnose(say: (line: string) => void): Promise<number> {
  const report = (what: string, ok: boolean, detail: string): boolean => {
    say(`${ok ? 'yes' : 'no '}  ${what.padEnd(27)} ${detail}`);
    return ok;
  };
  const tellFaults = (world: string, faults: readonly FaultDiagnosis[]): void => {
    for (const { kind, reason } of faults)
      report(`${kind}, ${world}`, reason === null, reason === null ? 'supported' : `unsupported: ${reason}`);
  };
  report('processes', true, `Node ${process.version}; run with --cluster processes`);
  tellFaults('processes', diagnoseProcesses());
  const engine = await connectEngine().catch((error: unknown) => {
    if (!(error instanceof WorldUnavailableError)) throw error;
    report('engine', false, error.message);
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

  const hasFaults = (await inspectImage(engine, FAULTS_IMAGE)) !== null;
  report(
    'faults image',
    hasFaults,
    hasFaults ? FAULTS_IMAGE : `${FAULTS_IMAGE} is missing: run scripts/base-image.sh`,
  );
  if (!hasFaults) return 3;
  const runId = `doctor-${process.pid}`;
  try {
    const netem = await whyFails(engine, runId, TRY_NETEM, ['NET_ADMIN']);
    report('netem', netem === null, netem ?? 'the kernel has it; the lab delays by forwarders all the same');
    const faults = await diagnoseContainers(engine, runId);
    tellFaults('containers', faults);
    return faults.some(({ kind, reason }) => kind === 'partition' && reason !== null) ? 3 : 0;
  } finally {
    await removeLabelled(engine, await listLabelled(engine, runId));
  }
}

async function output(command: string, args: readonly string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)(command, [...args])).stdout.trim();
  } catch {
    return null;
  }
}
