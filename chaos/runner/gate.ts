/**
 * The gate: every scenario that decides whether the lattice may be trusted, one after the other, each on a cluster of its
 * own. The worst verdict is the verdict of all; one that this machine cannot play is told, and never counted as passed.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LabWorld } from '../cluster/port.ts';
import { renderGateReport } from '../reports/html/gate-report.ts';
import { renderJunit } from '../reports/junit.ts';
import { GATE_VERSION, toldByGate } from '../reports/results.ts';
import type { GateResults } from '../reports/results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { describeEnvironment } from './environment.ts';
import type { Run } from './leave.ts';
import { FILES, makeRunDirectory, newRunId, writeJson } from './run-directory.ts';
import { run } from './run.ts';
import { worstOf } from './verdict.ts';

export interface GateOptions {
  readonly scenarios: readonly Scenario[];
  readonly world: LabWorld;
  readonly nodes: number;
  readonly seed: number;
  readonly resultsIn: string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  /** told after each scenario */
  readonly ended: (run: Run) => void;
}

export interface Gate {
  readonly results: GateResults;
  readonly runs: readonly Run[];
  readonly directory: string;
}

export async function runGate(options: GateOptions): Promise<Gate> {
  const startedAt = new Date();
  const clock = performance.now();
  const gateId = `gate-${newRunId()}`;
  const directory = makeRunDirectory(options.resultsIn, gateId);
  const runs: Run[] = [];
  for (const scenario of options.scenarios) {
    if (options.signal.aborted) break;
    options.progress(`${runs.length + 1}/${options.scenarios.length} ${scenario.name}`);
    const ended = await run({
      scenario,
      world: options.world,
      nodes: options.nodes,
      seed: options.seed,
      rounds: 1,
      durationMs: null,
      resultsIn: directory,
      signal: options.signal,
      progress: (line) => options.progress(`${scenario.name}: ${line}`),
    });
    runs.push(ended);
    options.ended(ended);
  }
  const results: GateResults = {
    version: GATE_VERSION,
    gateId,
    world: options.world,
    nodes: options.nodes,
    seed: options.seed,
    startedAt: startedAt.toISOString(),
    tookMs: Math.round(performance.now() - clock),
    verdict: options.signal.aborted ? 'interrupted' : worstOf(runs.map((one) => one.results.verdict)),
    runs: runs.map((one) => toldByGate(one.results, path.basename(one.directory))),
    environment: await describeEnvironment(options.world === 'containers'),
  };
  writeJson(directory, FILES.results, results);
  writeFileSync(path.join(directory, FILES.junit), renderJunit(runs));
  writeFileSync(path.join(directory, FILES.report), renderGateReport(results));
  return { results, runs, directory };
}
