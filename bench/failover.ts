/**
 * Failover and failback that nobody notices, on real nodes: every fault so many rounds, the times of each as quantiles, the
 * false switches of a saturated machine, what a node costs that does nothing, and what libp2p and gossipsub do by
 * themselves when the same port is dropped. README.md says how it measures.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, ClusterOptions, World } from '../chaos/cluster/port.ts';
import { listenForInterrupts } from '../chaos/demo/interrupt.ts';
import { saturate } from './failover-busy.ts';
import { blackHoleOfDefaults } from './failover-defaults.ts';
import type { DefaultsTimes } from './failover-defaults.ts';
import { Facts, unseenMs } from './failover-facts.ts';
import { quantile } from '../chaos/checkers/quantile.ts';
import { renderCurves, renderRounds, timesOf } from './failover-report.ts';
import { isSteady, playRound, switchesOf } from './failover-rounds.ts';
import type { Round } from './failover-rounds.ts';
import { STRIKES } from './failover-strikes.ts';
import type { Strike } from './failover-strikes.ts';
import { Watches } from './failover-watch.ts';
import { InterruptedError, UsageError } from './suite.ts';
import type { Bar, Row, RunOptions, Suite } from './suite.ts';

const NODES = 5;
const WRITE_EVERY_MS = 50;
const STEADY_WRITES = 200;
const START_LIMIT_MS = 60_000;
const STEADY_LIMIT_MS = 60_000;
const IDLE_MS = 20_000;
/** After the last write: what it sets off has ended, and the nodes rest. */
const SETTLE_MS = 6_000;
const BUSY_PROCESSES = 4;
const SATURATED_SECONDS = 60;
/** One round of a peer takes up to a minute. */
const ROUNDS_PER_PEER_ROUND = 10;

const DEFAULTS = 'libp2p';
const KEPT = 'libp2p, keep-alive';

const READABLE = 'write → readable on all';
const SWITCHES = 'false switches, cores saturated';
const IDLE = 'idle node';
const CARRIES = 'black hole lifted → gossip carries';
const NOTICED = 'black hole → noticed by both ends';

export const failover: Suite = {
  name: 'failover',
  describe:
    'two lungs under faults: how soon noticed, carried, back; beside libp2p and gossipsub as they come',
  packages: [],
  size: { what: 'rounds of each fault', usual: 20 },
  options: {
    cluster: { value: 'containers', describe: 'containers, or processes where there is no Docker' },
    'saturated-seconds': { value: String(SATURATED_SECONDS), describe: 'how long both cores are kept busy' },
    out: {
      value: 'bench/results',
      describe: 'directory for the times of every round (JSON) and a plot (SVG)',
    },
  },
  bars: [
    atMost(`${READABLE}, p50`, 20),
    atMost(`${READABLE}, p99`, 100),
    ...dropped('black-hole'),
    ...dropped('one-way'),
    atMost('kill → noticed by all others, p99', 300),
    atMost('both-cut → sync_mode NONE, p99', 1_500),
    atMost('both-cut lifted → P2P and equal roots, p99', 2_000),
    atMost(SWITCHES, 0),
    atMost('false switches, in all rounds', 0),
    atMost('start → HTTP answers, p99', 500),
    atMost('start → P2P ready, p99', 1_500),
    atMost(IDLE, 1),
  ],
  run,
};

function dropped(kind: Strike): readonly Bar[] {
  return [
    atMost(`${kind} → sync_mode HTTP, p99`, 1_500),
    atMost(`${kind}, longest unseen fresh write, p99`, 1_000),
    atMost(`${kind} lifted → P2P and equal roots, p99`, 2_000),
  ];
}

function atMost(what: string, limit: number): Bar {
  return { what, against: null, limit: { atMost: limit } };
}

