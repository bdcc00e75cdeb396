/**
 * What this machine can do of every kind of fault, in each world of real nodes, found out by doing it: a rule of each sort
 * is loaded in a container, a file system is mounted, a library is looked for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ContainerRuntimeClient } from 'testcontainers';
import { runOnce } from '../cluster/engine.ts';
import { clocksHere } from '../cluster/faketime.ts';
import { FAULTS_IMAGE } from '../cluster/image.ts';
import { makeScratchDirectory } from '../cluster/run-file.ts';
import { mountDisk, NO_EXT4, NO_MOUNTS, unmountDisks } from '../cluster/small-disk.ts';
import type { FaultKind, FaultSpec } from './spec.ts';
import { renderTable } from './nft.ts';
import type { Block } from './nft.ts';
import { NEXT_IMAGE } from './trials/next-image.ts';
import { trialsFor } from './trials/trials.ts';
import { NO_POWER_CUTS, whyNotInContainers, whyNotInProcesses } from './why-not.ts';
import type { Means } from './why-not.ts';

export interface FaultDiagnosis {
  readonly kind: FaultKind;
  /** null: it is supported here; else why it is not */
  readonly reason: string | null;
}

export function diagnoseProcesses(): readonly FaultDiagnosis[] {
  const disks = disksHere();
  const means: Means = {
    clocks: clocksHere(),
    smallDisks: disks === null ? NO_MOUNTS : null,
    powerCuts: disks === 'ext4' ? null : NO_EXT4,
  };
  return byKind((spec) => whyNotInProcesses(spec, means));
}

/** @param runId labels what is made for it */
export async function diagnoseContainers(
  engine: ContainerRuntimeClient,
  runId: string,
): Promise<readonly FaultDiagnosis[]> {
  const tries = (script: string, capabilities: readonly string[] = []): Promise<string | null> =>
    whyFails(engine, runId, script, capabilities);
  const means: Means = {
    clocks: await tries('ls /usr/lib/*/faketime/libfaketimeMT.so.1'),
    smallDisks: null,
    powerCuts: NO_POWER_CUTS,
  };
  const blocked = new Map<FaultKind, string | null>();
  for (const [kind, block] of BLOCKS) {
    const script = `nft -f - <<'END'\n${renderTable('aethel_lab_doctor', block, 60)}END\n`;
    blocked.set(kind, blocked.get(kind) ?? (await tries(script, ['NET_ADMIN'])));
  }
  return byKind(
    (spec) => blocked.get(spec.kind) ?? whyNotInContainers(spec, means, (name) => name === NEXT_IMAGE),
  );
}

const PAIRS = [{ peer: '192.0.2.1', port: 9000 }];
/** One of every sort of rule that the faults load. */
const BLOCKS: readonly (readonly [FaultKind, Block])[] = [
  ['partition', { kind: 'pairs', how: 'drop', pairs: PAIRS }],
  ['partition', { kind: 'pairs', how: 'reset', pairs: PAIRS }],
  ['loss', { kind: 'loss', pairs: PAIRS, percent: 20 }],
  ['bandwidth', { kind: 'rate', pairs: PAIRS, kBps: 50 }],
  ['dns', { kind: 'dns' }],
];

/** A kind is supported where one of its ways is: what is peculiar to a way, `Cluster.supports` says. */
function byKind(whyNot: (spec: FaultSpec) => string | null): readonly FaultDiagnosis[] {
  const reasons = new Map<FaultKind, string | null>();
  for (const { spec } of trialsFor(['node1', 'node2', 'node3'])) {
    const known = reasons.get(spec.kind);
    if (known !== null) reasons.set(spec.kind, whyNot(spec));
  }
  return [...reasons].map(([kind, reason]) => ({ kind, reason }));
}

function disksHere(): ReturnType<typeof mountDisk> {
  const directory = makeScratchDirectory('doctor');
  const disk = mkdtempSync(path.join(directory, 'disk-'));
  try {
    return mountDisk(disk);
  } finally {
    unmountDisks(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns null when the command works in a side container, else the last line of what it said */
export async function whyFails(
  engine: ContainerRuntimeClient,
  runId: string,
  script: string,
  capabilities: readonly string[],
): Promise<string | null> {
  const { code, output } = await runOnce(engine, { runId, image: FAULTS_IMAGE, script, capabilities });
  return code === 0 ? null : (output.split('\n').at(-1)?.trim() ?? `it ended with ${code}`);
}
