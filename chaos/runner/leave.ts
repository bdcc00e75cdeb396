/** What a run leaves behind: its verdict, and the files from which anybody can check it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CloseReport } from '../cluster/port.ts';
import type { CheckResult } from '../checkers/checker.ts';
import { renderReport } from '../reports/html/run-report.ts';
import { renderJunit } from '../reports/junit.ts';
import { VERSION } from '../reports/results.ts';
import type { Environment, EvidenceFile, Order, Proof, Results } from '../reports/results.ts';
import type { Timeline } from '../reports/timeline.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { Measurement, Scenario } from '../scenarios/scenario.ts';
import { FILES, writeJson } from './run-directory.ts';
import { verdictOf } from './verdict.ts';

export interface Ending {
  readonly nodes: readonly string[];
  /** what was to happen; null where the scenario plays by hand */
  readonly schedule: Schedule | null;
  readonly measurements: readonly Measurement[];
  readonly proofs: readonly Proof[];
  readonly troubles: readonly string[];
  readonly cleanUp: CloseReport;
  readonly checks: readonly CheckResult[];
  readonly writes: Results['writes'];
  /** faults that have struck */
  readonly strikes: number;
  readonly timeline: Timeline;
  readonly ended: 'played' | 'early' | 'interrupted';
}

/** A run that has ended, and where it lies. */
export interface Run {
  readonly results: Results;
  readonly proofs: readonly Proof[];
  readonly directory: string;
}

interface Happened extends Ending {
  readonly runId: string;
  readonly scenario: Scenario;
  readonly order: Order;
  readonly startedAt: string;
  readonly tookMs: number;
  readonly environment: Environment;
}

export function leaveReports(directory: string, happened: Happened): Run {
  const { proofs, timeline } = happened;
  const results = resultsOf(happened);
  writeJson(directory, FILES.results, results);
  writeJson(directory, FILES.evidence, { version: VERSION, proofs } satisfies EvidenceFile);
  writeFileSync(path.join(directory, FILES.junit), renderJunit([{ results, proofs }]));
  writeFileSync(path.join(directory, FILES.report), renderReport({ results, proofs, timeline }));
  return { results, proofs, directory };
}

function resultsOf(happened: Happened): Results {
  const { scenario, order, nodes, checks, proofs, troubles, cleanUp, strikes, ended } = happened;
  const interrupted = ended === 'interrupted';
  const { leftovers } = cleanUp;
  const { verdict, reasons } = verdictOf({ checks, proofs, troubles, leftovers, strikes, interrupted });
  return {
    version: VERSION,
    runId: happened.runId,
    scenario: scenario.name,
    says: scenario.says,
    world: order.world,
    nodes,
    rounds: order.rounds,
    seed: order.seed,
    startedAt: happened.startedAt,
    tookMs: happened.tookMs,
    verdict,
    reasons,
    writes: happened.writes,
    // JSON knows no Infinity.
    measurements: happened.measurements.map((one) => ({
      ...one,
      ms: Number.isFinite(one.ms) ? one.ms : null,
    })),
    checks,
    troubles,
    interrupted,
    cleanUp,
    environment: happened.environment,
  };
}
