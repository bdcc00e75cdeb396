/**
 * `chaos heal`: removes what a run left that could not clean up after itself (SIGKILL, a crash): labelled containers and
 * networks, and the processes and directories of the process cluster. A run whose lab still lives is left alone.
 */
import { readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { connectEngine, listLabelled, removeLabelled } from './cluster/engine.ts';
import { unmountDisks } from './cluster/small-disk.ts';
import { WorldUnavailableError } from './cluster/port.ts';
import { poll } from './cluster/poll.ts';
import { DIRECTORY_PREFIX, readRunFile, signalNode } from './cluster/run-file.ts';

/** @returns exit code: 0 when nothing of a dead run is left, 3 otherwise */
export async function heal(
  options: { readonly force: boolean },
  say: (line: string) => void,
): Promise<number> {
  const processes = await healProcesses(options.force, say);
  const containers = await healContainers(options.force, say);
  const removed = processes.removed + containers.removed;
  const left = processes.left + containers.left;
  say(`${removed} removed, ${left} could not be removed`);
  return left === 0 ? 0 : 3;
}

const UNMOUNT_BUDGET = { everyMs: 50, budgetMs: 10_000 };

interface Tally {
  readonly removed: number;
  readonly left: number;
}

async function healContainers(force: boolean, say: (line: string) => void): Promise<Tally> {
  const engine = await connectEngine().catch((error: unknown) => {
    if (error instanceof WorldUnavailableError) return null;
    throw error;
  });
  if (engine === null) {
    say('no Docker engine answers: nothing to heal there');
    return { removed: 0, left: 0 };
  }
  const isOurs = ({ harness }: { readonly harness: number }): boolean => force || !isAlive(harness);
  const all = await listLabelled(engine, null);
  for (const run of new Set(all.filter((thing) => !isOurs(thing)).map((thing) => thing.run)))
    say(`run ${run} still goes, left alone`);
  const found = all.filter(isOurs);
  for (const { kind, name, run } of found) say(`removing ${kind} ${name} of run ${run}`);
  await removeLabelled(engine, found);
  const left = (await listLabelled(engine, null)).filter(isOurs).length;
  return { removed: found.length - left, left };
}

async function healProcesses(force: boolean, say: (line: string) => void): Promise<Tally> {
  let removed = 0;
  let left = 0;
  for (const name of readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(DIRECTORY_PREFIX))) {
    const directory = path.join(os.tmpdir(), name);
    const run = readRunFile(directory);
    if (run !== null && isAlive(run.harness) && !force) {
      say(`${name} still goes, left alone`);
      continue;
    }
    for (const pid of run?.nodes ?? []) {
      if (!signalNode(pid, directory, 'SIGKILL')) continue;
      say(`ended process ${pid} of ${name}`);
      removed += 1;
    }
    // Who was killed holds its files for a moment.
    const unmounted = await poll(async () => (unmountDisks(directory) === 0 ? true : null), UNMOUNT_BUDGET);
    if (unmounted === null) {
      say(`something below ${directory} is still mounted, and in use`);
      left += 1;
      continue;
    }
    try {
      say(`removing ${directory}`);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      removed += 1;
    } catch {
      left += 1;
    }
  }
  return { removed, left };
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
