/** `chaos verify`: a pack opened without trusting it, and every run in it judged again. Nothing of it is left behind. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Verdict } from '../reports/results.ts';
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
  const directory = mkdtempSync(path.join(os.tmpdir(), 'aethel-pack-'));
  try {
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
    rmSync(directory, { recursive: true, force: true });
  }
}

async function judgeAll(directory: string, { verdict, run }: Manifest): Promise<readonly Judgement[]> {
  if (existsSync(path.join(directory, FILES.history))) {
    const judgement = await judgeAgain(directory);
    if (judgement.results.runId !== run) throw new PackRefusedError(`its manifest names another run, ${run}`);
    return [same(judgement, verdict)];
  }
  const gate = readGate(directory);
  if (gate.gateId !== run) throw new PackRefusedError(`its manifest names another gate, ${run}`);
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const wanted = gate.runs.map((one) => one.directory);
  const spare = below.find(({ name }) => !wanted.includes(name));
  if (spare !== undefined) throw new PackRefusedError(`${spare.name} is no run of this gate`);
  const judgements: Judgement[] = [];
  for (const one of gate.runs)
    judgements.push(same(await judgeAgain(path.join(directory, one.directory)), one.verdict));
  const worst =
    gate.verdict === 'interrupted'
      ? 'interrupted'
      : worstOf(judgements.map(({ results }) => results.verdict));
  if (gate.verdict !== worst || verdict !== worst)
    throw new PackRefusedError(`the verdict of its runs is ${worst}, and it says ${gate.verdict}`);
  return judgements;
}

function same(judgement: Judgement, verdict: Verdict): Judgement {
  const { verdict: written, scenario } = judgement.results;
  if (written === verdict) return judgement;
  throw new PackRefusedError(`${scenario} is ${written}, and its pack says ${verdict}`);
}
