/** What a process cluster writes down about itself, so that a guardian or `chaos heal` finds what a killed run left. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** In every lab directory's name. */
export const DIRECTORY_PREFIX = 'aethel-lab-';
const RUN_FILE = 'run.json';

/** Who belongs to this run, for `chaos heal` after a run that was killed. */
export function writeRunFile(directory: string, nodes: readonly number[]): void {
  const run: RunFile = { harness: process.pid, nodes };
  try {
    writeFileSync(path.join(directory, RUN_FILE), JSON.stringify(run));
  } catch {
    // The directory is gone: the run is being cleaned up.
  }
}

/** A directory of our own for a while, which `chaos heal` removes where we could not. @param what for, in its name */
export function makeScratchDirectory(what: string): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), `${DIRECTORY_PREFIX}${what}-`));
  writeRunFile(directory, []);
  return directory;
}

interface RunFile {
  readonly harness: number;
  readonly nodes: readonly number[];
}

/** @returns null where there is none, or it is not ours */
export function readRunFile(directory: string): RunFile | null {
  try {
    const run: unknown = JSON.parse(readFileSync(path.join(directory, RUN_FILE), 'utf8'));
    if (typeof run !== 'object' || run === null || !('harness' in run) || !('nodes' in run)) return null;
    if (typeof run.harness !== 'number' || !Array.isArray(run.nodes)) return null;
    return { harness: run.harness, nodes: run.nodes.filter((pid) => typeof pid === 'number') };
  } catch {
    return null;
  }
}

/** A process id may have been given to somebody else since: its environment tells. Where that cannot be asked, no. */
export function isNodeOf(pid: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`AETHEL_STATE_DIR=${directory}${path.sep}`);
  } catch {
    return false;
  }
}

/** @returns false where it is none of this run's nodes, or has ended meanwhile */
export function signalNode(pid: number, directory: string, signal: NodeJS.Signals): boolean {
  if (!isNodeOf(pid, directory)) return false;
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
