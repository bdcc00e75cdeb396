/**
 * One run of one scenario: set up → play → checkers → report, and clean up whatever happens, also when interrupted. The
 * cluster is closed before the verdict is printed, so that a leftover is part of it.
 */
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CheckResult } from '../checkers/checker.ts';
import { LatticeClient } from '../cluster/client.ts';
import { NodeStartError, WorldUnavailableError } from '../cluster/port.ts';
import type { CloseReport, Cluster, ClusterOptions, World } from '../cluster/port.ts';
import { FaultError } from '../faults/fault.ts';
import type { Evidence } from '../faults/fault.ts';
import { History } from '../history/history.ts';
import { asCheck, LimitExceededError } from '../scenarios/scenario.ts';
import type { Measurement, Scenario, Stage } from '../scenarios/scenario.ts';
import { Observer } from '../workloads/observer.ts';
import { UniqueFacts } from '../workloads/unique-facts.ts';
import { verdictOf } from './verdict.ts';
import type { Verdict } from './verdict.ts';

export interface RunOptions {
  readonly scenario: Scenario;
  readonly world: World;
  readonly nodes: number;
  readonly rounds: number;
  readonly seed: number;
  /** chaos-results of the working directory, usually */
  readonly resultsIn: string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

interface Proof {
  readonly what: string;
  readonly evidence: Evidence;
}

export interface RunResult {
  readonly runId: string;
  readonly scenario: string;
  readonly world: World;
  readonly nodes: number;
  readonly rounds: number;
  readonly seed: number;
  readonly verdict: Verdict;
  /** why it is not a pass, one line each */
  readonly reasons: readonly string[];
  readonly tookMs: number;
  readonly writes: { readonly ok: number; readonly fail: number; readonly info: number };
  readonly measurements: readonly Measurement[];
  readonly checks: readonly CheckResult[];
  readonly proofs: readonly Proof[];
  readonly cleanUp: CloseReport;
  readonly directory: string;
}

const WRITE_EVERY_MS = 250;
/** 8 to 20 pairs are looked at, and each look costs a node half a millisecond */
const READ_EVERY_MS = 40;
/** the error of every measured change of mode */
const STATUS_EVERY_MS = 40;
const REQUEST_TIMEOUT_MS = 5_000;

export async function run(options: RunOptions): Promise<RunResult> {
  const startedAt = performance.now();
  const runId = newRunId();
  const directory = path.join(options.resultsIn, runId);
  mkdirSync(directory, { recursive: true });
  const history = new History(path.join(directory, 'history.jsonl'));
  const measurements: Measurement[] = [];
  const proofs: Proof[] = [];
  const checks: CheckResult[] = [];
  const troubles: string[] = [];
  let cleanUp: CloseReport = { leftovers: [], removed: 0 };
  let cluster: Cluster | null = null;
  let interrupted = false;
  try {
    cluster = await openCluster(options.world, {
      ...options,
      runId,
      cleanedUp: (report) => (cleanUp = report),
    });
    const stage = await play(cluster, options, history, {
      measured: (measurement) => measurements.push(measurement),
      proof: (what, evidence) => proofs.push({ what, evidence }),
    });
    const names = stage.map(({ node }) => node.name);
    for (const checker of options.scenario.checkers) checks.push(checker(history.lines, names));
  } catch (error) {
    if (options.signal.aborted) interrupted = true;
    else if (error instanceof LimitExceededError) checks.push(asCheck(error));
    else if (error instanceof FaultError) troubles.push(`inconclusive: ${messageOf(error)}`);
    else if (error instanceof WorldUnavailableError) throw error;
    else troubles.push(`harness: ${messageOf(error)}`);
  } finally {
    if (cluster !== null) {
      options.progress('cleaning up');
      for (const node of cluster.nodes)
        writeFileSync(path.join(directory, `${node.name}.log`), await node.logs());
      cleanUp = await cluster.close();
    }
    await history.close();
  }
  const count = (type: 'ok' | 'fail' | 'info'): number =>
    history.lines.filter((line) => line.type === type).length;
  const { verdict, reasons } = verdictOf({
    checks,
    proofs,
    troubles,
    leftovers: cleanUp.leftovers,
    interrupted,
  });
  const result: RunResult = {
    runId,
    scenario: options.scenario.name,
    world: options.world,
    nodes: options.nodes,
    rounds: options.rounds,
    seed: options.seed,
    verdict,
    reasons,
    tookMs: Math.round(performance.now() - startedAt),
    writes: { ok: count('ok'), fail: count('fail'), info: count('info') },
    measurements,
    checks,
    proofs,
    cleanUp,
    directory,
  };
  writeFileSync(path.join(directory, 'results.json'), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

async function openCluster(world: World, options: ClusterOptions): Promise<Cluster> {
  switch (world) {
    case 'containers':
      // Loaded only where it is used: testcontainers takes half a second.
      return (await import('../cluster/containers.ts')).startContainerCluster(options);
    case 'processes':
      return (await import('../cluster/processes.ts')).startProcessCluster(options);
  }
}

async function play(
  cluster: Cluster,
  options: RunOptions,
  history: History,
  notes: Pick<Stage, 'measured' | 'proof'>,
): Promise<Stage['members']> {
  const members = cluster.nodes.map((node) => ({
    node,
    client: new LatticeClient(() => node.url, cluster.apiToken, { timeoutMs: REQUEST_TIMEOUT_MS }),
  }));
  const observer = new Observer(members, history, { everyMs: STATUS_EVERY_MS });
  const facts = new UniqueFacts(members, history, {
    writeEveryMs: WRITE_EVERY_MS,
    readEveryMs: READ_EVERY_MS,
  });
  observer.start();
  try {
    await options.scenario.play({
      ...notes,
      cluster,
      members,
      history,
      observer,
      facts,
      rounds: options.rounds,
      random: seeded(options.seed),
      signal: options.signal,
      progress: options.progress,
    });
  } finally {
    await Promise.all([facts.stop(), observer.stop()]);
    for (const { client } of members) client.close();
  }
  return members;
}

/** Sortable by time, and unique. */
function newRunId(): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${time}-${randomInt(0x1_0000).toString(16).padStart(4, '0')}`;
}

/** mulberry32: small, and the same everywhere; nothing here needs more of a generator. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function messageOf(error: unknown): string {
  if (error instanceof NodeStartError) return `${error.message}\n${error.detail}`;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
