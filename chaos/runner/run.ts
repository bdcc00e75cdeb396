/**
 * One run of one scenario: set up → play → checkers → report, and clean up whatever happens, also when interrupted. The
 * cluster is closed before the verdict is printed, so that a leftover is part of it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { LatticeClient } from '../cluster/client.ts';
import { NodeStartError, WorldUnavailableError } from '../cluster/port.ts';
import { openLabCluster } from '../cluster/open.ts';
import { poll } from '../cluster/poll.ts';
import type { CloseReport, LabCluster, LabWorld, Preparation } from '../cluster/port.ts';
import { FaultError } from '../faults/fault.ts';
import { preparationFor } from '../faults/support.ts';
import { Bench } from '../checkers/checker.ts';
import { limits } from '../checkers/limits.ts';
import { staysUp } from '../checkers/stays-up.ts';
import { MACHINE_TIME } from '../cluster/time.ts';
import { History } from '../history/history.ts';
import { watchLag } from '../history/lag.ts';
import { Tally } from '../history/tally.ts';
import { LimitExceededError, ScenarioUnsupportedError } from '../scenarios/scenario.ts';
import type { Measurement, Scenario, Stage } from '../scenarios/scenario.ts';
import { Observer } from '../workloads/observer.ts';
import { Recorder } from '../workloads/recorder.ts';
import { VERSION } from '../reports/results.ts';
import type { Order, Proof } from '../reports/results.ts';
import { TimelineOf } from '../reports/timeline-of.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { seeded } from '../schedule/seeded.ts';
import { describeEnvironment } from './environment.ts';
import { leaveReports } from './leave.ts';
import type { Ending, Run } from './leave.ts';
import { FILES, makeRunDirectory, newRunId, writeJson } from './run-directory.ts';

export interface RunOptions {
  readonly scenario: Scenario;
  readonly world: LabWorld;
  readonly nodes: number;
  readonly rounds: number;
  /** how long faults strike; null: as long as the scenario needs */
  readonly durationMs: number | null;
  readonly seed: number;
  /** chaos-results of the working directory, usually */
  readonly resultsIn: string;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  /** played instead of what the seed would make; default null */
  readonly schedule?: Schedule | null;
  /** started as a node in place of the product's own program; processes only */
  readonly program?: Program;
}

interface Program {
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
}

/** the error of every measured change of mode */
const STATUS_EVERY_MS = 40;
const REQUEST_TIMEOUT_MS = 5_000;
/** The engine may tell of an end later than a question to the node fails. */
const DEATH_TOLD_MS = 2_000;

export async function run(options: RunOptions): Promise<Run> {
  const startedAt = new Date();
  const clock = performance.now();
  const runId = newRunId();
  const directory = makeRunDirectory(options.resultsIn, runId);
  const history = new History(path.join(directory, FILES.history));
  const ending = await playAndClose(options, runId, directory, history);
  return leaveReports(directory, {
    ...ending,
    runId,
    scenario: options.scenario,
    order: orderOf(options, ending.schedule),
    startedAt: startedAt.toISOString(),
    tookMs: Math.round(performance.now() - clock),
    environment: await describeEnvironment(options.world === 'containers'),
  });
}

