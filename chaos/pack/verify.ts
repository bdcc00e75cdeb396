/** `chaos verify`: a pack opened without trusting it, and every run in it judged again. Nothing of it is left behind; where we are killed, `heal` sees to that. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeScratchDirectory } from '../cluster/run-file.ts';
import { toldByGate } from '../reports/results.ts';
import type { Results, Verdict } from '../reports/results.ts';
import { judgeAgain } from '../runner/judge-again.ts';
import type { Judgement } from '../runner/judge-again.ts';
import { FILES, readGate, RunUnreadableError } from '../runner/run-directory.ts';
import { worstOf } from '../runner/verdict.ts';
import type { Manifest } from './manifest.ts';
import { openPack, PackRefusedError } from './open.ts';

export interface Verified {
  readonly manifest: Manifest;
  /** one, or those of a gate in their order */
  readonly runs: readonly Judgement[];
}

/** @param trusted fingerprint of the only key that is trusted; null: any. Throws PackRefusedError. */
export async function verifyPack(file: string, trusted: string | null): Promise<Verified> {
  const scratch = makeScratchDirectory('pack');
  const directory = path.join(scratch, 'pack');
  try {
    mkdirSync(directory);
    const manifest = await openPack(file, trusted, directory);
    const runs = await judgeAll(directory, manifest);
    const differing = runs.find(({ differences }) => differences.length > 0);
    if (differing !== undefined) {
      const { results, differences } = differing;
      throw new PackRefusedError(
        `judged again, ${results.scenario} comes out otherwise: ${differences.join('; ')}`,
      );
    }
    return { manifest, runs };
  } catch (error) {
    if (error instanceof RunUnreadableError)
      throw new PackRefusedError(error.message.replaceAll(`${directory}/`, ''));
    throw error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function judgeAll(directory: string, manifest: Manifest): Promise<readonly Judgement[]> {
  const below = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  return existsSync(path.join(directory, FILES.history))
    ? [await judgeOne(directory, manifest, below)]
    : judgeGate(directory, manifest, below);
}

async function judgeOne(
  directory: string,
  manifest: Manifest,
  [spare]: readonly string[],
): Promise<Judgement> {
  if (spare !== undefined) throw new PackRefusedError(`${spare} is no part of a run`);
  const judgement = await judgeAgain(directory);
  const { runId, environment } = judgement.results;
  if (runId !== manifest.run) throw new PackRefusedError(`its manifest names another run, ${manifest.run}`);
  checkSource(manifest, environment);
  return same(judgement, manifest.verdict);
}

/** Every run that the gate names is in the pack, once, and is what the gate tells of it. */
async function judgeGate(
  directory: string,
  manifest: Manifest,
  below: readonly string[],
): Promise<readonly Judgement[]> {
  const gate = readGate(directory);
  if (gate.gateId !== manifest.run)
    throw new PackRefusedError(`its manifest names another gate, ${manifest.run}`);
  checkSource(manifest, gate.environment);
  const wanted = gate.runs.map((one) => one.directory);
  const spare = below.find((name) => !wanted.includes(name));
  if (spare !== undefined) throw new PackRefusedError(`${spare} is no run of this gate`);
  const missing = wanted.find((name) => !below.includes(name));
  if (missing !== undefined) throw new PackRefusedError(`the run ${missing} is not in it`);
  const twice = wanted.find((name, i) => wanted.indexOf(name) !== i);
  if (twice !== undefined) throw new PackRefusedError(`it counts the run ${twice} twice`);
  const judgements: Judgement[] = [];
  for (const one of gate.runs) {
    const judgement = same(await judgeAgain(path.join(directory, one.directory)), one.verdict);
    const { world, seed } = judgement.results;
    const isAsTold = isDeepStrictEqual(toldByGate(judgement.results, one.directory), one);
    if (!isAsTold || world !== gate.world || seed !== gate.seed)
      throw new PackRefusedError(`the gate tells otherwise of ${one.directory} than the run itself`);
    judgements.push(judgement);
  }
  const worst =
    gate.verdict === 'interrupted'
      ? 'interrupted'
      : worstOf(judgements.map(({ results }) => results.verdict));
  if (gate.verdict !== worst || manifest.verdict !== worst)
    throw new PackRefusedError(`the verdict of its runs is ${worst}, and it says ${gate.verdict}`);
  return judgements;
}

function checkSource({ commit, dirty }: Manifest, environment: Results['environment']): void {
  if (commit !== environment.commit || dirty !== environment.dirty)
    throw new PackRefusedError('its manifest names another source than its results');
}

function same(judgement: Judgement, verdict: Verdict): Judgement {
  const { verdict: written, scenario } = judgement.results;
  if (written === verdict) return judgement;
  throw new PackRefusedError(`${scenario} is ${written}, and its pack says ${verdict}`);
}
