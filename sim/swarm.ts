/**
 * Many seeds on all cores: worker threads take the next few whenever they are done with theirs. A worker that says nothing for too
 * long is inside a step that never ends: its seed is reported, and the rest goes on without it.
 */
import { Worker } from 'node:worker_threads';
import type { Wishes } from './draw.ts';
import type { Promised } from './checks.ts';
import type { Verdict } from './run.ts';

export interface SwarmOptions {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly wishes: Wishes;
  /** no new seeds once so many have failed */
  readonly failuresMax: number;
}

/** One seed, as short as a thousand of them a minute need it. */
export interface SeedResult {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly promise: Promised | null;
  readonly text: string | null;
  readonly traceHash: string;
  readonly events: number;
  readonly acknowledged: number;
  readonly convergedMs: number | null;
}

export interface SwarmReport {
  readonly results: readonly SeedResult[];
  readonly failed: readonly SeedResult[];
  /** real seconds */
  readonly tookS: number;
}

/** What a worker is told: to run these seeds, each reported as it ends. */
export interface Errand {
  readonly from: number;
  readonly count: number;
  readonly wishes: Wishes;
}

const CHUNK = 5;
/** A small seed takes 50 ms; a machine that is busy with other things may make it a second. */
const HUNG_MS = 60_000;

export async function swarm(
  options: SwarmOptions,
  onResult: (result: SeedResult, done: number) => void,
): Promise<SwarmReport> {
  const startedAt = performance.now();
  const results: SeedResult[] = [];
  const failed: SeedResult[] = [];
  const end = options.from + options.seeds;
  let next = options.from;
  const take = (result: SeedResult): void => {
    results.push(result);
    if (result.verdict !== 'pass') failed.push(result);
    onResult(result, results.length);
  };
  const nextErrand = (): Errand | null => {
    if (next >= end || failed.length >= options.failuresMax) return null;
    const errand = { from: next, count: Math.min(CHUNK, end - next), wishes: options.wishes };
    next += errand.count;
    return errand;
  };
  await Promise.all(Array.from({ length: options.jobs }, () => work(nextErrand, take)));
  results.sort((a, b) => a.seed - b.seed);
  failed.sort((a, b) => a.seed - b.seed);
  return { results, failed, tookS: (performance.now() - startedAt) / 1_000 };
}

/** One worker, until there is nothing left; a new one in its place when it hangs or breaks. */
async function work(nextErrand: () => Errand | null, take: (result: SeedResult) => void): Promise<void> {
  for (let errand = nextErrand(); errand !== null;) errand = await oneLife(errand, nextErrand, take);
}

/** @returns what is left of the errand on which the worker came to its end; null when there is nothing more to do */
function oneLife(
  first: Errand,
  nextErrand: () => Errand | null,
  take: (result: SeedResult) => void,
): Promise<Errand | null> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./swarm-worker.ts', import.meta.url));
    let errand = first;
    let done = 0;
    const begin = (): void => {
      done = 0;
      worker.postMessage(errand);
    };
    const finish = (left: Errand | null): void => {
      clearTimeout(alarm);
      void worker.terminate().then(() => resolve(left));
    };
    const broken = (text: string): void => {
      const { from, count, wishes } = errand;
      take(brokenSeed(from + done, text));
      const left = { from: from + done + 1, count: count - done - 1, wishes };
      finish(left.count > 0 ? left : nextErrand());
    };
    const alarm = setTimeout(() => broken(`no progress for ${HUNG_MS / 1_000} s`), HUNG_MS);
    worker.once('error', (error) => broken(String(error)));
    worker.on('message', (result: SeedResult) => {
      alarm.refresh();
      take(result);
      done += 1;
      if (done < errand.count) return;
      const following = nextErrand();
      if (following === null) return finish(null);
      errand = following;
      begin();
    });
    begin();
  });
}

function brokenSeed(seed: number, text: string): SeedResult {
  return {
    seed,
    verdict: 'broken',
    promise: null,
    text,
    traceHash: '',
    events: 0,
    acknowledged: 0,
    convergedMs: null,
  };
}