async function run({ n, say, options }: RunOptions): Promise<readonly Row[]> {
  const world = worldOf(options['cluster'] ?? '');
  const saturatedMs = secondsOf(options['saturated-seconds'] ?? '') * 1000;
  const interrupt = listenForInterrupts();
  try {
    const ours = await measureOurs(world, n, saturatedMs, say, interrupt.signal);
    say('the same black hole with libp2p and gossipsub as they come');
    const defaults = await measureDefaults(
      Math.max(1, Math.floor(n / ROUNDS_PER_PEER_ROUND)),
      interrupt.signal,
    );
    console.log(`\n${renderRounds(ours.rounds)}`);
    tellTroubles(ours);
    keep(options['out'] ?? '', world, { ...ours, defaults });
    return rowsOf(ours, defaults);
  } catch (error) {
    if (interrupt.signal.aborted) throw new InterruptedError(interrupt.exitCode());
    throw error;
  }
}

function worldOf(text: string): World {
  if (text === 'containers' || text === 'processes') return text;
  throw new UsageError(`--cluster is containers or processes, not ${JSON.stringify(text)}`);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 600) return seconds;
  throw new UsageError('--saturated-seconds is a whole number from 1 to 600');
}

interface Ours {
  readonly rounds: readonly Round[];
  /** acknowledged → readable on the last node, ms, while nothing was wrong */
  readonly readable: readonly number[];
  /** of each node, % of a core */
  readonly idle: readonly number[];
  /** changes of mode while the cores were saturated, one line each */
  readonly saturatedSwitches: readonly string[];
  /** launched → HTTP answers `/health`, ms; one node after the other, while the others run */
  readonly answers: readonly number[];
  /** launched → its API serves, ms, of the same starts */
  readonly serves: readonly number[];
}

async function measureOurs(
  world: World,
  rounds: number,
  saturatedMs: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Ours> {
  const cluster = await openCluster(world, {
    nodes: NODES,
    runId: `failover-${randomBytes(4).toString('hex')}`,
    progress: say,
    signal,
  });
  const ending = new AbortController();
  const watches = new Watches(cluster.nodes, AbortSignal.any([signal, ending.signal]));
  const listening = watches.listen();
  const facts = new Facts(cluster.nodes, watches, { everyMs: WRITE_EVERY_MS, apiToken: cluster.apiToken });
  try {
    if (!(await watches.until(() => isSteady(watches.all), START_LIMIT_MS)))
      throw new Error(`P2P between all nodes did not come up within ${START_LIMIT_MS} ms`);
    const bench = { cluster, watches, facts, names: cluster.nodes.map(({ name }) => name), signal, say };
    const { played, answers, serves } = await playRounds(bench, rounds);
    // Only now: a fresh node costs several times what one costs whose code is compiled.
    const readable = await measureReadable(bench);
    const idle = await measureIdle(bench);
    const saturatedSwitches = await seeFalseSwitches(bench, saturatedMs);
    return { rounds: played, readable, idle, saturatedSwitches, answers, serves };
  } finally {
    facts.close();
    ending.abort();
    const report = await cluster.close();
    await listening;
    for (const left of report.leftovers) say(`left behind: ${left}`);
  }
}

/** Loaded only where it is used: testcontainers takes half a second. */
async function openCluster(world: World, options: ClusterOptions): Promise<Cluster> {
  switch (world) {
    case 'containers':
      return (await import('../chaos/cluster/containers.ts')).startContainerCluster(options);
    case 'processes':
      return (await import('../chaos/cluster/processes.ts')).startProcessCluster(options);
  }
}

interface Bench {
  readonly cluster: Cluster;
  readonly watches: Watches;
  readonly facts: Facts;
  readonly names: readonly string[];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

async function measureReadable({ watches, facts, names, say }: Bench): Promise<readonly number[]> {
  say(`${STEADY_WRITES} writes while nothing is wrong`);
  if (!(await watches.until(() => isSteady(watches.all), STEADY_LIMIT_MS)))
    throw new Error('no steady state after the rounds');
  const count = facts.facts.length + STEADY_WRITES;
  facts.rotate(names, names);
  await watches.until(() => facts.facts.length >= count, STEADY_LIMIT_MS);
  facts.pause();
  if (!(await watches.until(() => facts.allSeen, STEADY_LIMIT_MS)))
    throw new Error('writes are not seen everywhere although nothing is wrong');
  return facts.facts.slice(-STEADY_WRITES).map((fact) => unseenMs(fact, Date.now()));
}

async function measureIdle({ cluster, say, signal }: Bench): Promise<readonly number[]> {
  say(`what a node costs that has nothing to do: ${IDLE_MS / 1000} s`);
  await delay(SETTLE_MS, undefined, { signal });
  const cpuOf = async (): Promise<readonly number[]> =>
    Promise.all(cluster.nodes.map((node) => node.cpuMs()));
  const startedAt = performance.now();
  const before = await cpuOf();
  await delay(IDLE_MS, undefined, { signal });
  const after = await cpuOf();
  const tookMs = performance.now() - startedAt;
  return after.map((cpuMs, i) => (100 * (cpuMs - (before[i] ?? 0))) / tookMs);
}

/** Faults take turns, so that a slow minute of the machine hits all of them; so do the nodes. */
async function playRounds(
  bench: Bench,
  rounds: number,
): Promise<{ readonly played: readonly Round[] } & Pick<Ours, 'answers' | 'serves'>> {
  const played: Round[] = [];
  const answers: number[] = [];
  const serves: number[] = [];
  const { nodes } = bench.cluster;
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of STRIKES) {
      const victim = nodes[played.length % nodes.length];
      if (victim === undefined) throw new RangeError('no node to strike');
      const done = await playRound(bench, { kind, round, victim, thorough: round === 1 });
      played.push(done);
      if (kind === 'kill') {
        const { launchedAt, answersAt, servesAt } = await victim.start();
        answers.push(answersAt - launchedAt);
        serves.push(servesAt - launchedAt);
      }
    }
    bench.say(`round ${round} of ${rounds}`);
  }
  return { played, answers, serves };
}

