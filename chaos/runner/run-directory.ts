/**
 * The directory of a run, `chaos-results/<run>/`: everything that is needed to judge it again without the cluster, and
 * `chaos-results/latest`, which names the newest one.
 */
import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { ZodType } from 'zod';
import type { Packed } from '../pack/write.ts';
import { EvidenceFile, GateResults, Order, Results } from '../reports/results.ts';

export const FILES = {
  results: 'results.json',
  evidence: 'evidence.json',
  schedule: 'schedule.json',
  history: 'history.jsonl',
  junit: 'junit.xml',
  report: 'report.html',
} as const;

const LATEST = 'latest';

/** Sortable by time, and unique. */
export function newRunId(): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${time}-${randomInt(0x1_0000).toString(16).padStart(4, '0')}`;
}

/** There is no place for reports; the message says where and why. */
export class ResultsUnwritableError extends Error {
  readonly code = 'results_unwritable';
}

/** @returns its path; `latest` names it from now on. Throws ResultsUnwritableError. */
export function makeRunDirectory(resultsIn: string, runId: string): string {
  const directory = path.join(resultsIn, runId);
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ResultsUnwritableError(`no place for reports: ${why}`, { cause });
  }
  const link = path.join(resultsIn, LATEST);
  try {
    rmSync(link, { force: true });
    symlinkSync(runId, link, process.platform === 'win32' ? 'junction' : 'dir');
  } catch {
    // A file system without links, or two runs at once: the directory itself is what counts.
  }
  return directory;
}

export function writeJson(directory: string, name: string, value: unknown): void {
  writeFileSync(path.join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
}

/** A run that cannot be read; the message says which and why. */
export class RunUnreadableError extends Error {
  readonly code = 'run_unreadable';
}

/** @param run a directory, or a run's id in `resultsIn`, or `latest`. Throws RunUnreadableError. */
export function findRun(run: string, resultsIn: string): string {
  const places = [path.resolve(run), path.join(resultsIn, run)];
  const found = places.find((place) => isFile(path.join(place, FILES.results)));
  if (found === undefined) throw new RunUnreadableError(`there is no run ${run} here or in ${resultsIn}`);
  return realpathSync(found);
}

/** Throws RunUnreadableError. */
export function readResults(directory: string): Results {
  return readAs(Results, directory, FILES.results);
}

/** Throws RunUnreadableError. */
export function readOrder(directory: string): Order {
  return readAs(Order, directory, FILES.schedule);
}

/** Throws RunUnreadableError. */
export function readEvidence(directory: string): EvidenceFile {
  return readAs(EvidenceFile, directory, FILES.evidence);
}

/** Throws RunUnreadableError. */
export function readGate(directory: string): GateResults {
  return readAs(GateResults, directory, FILES.results);
}

/** A run, or a gate. Throws RunUnreadableError. */
export function readPackable(directory: string): Packed {
  const found = readAs(z.union([Results, GateResults]), directory, FILES.results);
  const { verdict, environment } = found;
  return { run: 'gateId' in found ? found.gateId : found.runId, verdict, environment };
}

function readAs<T>(schema: ZodType<T>, directory: string, name: string): T {
  const file = path.join(directory, name);
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new RunUnreadableError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(found);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RunUnreadableError(
    `${file}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not as it should be'}`,
  );
}

function isFile(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}