/** For everything that the schedule may hold; what the world then cannot do, it says itself. */
function preparationOf({ scenario, schedule, nodes, seed, durationMs }: RunOptions): Preparation {
  const names = Array.from({ length: nodes }, (_, i) => `node${i + 1}`);
  const planned =
    schedule ?? scenario.schedule?.({ nodes: names, seed, durationMs, supports: () => null }) ?? null;
  return preparationFor(planned?.steps.flatMap((step) => (step.do === 'fault' ? [step.spec] : [])) ?? []);
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
  const tally = new Tally();
  history.listen((line) => tally.take(line));
  let bench: Bench | null = null;
  let timeline: TimelineOf | null = null;
  const troubles: string[] = [];
  let nodes: readonly string[] = [];
  let cleanUp: CloseReport = { leftovers: [], removed: 0 };
  let cluster: LabCluster | null = null;
  let schedule: Schedule | null = null;
  let ended: Ending['ended'] = 'early';
  let deaths = 0;
  const hasDied = async (): Promise<boolean> =>
    (await poll(async () => (deaths > 0 ? true : null), { everyMs: 50, budgetMs: DEATH_TOLD_MS })) !== null;
  try {
    const { world, nodes: count, seed, progress, signal, program } = options;
    cluster = await openLabCluster(world, {
      seed,
      nodes: count,
      progress,
      signal,
      runId,
      prepare: preparationOf(options),
      ...program,
      died: ({ node, exitCode, said }) => {
        deaths += 1;
        progress(`${node} ended by itself`);
        history.add({ type: 'died', node, exitCode, said });
      },
      cleanedUp: (report) => (cleanUp = report),
    });
    if (cluster.time !== undefined) history.goBy(cluster.time);
    nodes = cluster.nodes.map(({ name }) => name);
    const judges = new Bench([...options.scenario.checkers, limits, staysUp], nodes);
    bench = judges;
    history.listen((line) => judges.take(line));
    const drawn = new TimelineOf(nodes);
    timeline = drawn;
    history.listen((line) => drawn.take(line));
    history.add({
      type: 'run',
      version: 1,
      runId,
      scenario: options.scenario.name,
      world: options.world,
      seed: options.seed,
      nodes,
    });
    schedule = scheduleOf(cluster, options);
    writeJson(directory, FILES.schedule, orderOf(options, schedule));
    await play(cluster, options, history, schedule, {
      measured: (measurement) => {
        const { ms, what, from, budgetMs, round } = measurement;
        // What was so before its cause was not caused by it: how long it took is not known.
        if (ms < 0) {
          options.progress(`not measured, since it was so before: ${what}`);
          if (budgetMs !== null)
            history.add({ type: 'unmeasured', from, what, why: 'it was so before', budgetMs, round });
          return;
        }
        measurements.push(measurement);
        history.add({ type: 'measured', ...measurement, ms: Number.isFinite(ms) ? ms : null });
      },
      proof: (what, evidence) => proofs.push({ what, at: history.now(), evidence }),
    });
    ended = 'played';
  } catch (error) {
    if (options.signal.aborted) ended = 'interrupted';
    else if (error instanceof LimitExceededError) {
      const { what, limitMs, seen } = error;
      history.add({ type: 'limit', what, limitMs, seen });
      ended = 'played';
    } else if (error instanceof ScenarioUnsupportedError) troubles.push(`unsupported: ${error.message}`);
    else if (error instanceof WorldUnavailableError) throw error;
    else if (await hasDied()) {
      // What the lab could not do with a node that had ended is that node's failure.
      options.progress(`given up: ${messageOf(error)}`);
      ended = 'played';
    } else troubles.push(`${error instanceof FaultError ? 'inconclusive' : 'harness'}: ${messageOf(error)}`);
  } finally {
    if (cluster !== null) {
      options.progress('cleaning up');
      for (const node of cluster.nodes)
        writeFileSync(path.join(directory, `${node.name}.log`), await node.logs());
      cleanUp = await cluster.close();
    }
    await history.close();
  }
  // A history that breaks off says nothing about the nodes, so nothing is checked.
  const checks = ended === 'played' && bench !== null ? bench.verdicts() : [];
  return {
    nodes,
    schedule,
    measurements,
    proofs,
    troubles,
    cleanUp,
    ended,
    checks,
    writes: tally.counts,
    strikes: tally.strikes,
    timeline: (timeline ?? new TimelineOf(nodes)).timeline(),
  };
}

function orderOf(options: RunOptions, schedule: Schedule | null): Order {
  const { scenario, world, nodes, rounds, durationMs, seed } = options;
  return { version: VERSION, scenario: scenario.name, world, nodes, rounds, durationMs, seed, schedule };
}

/** What will happen, known before it does. */
function scheduleOf(
  cluster: LabCluster,
  { scenario, seed, durationMs, schedule = null }: RunOptions,
): Schedule | null {
  const nodes = cluster.nodes.map(({ name }) => name);
  const supports = cluster.supports.bind(cluster);
  return schedule ?? scenario.schedule?.({ nodes, seed, durationMs, supports }) ?? null;
}

async function play(
  cluster: LabCluster,
  options: RunOptions,
  history: History,
  schedule: Schedule | null,
  notes: Pick<Stage, 'measured' | 'proof'>,
): Promise<void> {
  const members = cluster.nodes.map((node) => ({
    node,
    client:
      cluster.clientOf?.(node) ??
      new LatticeClient(() => node.url, cluster.apiToken, { timeoutMs: REQUEST_TIMEOUT_MS }),
  }));
  const time = cluster.time ?? MACHINE_TIME;
  const observer = new Observer(members, history, { everyMs: STATUS_EVERY_MS, time });
  // Virtual time is never late.
  const endLag = cluster.time === undefined ? watchLag(history) : () => {};
  observer.start();
  try {
    await options.scenario.play({
      ...notes,
      cluster,
      members,
      history,
      recorder: new Recorder(history),
      observer,
      time,
      rounds: options.rounds,
      seed: options.seed,
      durationMs: options.durationMs,
      schedule,
      random: seeded(options.seed),
      signal: options.signal,
      progress: options.progress,
    });
  } finally {
    endLag();
    await observer.stop();
    for (const { client } of members) client.close();
  }
}

function messageOf(error: unknown): string {
  if (error instanceof NodeStartError) return `${error.message}\n${error.detail}`;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
