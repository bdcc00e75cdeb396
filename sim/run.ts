/**
 * One run of a schedule: a safety phase with its faults; then only a core of hosts is healed, which must converge while the others
 * stay away; then all are healed and all must converge. The promises are checked all along (checks.ts).
 */
import { CORE_DEFAULTS } from '../node/protocol/defaults.ts';
import type { CoreOptions } from '../node/protocol/core.ts';
import { Checks, type Violation } from './checks.ts';
import { allIn, haveEqualRoots, makeHosts } from './cluster.ts';
import { Conductor } from './conductor.ts';
import { Faults } from './faults.ts';
import type { Host, Sabotage } from './host.ts';
import type { Knobs, Schedule } from './schedule.ts';
import { statsOf, type RunStats } from './stats.ts';
import { topologyOf } from './topology.ts';
import { World } from './world.ts';

export type Verdict = 'pass' | Violation['kind'];

export interface RunReport {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly violations: readonly Violation[];
  /** unique facts */
  readonly acknowledged: number;
  /** virtual ms from the heal of the core, and of all, to one root with a fresh write; null when it never came */
  readonly coreConvergedMs: number | null;
  readonly convergedMs: number | null;
  readonly traceHash: string;
  /** events of the world */
  readonly events: number;
  /** virtual ms */
  readonly tookMs: number;
  readonly stats: RunStats;
}

export interface RunExtras {
  /** planted bugs of the machine, so that the checks can be seen failing */
  readonly sabotage?: Sabotage;
  /** called now and then while there are faults: a large world takes minutes. @param doneMs virtual */
  readonly onProgress?: (doneMs: number) => void;
}

export function run(schedule: Schedule, extras: RunExtras = {}): RunReport {
  return new Run(schedule, extras).report();
}

/** A fresh write that a node refuses, for its clock is not right yet, is tried again so much later, in ms. */
const RETRY_MS = 500;
/** How often a look at all roots is worth it, in ms. */
const LOOK_MS = 10;
const LOOK_LARGE_MS = 50;
/** After convergence: the slowest disk has synced, and heartbeats have told of it, in ms. */
const SETTLE_MS = 500;
const LARGE = 64;
/** How often somebody who waits is told, in virtual ms. */
const PROGRESS_MS = 10_000;

class Run {
  readonly #schedule: Schedule;
  readonly #world: World;
  readonly #hosts: readonly Host[];
  readonly #checks: Checks;
  readonly #faults: Faults;
  readonly #conductor: Conductor;
  readonly #lookMs: number;
  readonly #onProgress: (doneMs: number) => void;
  #coreConvergedMs: number | null = null;
  #convergedMs: number | null = null;
  #healing: { readonly sessions: number; readonly bytes: number } = { sessions: 0, bytes: 0 };