async function seeFalseSwitches(bench: Bench, ms: number): Promise<readonly string[]> {
  const { watches, facts, names, signal, say } = bench;
  say(`${BUSY_PROCESSES} busy processes for ${ms / 1000} s`);
  facts.rotate(names, names);
  const from = Date.now();
  await saturate(BUSY_PROCESSES, ms, signal);
  signal.throwIfAborted();
  facts.pause();
  await watches.until(() => facts.allSeen, START_LIMIT_MS);
  return watches.all.flatMap((watch) => switchesOf(watch, from));
}

interface Defaults {
  readonly plain: readonly DefaultsTimes[];
  readonly kept: readonly DefaultsTimes[];
}

/** Both at a time: they mostly wait. */
async function measureDefaults(rounds: number, signal: AbortSignal): Promise<Defaults> {
  const measured: { plain: DefaultsTimes; kept: DefaultsTimes }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [plain, kept] = await Promise.all([
      blackHoleOfDefaults({ keepAlive: false }, signal),
      blackHoleOfDefaults({ keepAlive: true }, signal),
    ]);
    measured.push({ plain, kept });
  }
  return { plain: measured.map(({ plain }) => plain), kept: measured.map(({ kept }) => kept) };
}

function rowsOf(ours: Ours, defaults: Defaults): readonly Row[] {
  const { rounds } = ours;
  const p99 = (kind: Strike, measure: Parameters<typeof timesOf>[2]): number =>
    quantile(timesOf(rounds, kind, measure), 0.99);
  const p50 = (kind: Strike, measure: Parameters<typeof timesOf>[2]): number =>
    quantile(timesOf(rounds, kind, measure), 0.5);
  const peers = (field: keyof DefaultsTimes): Row['peers'] => ({
    [DEFAULTS]: quantile(
      defaults.plain.map((times) => times[field]),
      0.5,
    ),
    [KEPT]: quantile(
      defaults.kept.map((times) => times[field]),
      0.5,
    ),
  });
  const cuts = (['black-hole', 'one-way'] as const).flatMap((kind) => [
    row(`${kind} → sync_mode HTTP, p99`, p99(kind, 'flip')),
    row(`${kind}, longest unseen fresh write, p99`, p99(kind, 'unseen')),
    row(`${kind} lifted → P2P and equal roots, p99`, p99(kind, 'healed')),
  ]);
  const falseSwitches = rounds.reduce((sum, round) => sum + round.falseSwitches.length, 0);
  return [
    row(`${READABLE}, p50`, quantile(ours.readable, 0.5)),
    row(`${READABLE}, p99`, quantile(ours.readable, 0.99)),
    ...cuts,
    row('both-cut → sync_mode NONE, p99', p99('both-cut', 'flip')),
    row('both-cut lifted → P2P and equal roots, p99', p99('both-cut', 'healed')),
    row('kill → noticed by all others, p99', p99('kill', 'detect')),
    row('freeze → noticed by all others, p99', p99('freeze', 'detect')),
    row('thaw → P2P and equal roots, p99', p99('freeze', 'healed')),
    row('start → HTTP answers, p99', quantile(ours.answers, 0.99)),
    row('start → API serves, p99', quantile(ours.serves, 0.99)),
    row('start → P2P ready, p99', p99('kill', 'ready')),
    { ...row(SWITCHES, ours.saturatedSwitches.length), unit: 'switches' },
    { ...row('false switches, in all rounds', falseSwitches), unit: 'switches' },
    { ...row(IDLE, Math.max(...ours.idle)), unit: '% of a core' },
    { ...row(NOTICED, p50('black-hole', 'detect')), peers: peers('noticedMs') },
    { ...row(CARRIES, p50('black-hole', 'relinked')), peers: peers('carriesMs') },
  ];
}

