/**
 * The directory of a run, `chaos-results/<run>/`: everything that is needed to judge it again without the cluster, and
 * `chaos-results/latest`, which names the newest one.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomInt } from 'node:crypto';

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

/** @returns its path; `latest` names it from now on */
export function makeRunDirectory(resultsIn: string, runId: string): string {
  const directory = path.join(resultsIn, runId);
  mkdirSync(directory, { recursive: true });
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