  constructor(schedule: Schedule, { sabotage = {}, onProgress = () => {} }: RunExtras) {
    this.#schedule = schedule;
    this.#onProgress = onProgress;
    const { seed, options } = schedule;
    const core = coreOptions(options.knobs);
    this.#world = new World({ seed, quality: options.quality });
    this.#checks = new Checks(this.#world, () => this.#hosts, { core, isFullMesh: options.degree === null });
    const { hosts, degree, wire, nodes } = options;
    this.#hosts = makeHosts(this.#world, {
      seed,
      hosts,
      topology: topologyOf(seed, nodes, degree),
      wire,
      core,
      sabotage,
      watch: this.#checks,
      keepsEvents: false,
    });
    this.#faults = new Faults(nodes);
    this.#world.rule = this.#faults.rule;
    this.#world.isDeaf = this.#faults.isDeaf;
    this.#lookMs = nodes > LARGE ? LOOK_LARGE_MS : LOOK_MS;
    const [world, checks, faults] = [this.#world, this.#checks, this.#faults];
    this.#conductor = new Conductor({ world, hosts: this.#hosts, faults, checks }, schedule);
  }

  report(): RunReport {
    try {
      this.#go();
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#checks.fail('broken', null, text);
    }
    const { violations, acknowledged } = this.#checks;
    const [world, hosts] = [this.#world, this.#hosts];
    for (const host of hosts) world.note(host.core.replica.root());
    return {
      seed: this.#schedule.seed,
      verdict: violations[0]?.kind ?? 'pass',
      violations,
      acknowledged,
      coreConvergedMs: this.#coreConvergedMs,
      convergedMs: this.#convergedMs,
      traceHash: world.traceHash,
      events: world.steps,
      tookMs: world.now,
      stats: statsOf(world, hosts, this.#conductor.written, this.#healing.sessions, this.#healing.bytes),
    };
  }

  #go(): void {
    const { faultsMs, core } = this.#schedule.options;
    for (const host of this.#hosts) host.start();
    this.#conductor.begin();
    for (let at = PROGRESS_MS; at < faultsMs && !this.#world.isHalted; at += PROGRESS_MS) {
      this.#world.runTo(at);
      this.#onProgress(at);
    }
    this.#world.runTo(faultsMs);
    if (this.#world.isHalted) return;

    this.#conductor.finish();
    const members = this.#hosts.filter(({ number }) => core.includes(number));
    const rest = this.#hosts.filter(({ number }) => !core.includes(number));
    const rejoin = this.#sendAway(rest);
    this.#coreConvergedMs = this.#converge(members, 'core');
    rejoin();
    if (this.#world.isHalted) return;

    this.#convergedMs = this.#converge(this.#hosts, 'all');
    if (this.#world.isHalted) return;
    this.#world.runTo(this.#world.now + SETTLE_MS);
    // Tombstones are collected at about the same time, not at the same: the roots may be unlike for a blink.
    const isSettled = (): boolean =>
      haveEqualRoots(this.#hosts) && this.#hosts.every(({ disk }) => disk.isIdle);
    if (this.#world.pollUntil(isSettled, this.#world.now + this.#schedule.options.budgetMs, this.#lookMs))
      return this.#checks.settled(this.#hosts);
    if (!this.#world.isHalted)
      this.#checks.fail('liveness', 'P2', 'the roots were equal, and are not any more');
  }

  /** @returns what lets them come back */
  #sendAway(rest: readonly Host[]): () => void {
    this.#world.note(`healing ${rest.length === 0 ? 'all' : 'a core'}`);
    const { nodes, others } = this.#schedule.options;
    const away = rest.map(({ number }) => number);
    const all = Array.from({ length: nodes }, (_, number) => number);
    const heal = this.#faults.cut({ from: away, to: all, lungs: ['p2p', 'http'], oneWay: false });
    if (others === 'dead') for (const host of rest) if (host.isUp) host.kill();
    return heal;
  }

  /** @returns virtual ms until these hosts had one root with a fresh write in it, and all were in P2P; null: not in time */
  #converge(hosts: readonly Host[], name: string): number | null {
    const { budgetMs } = this.#schedule.options;
    const [world, checks] = [this.#world, this.#checks];
    const begunAt = world.now;
    for (const host of hosts) if (!host.isUp) host.start();
    const held = checks.held(hosts);
    const before = statsOf(world, this.#hosts, 0, 0, 0);
    const key = `fresh/${name}`;
    this.#writeFresh(hosts, key);
    const isDone = (): boolean =>
      hosts.every((host) => host.core.replica.get(key) !== null) &&
      haveEqualRoots(hosts) &&
      allIn(hosts, 'P2P');
    const isConverged = world.pollUntil(isDone, begunAt + budgetMs, this.#lookMs);
    if (world.isHalted) return null;
    if (!isConverged) {
      checks.checkRoots(hosts);
      if (!world.isHalted) checks.fail('liveness', 'P2', this.#unconverged(hosts, name, key));
      return null;
    }
    const after = statsOf(world, this.#hosts, 0, 0, 0);
    this.#healing = { sessions: after.sessions - before.sessions, bytes: after.bytes - before.bytes };
    checks.settledCore(hosts, held);
    return world.now - begunAt;
  }

  #writeFresh(hosts: readonly Host[], key: string): void {
    const [first] = hosts;
    if (first === undefined) return;
    const again = (): void => {
      if (first.core.replica.get(key) !== null) return;
      this.#conductor.write(first, key, '"fresh"', null);
      this.#world.after(RETRY_MS, again);
    };
    again();
  }

  #unconverged(hosts: readonly Host[], name: string, key: string): string {
    const roots = new Set(hosts.map((host) => host.core.replica.root()));
    const lacking = hosts.filter((host) => host.core.replica.get(key) === null);
    const modes = hosts.map((host) => host.core.mode().mode).join(' ');
    return (
      `${name}: ${roots.size} roots ${this.#schedule.options.budgetMs} ms after the heal, ` +
      `${lacking.length} of ${hosts.length} lack the fresh write, modes ${modes}`
    );
  }
}

/** A run that beats at another pace judges silence at the same multiple of it. */
function coreOptions({ cellsMax, ...knobs }: Knobs): CoreOptions {
  const { policy, detector, sketch } = CORE_DEFAULTS;
  const pace = (knobs.beatMs ?? policy.beatMs) / policy.beatMs;
  return {
    ...CORE_DEFAULTS,
    policy: { ...policy, restBeatMs: policy.restBeatMs * pace, ...knobs },
    sketch: { ...sketch, cellsMax: cellsMax ?? sketch.cellsMax },
    detector: {
      ...detector,
      suspicionMs: detector.suspicionMs * pace,
      suspectMs: detector.suspectMs * pace,
      restingSuspectMs: detector.restingSuspectMs * pace,
      attentiveStepMs: Math.max(detector.attentiveStepMs, 4 * (knobs.tickMs ?? 0)),
    },
  };
}
