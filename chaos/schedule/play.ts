/**
 * Plays a schedule: steady state, clients, every step at its time, the last heal, then liveness (P2P everywhere and equal
 * roots that contain writes made after the heal), and final reads. It acts and measures; the checkers judge.
 */
import { struckBy } from '../faults/spec.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { LabCluster } from '../cluster/port.ts';
import { evidenceOf, FaultError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { isCut } from '../faults/partition.ts';
import type { LineOf } from '../history/line.ts';
import { blamed } from '../scenarios/blamed.ts';
import { ScenarioUnsupportedError } from '../scenarios/scenario.ts';
import type { Stage } from '../scenarios/scenario.ts';
import {
  keepWriting,
  reachSteadyState,
  readFinals,
  until,
  untilEqual,
  withFacts,
  writeFresh,
} from '../scenarios/steps.ts';
import type { Play } from '../scenarios/steps.ts';
import { longestUnseenMs } from '../workloads/unique-facts.ts';
import { Clients } from './clients.ts';
import { endOf } from './schedule.ts';
import type { Schedule, Step } from './schedule.ts';

const RETURN_LIMIT_MS = 60_000;
/** DESIGN section 8 */
const FAILOVER_BUDGET_MS = 1_500;
const UNSEEN_BUDGET_MS = 1_000;

type FaultStep = Extract<Step, { readonly do: 'fault' }>;
type ForceStep = Extract<Step, { readonly do: 'force' }>;

/** @returns why this cluster cannot play it, the first reason; null: it can */
function whyUnsupported(cluster: Pick<LabCluster, 'supports'>, { steps }: Schedule): string | null {
  for (const step of steps) {
    const reason = step.do === 'fault' ? cluster.supports(step.spec) : null;
    if (reason !== null) return reason;
  }
  return null;
}

/** Throws ScenarioUnsupportedError before anything happens. */
export async function playSchedule(stage: Stage, schedule: Schedule): Promise<void> {
  const reason = whyUnsupported(stage.cluster, schedule);
  if (reason !== null) throw new ScenarioUnsupportedError(reason);
  await withFacts(stage, schedule.workloads.facts, async (play) => {
    const clients = new Clients(play.facts, play, schedule.workloads);
    play.observer.look(schedule.statusEveryMs);
    try {
      await reachSteadyState(play);
      await clients.prepare();
      clients.start();
      await keepWriting(play, play.members);
      play.history.add({ type: 'mark', mark: 'steady', node: '' });
      const healedAt = await new Strikes(play, schedule, clients).all();
      await recover(play, schedule, healedAt);
      clients.start();
      await keepWriting(play, play.members);
      await clients.stop();
    } finally {
      await clients.stop();
    }
    await readFinals(play);
  });
}

/** The steps of one schedule on the way. */
class Strikes {
  readonly #play: Play;
  readonly #schedule: Schedule;
  readonly #clients: Clients;
  readonly #ending = new AbortController();
  readonly #performed = new Map<Step, Promise<void>>();
  readonly #lastEnd: number;
  #startedAt = 0;
  #healedAt = 0;

  constructor(play: Play, schedule: Schedule, clients: Clients) {
    this.#play = play;
    this.#schedule = schedule;
    this.#clients = clients;
    this.#lastEnd = endOf(schedule);
    play.signal.addEventListener('abort', () => this.#ending.abort(play.signal.reason), { once: true });
  }

  /** Resolves when every fault is lifted. @returns since when */
  async all(): Promise<number> {
    const { history } = this.#play;
    this.#startedAt = history.now();
    this.#healedAt = this.#startedAt;
    const outcomes = await Promise.allSettled(
      this.#schedule.steps.map((step) => {
        const performed = this.#perform(step);
        this.#performed.set(step, performed);
        return performed;
      }),
    );
    this.#ending.signal.throwIfAborted();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    history.add({ type: 'mark', mark: 'healed', node: '' }, this.#healedAt);
    return this.#healedAt;
  }

  async #perform(step: Step): Promise<void> {
    try {
      await this.#until(this.#startedAt + step.at);
      // On a slow machine a fault takes longer than planned: what was to come after it still does.
      const before = this.#schedule.steps.filter(({ at, holdMs }) => at + holdMs <= step.at);
      await Promise.all(before.map((one) => this.#performed.get(one) ?? Promise.resolve()));
      await (step.do === 'fault' ? this.#strike(step) : this.#force(step));
    } catch (error) {
      // Nobody begins anything any more; what is in force is lifted by those who began it.
      this.#ending.abort(error);
      throw error;
    }
  }

  async #strike(step: FaultStep): Promise<void> {
    const { cluster, history } = this.#play;
    const { spec, id } = step;
    const nodes = struckNodes(spec, this.#schedule.nodes);
    const mark = (phase: LineOf<'fault'>['phase'], at: number): number =>
      history.add({ type: 'fault', id, phase, spec, nodes }, at);
    const fault = cluster.fault(spec);
    const what = `#${id} ${fault.name}`;
    this.#play.progress(`${what}: ${fault.means}`);
    const options = { probes: !this.#overlaps(step) };
    let isBegun = false;
    let isLifted = false;
    try {
      const { beganAt, completeAt } = await blamed(fault.inject(options));
      const begunAt = mark('begun', history.timeOf(beganAt));
      isBegun = true;
      mark('complete', history.timeOf(completeAt));
      await this.#until(begunAt + step.holdMs);
      this.#measureFailover(step, begunAt);
      if (this.#isLast(step)) await this.#clients.pause();
      const evidence = await blamed(fault.evidence(options));
      if (!evidence.ok) mark('unproven', history.now());
      this.#play.proof(`${what} bites`, evidence);
      mark('lifting', history.now());
      const liftedAt = mark('lifted', history.timeOf(await blamed(fault.lift())));
      isLifted = true;
      this.#healedAt = Math.max(this.#healedAt, liftedAt);
      this.#play.progress(`${what} is lifted`);
      this.#measureUnseen(step, begunAt, liftedAt);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      // The rest is played all the same: what it finds counts, though the run can be no pass any more.
      if (!isBegun) mark('begun', history.now());
      mark('unproven', history.now());
      const claim = error.message;
      this.#play.proof(`${what} bites`, evidenceOf([{ claim, holds: false }], { count: 0, bytes: 0 }));
    } finally {
      if (!isLifted) await lifted(fault);
    }
    if (!isLifted) this.#healedAt = Math.max(this.#healedAt, mark('lifted', history.now()));
    const gone = await fault.heal({ probes: options.probes && !this.#isLast(step) });
    mark('gone', history.now());
    this.#play.proof(`${what} is gone`, gone);
  }

  async #force({ holdMs, node, mode }: ForceStep): Promise<void> {
    const { history, members } = this.#play;
    const member = members.find((one) => one.node.name === node);
    if (member === undefined) throw new RangeError(`there is no ${node}`);
    this.#play.progress(`forcing ${mode} on ${node}`);
    await member.client.force(mode);
    const begunAt = history.add({ type: 'force', node, mode });
    try {
      await this.#until(begunAt + holdMs);
    } finally {
      await member.client.force(null);
      this.#healedAt = Math.max(this.#healedAt, history.add({ type: 'force', node, mode: null }));
    }
  }

  /** @param at on the history's clock */
  async #until(at: number): Promise<void> {
    const { time, history } = this.#play;
    const { signal } = this.#ending;
    for (;;) {
      signal.throwIfAborted();
      const leftMs = at - history.now();
      if (leftMs <= 0) return;
      await time.wait(Math.min(leftMs, LOOK_MS));
    }
  }

  /** Around the last heal nobody writes but the fresh writes, so that roots can be equal and mean something. */
  #isLast({ at, holdMs }: Step): boolean {
    return at + holdMs >= this.#lastEnd;
  }

  #overlaps(step: Step): boolean {
    return this.#schedule.steps.some(
      (other) =>
        other !== step &&
        other.do === 'fault' &&
        other.at <= step.at + step.holdMs + AFTERMATH_MS &&
        other.at + other.holdMs + AFTERMATH_MS >= step.at,
    );
  }

  /** How soon those whom gossip reached no more said so. */
  #measureFailover(step: FaultStep, from: number): void {
    const { observer } = this.#play;
    const { spec, id } = step;
    if (spec.kind !== 'partition' || spec.scope === 'http') return;
    const [mode, budgetMs] =
      spec.scope === 'p2p' ? (['HTTP', FAILOVER_BUDGET_MS] as const) : (['NONE', null] as const);
    const { nodes } = this.#schedule;
    const isAlone = (node: string): boolean =>
      nodes.every((other) => other === node || isCut(spec.grudges, node, other));
    for (const node of this.#overlaps(step) ? [] : nodes.filter(isAlone)) {
      const latest = observer.latest(node);
      const at = latest?.status.sync_mode === mode ? latest.modeSince : Infinity;
      const what = `${node} cut off → sync_mode ${mode}`;
      this.#play.measured({ what, from, ms: at - from, budgetMs, round: id });
    }
  }

  /** With one lung left between any two, a write stays unseen for no longer than the change of lung takes. */
  #measureUnseen(step: FaultStep, from: number, to: number): void {
    const { spec, id } = step;
    if (spec.kind !== 'partition' || spec.scope === 'both' || this.#overlaps(step)) return;
    const { facts, history } = this.#play;
    const during = facts.facts.filter(({ ackedAt }) => ackedAt >= from && ackedAt < to);
    const ms = longestUnseenMs(during, from, this.#schedule.nodes, history.now());
    const what = 'longest a fresh write stayed unseen';
    this.#play.measured({ what, from, ms, budgetMs: UNSEEN_BUDGET_MS, round: id });
  }
}

const LOOK_MS = 250;
/** So long after its end a fault may still be felt: what is near it is not probed and not held against a budget. */
const AFTERMATH_MS = 3_000;

/** P2P everywhere, and equal roots that contain a write of every node made after the heal. */
async function recover(play: Play, { recoveryBudgetMs }: Schedule, healedAt: number): Promise<void> {
  const { members, observer, history } = play;
  await play.facts.pause();
  const fresh = await writeFresh(play, members);
  const isBack = (name: string): boolean => {
    const latest = observer.latest(name);
    return latest !== null && latest.at > healedAt && latest.status.sync_mode === 'P2P';
  };
  const [backAt, equalAt] = await Promise.all([
    until(play, 'P2P on all nodes', RETURN_LIMIT_MS, () => members.every(({ node }) => isBack(node.name))),
    untilEqual(play, fresh),
  ]);
  const recoveredAt = history.add({ type: 'mark', mark: 'recovered', node: '' }, Math.max(backAt, equalAt));
  play.measured({
    what: 'healed → P2P everywhere, equal roots with fresh writes',
    from: healedAt,
    ms: recoveredAt - healedAt,
    budgetMs: recoveryBudgetMs,
    round: 0,
  });
  play.progress('P2P everywhere, equal roots');
  await until(play, 'P2P between all nodes', RETURN_LIMIT_MS, () =>
    members.every(({ node }) => observer.latest(node.name)?.p2pAlive === members.length - 1),
  );
}

async function lifted(fault: Fault): Promise<void> {
  // What went wrong before is what will be told.
  await fault.lift().catch(() => undefined);
}

/** Whose process, disk or clock it strikes: links are told apart from them. */
function struckNodes(spec: FaultSpec, nodes: readonly string[]): readonly string[] {
  if (spec.kind === 'partition') return [];
  return spec.kind === 'scale' ? nodes.slice(spec.to) : struckBy(spec);
}
