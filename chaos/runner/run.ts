/**
 * One run of one scenario: set up → play → checkers → report, and clean up whatever happens, also when interrupted. The
 * cluster is closed before the verdict is printed, so that a leftover is part of it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { LatticeClient } from '../cluster/client.ts';
import { NodeStartError, WorldUnavailableError } from '../cluster/port.ts';
import { openCluster } from '../cluster/open.ts';
import type { CloseReport, Cluster, World } from '../cluster/port.ts';
import { FaultError } from '../faults/fault.ts';
import { History } from '../history/history.ts';
import { LimitExceededError } from '../scenarios/scenario.ts';
import type { Measurement, Scenario, Stage } from '../scenarios/scenario.ts';
import { Observer } from '../workloads/observer.ts';
import { UniqueFacts } from '../workloads/unique-facts.ts';
import { VERSION } from '../reports/results.ts';
import type { Proof, Schedule } from '../reports/results.ts';
import { describeEnvironment } from './environment.ts';
import { leaveReports } from './leave.ts';
import type { Ending, Run } from './leave.ts';
import { FILES, makeRunDirectory, newRunId, writeJson } from './run-directory.ts';

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

const WRITE_EVERY_MS = 250;
/** 8 to 20 pairs are looked at, and each look costs a node half a millisecond */
const READ_EVERY_MS = 40;
/** the error of every measured change of mode */
const STATUS_EVERY_MS = 40;
const REQUEST_TIMEOUT_MS = 5_000;

export async function run(options: RunOptions): Promise<Run> {
  const startedAt = new Date();
  const clock = performance.now();
  const runId = newRunId();
  const directory = makeRunDirectory(options.resultsIn, runId);
  writeJson(directory, FILES.schedule, scheduleOf(options));
  const history = new History(path.join(directory, FILES.history));
  const ending = await playAndClose(options, runId, directory, history);
  return leaveReports(directory, {
    ...ending,
    runId,
    scenario: options.scenario,
    schedule: scheduleOf(options),
    history: history.lines,
    startedAt: startedAt.toISOString(),
    tookMs: Math.round(performance.now() - clock),
    environment: await describeEnvironment(options.world === 'containers'),
  });
}

/** What a run came to, before it is judged. */
async function playAndClose(
  options: RunOptions,
  runId: string,
  directory: string,
  history: History,
): Promise<Ending> {
  const measurements: Measurement[] = [];
  const proofs: Proof[] = [];
  const troubles: string[] = [];
  let nodes: readonly string[] = [];
  let cleanUp: CloseReport = { leftovers: [], removed: 0 };
  let cluster: Cluster | null = null;
  let ended: Ending['ended'] = 'early';
  try {
    cluster = await openCluster(options.world, {
      ...options,
      runId,
      cleanedUp: (report) => (cleanUp = report),
    });
    nodes = cluster.nodes.map(({ name }) => name);
    await play(cluster, options, history, {
      measured: (measurement) => measurements.push(measurement),
      proof: (what, evidence) => proofs.push({ what, at: history.now(), evidence }),
    });
    ended = 'played';
  } catch (error) {
    if (options.signal.aborted) ended = 'interrupted';
    else if (error instanceof LimitExceededError) {
      const { what, limitMs, seen } = error;
      history.add({ type: 'limit', what, limitMs, seen });
      ended = 'played';
    } else if (error instanceof FaultError) troubles.push(`inconclusive: ${messageOf(error)}`);
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
  return { nodes, measurements, proofs, troubles, cleanUp, ended };
}

function scheduleOf({ scenario, world, nodes, rounds, seed }: RunOptions): Schedule {
  return { version: VERSION, scenario: scenario.name, world, nodes, rounds, seed };
}

async function play(
  cluster: Cluster,
  options: RunOptions,
  history: History,
  notes: Pick<Stage, 'measured' | 'proof'>,
): Promise<void> {
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