function row(what: string, ours: number): Row {
  return { what, unit: 'ms', better: 'lower', ours, peers: {} };
}

/** What makes a round's times less than they seem. */
function tellTroubles({ rounds, saturatedSwitches }: Ours): void {
  for (const line of saturatedSwitches) console.log(`note: cores saturated: ${line}`);
  for (const { kind, round, victim, unproven, late, refused, falseSwitches } of rounds) {
    const troubles = [
      ...unproven.map((claim) => `not so: ${claim}`),
      ...late.map((what) => `never: ${what}`),
      ...(refused > 0 ? [`${refused} writes refused`] : []),
      ...falseSwitches,
    ];
    if (troubles.length > 0)
      console.log(`note: ${kind} of ${victim}, round ${round}: ${troubles.join('; ')}`);
  }
}

function keep(directory: string, world: World, measured: Ours & { readonly defaults: Defaults }): void {
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, `failover-${world}`);
  writeFileSync(`${file}.json`, `${JSON.stringify({ world, nodes: NODES, ...measured }, null, 2)}\n`);
  const { rounds } = measured;
  const chart = renderCurves(`Failover and failback of five nodes (${world})`, [
    { name: 'dropped → HTTP', times: timesOf(rounds, 'black-hole', 'flip'), budgetMs: 1_500 },
    { name: 'longest unseen write', times: timesOf(rounds, 'black-hole', 'unseen'), budgetMs: 1_000 },
    { name: 'killed → noticed', times: timesOf(rounds, 'kill', 'detect'), budgetMs: 300 },
    { name: 'lifted → P2P, equal roots', times: timesOf(rounds, 'black-hole', 'healed'), budgetMs: 2_000 },
  ]);
  writeFileSync(`${file}.svg`, chart);
  console.log(`every round: ${file}.json, plot: ${file}.svg`);
}
