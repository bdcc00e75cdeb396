/**
 * The tour: the story of the lattice in six steps. Each announces its hypothesis and gives people the time to read it, then
 * acts, measures, lets them look, and gives its verdict. A step fails when its claim did not hold within its budget or a
 * client's request failed that should not have; it is inconclusive when its fault was not proven.
 */
import { TOUR_STEPS } from '../../../dashboard/room/model.ts';
import type {
  RoomEvent,
  RoomView,
  StepDetail,
  TourStep,
  TourStepName,
  TourView,
} from '../../../dashboard/room/model.ts';
import { groupsOf } from '../../../dashboard/room/groups.ts';
import type { Cluster } from '../../cluster/port.ts';
import { pause, until } from '../patience.ts';
import type { Bank } from './bank.ts';
import type { Harm } from './harm.ts';
import type { Recoveries } from './recovery.ts';

export interface TourModules {
  readonly cluster: Cluster;
  readonly bank: Bank;
  readonly harm: Harm;
  readonly recoveries: Recoveries;
  readonly view: () => RoomView;
  readonly apply: (event: RoomEvent) => void;
}

export interface TourPace {
  /** to read a hypothesis before anything happens */
  readonly readMs: number;
  /** acknowledged transfers under the fault before the verdict: what there is to look at */
  readonly transfers: number;
}

/** For people in a room. About six seconds of looking at twenty transfers a second. */
export const PITCH_PACE: TourPace = { readMs: 6000, transfers: 120 };

/** Many times what is usual (DESIGN, section 8), since the machine may be small and busy: the measured time is shown. */
const BUDGET_MS = 20_000;
const LOOK_EVERY_MS = 50;

interface Outcome {
  readonly state: 'pass' | 'fail' | 'inconclusive';
  readonly tookMs: number | null;
  readonly detail: StepDetail | null;
}

export class Tour {
  readonly #modules: TourModules;
  readonly #pace: TourPace;
  #steps: readonly TourStep[];

  constructor(modules: TourModules, pace: TourPace) {
    this.#modules = modules;
    this.#pace = pace;
    const victim = modules.cluster.nodes.at(-1)?.name ?? null;
    this.#steps = TOUR_STEPS.map((name) => ({
      name,
      state: 'waiting',
      node: name === 'kill' || name === 'heal' ? victim : null,
      tookMs: null,
      detail: null,
    }));
  }

  /** Resolves with the tour; a stopped one skips what is left. Faults that it began are ended either way. */
  async play(signal: AbortSignal): Promise<void> {
    const { apply } = this.#modules;
    this.#show(true);
    for (const name of TOUR_STEPS) {
      if (signal.aborted) {
        this.#change(name, { state: 'skipped' });
        continue;
      }
      this.#change(name, { state: 'announced' });
      await pause(this.#pace.readMs, signal);
      this.#change(name, { state: 'running' });
      const outcome = await this.#act(name, signal).catch((error: unknown): Outcome => ({
        state: 'inconclusive',
        tookMs: null,
        detail: { type: 'trouble', text: error instanceof Error ? error.message : String(error) },
      }));
      if (signal.aborted) {
        this.#change(name, { state: 'skipped' });
        continue;
      }
      this.#change(name, outcome);
      apply({
        type: 'fact',
        at: Date.now(),
        fact: { type: 'tour', step: name, state: outcome.state, tookMs: outcome.tookMs },
      });
      await pause(this.#pace.readMs, signal);
    }
    await this.#modules.harm.endAll();
    this.#show(false);
  }

  async #act(name: TourStepName, signal: AbortSignal): Promise<Outcome> {
    switch (name) {
      case 'steady':
        return this.#seeSteadyState(signal);
      case 'cutP2p':
        return this.#cutLung('p2p', 'HTTP', signal);
      case 'cutHttp':
        return this.#cutLung('http', 'P2P', signal);
      case 'kill':
        return this.#killOne(signal);
      case 'sum':
        return this.#sumUp(signal);
      case 'heal':
        return this.#healAll(signal);
    }
  }

  async #seeSteadyState(signal: AbortSignal): Promise<Outcome> {
    const tookMs = await this.#patiently(() => this.#allBreathe('P2P') && this.#isOneState(), signal);
    if (tookMs === null) return { state: 'fail', tookMs, detail: null };
    return this.#judged(tookMs, await this.#watchTransfers(signal), true);
  }

  /** The lung of every node at once; afterwards it is given back, and everybody breathes P2P again. */
  async #cutLung(lung: 'p2p' | 'http', expected: 'P2P' | 'HTTP', signal: AbortSignal): Promise<Outcome> {
    const failedBefore = this.#failed();
    const nodes = this.#modules.cluster.nodes.map((node) => node.name);
    const startedAt = performance.now();
    const fault = await this.#modules.harm.cut(nodes, lung);
    const switched = await this.#patiently(() => this.#allBreathe(expected), signal);
    const carried = await this.#patiently(() => this.#isOver(fault.id, 'fault'), signal);
    const tookMs = switched === null || carried === null ? null : this.#recoveryMs(fault.id);
    await this.#watchTransfers(signal);
    const proven = await this.#proven(fault.id, signal);
    await this.#modules.harm.end(fault.id);
    const back = await this.#patiently(() => this.#allBreathe('P2P') && this.#isOneState(), signal);
    const held =
      back === null ? null : (tookMs ?? (switched === null ? null : performance.now() - startedAt));
    return this.#judged(carried === null ? null : held, this.#failed() - failedBefore, proven);
  }

  async #killOne(signal: AbortSignal): Promise<Outcome> {
    const victim = this.#modules.cluster.nodes.at(-1)?.name ?? '';
    const fault = await this.#modules.harm.begin({ kind: 'kill', node: victim });
    const carried = await this.#patiently(() => this.#isOver(fault.id, 'fault'), signal);
    await this.#watchTransfers(signal);
    const proven = await this.#proven(fault.id, signal);
    // The clients of a dead node see it refuse before they turn to another one: such requests are sent again, not lost.
    return this.#judged(carried === null ? null : this.#recoveryMs(fault.id), 0, proven);
  }

  async #sumUp(signal: AbortSignal): Promise<Outcome> {
    const { cluster, bank } = this.#modules;
    const up = cluster.nodes.filter(({ state }) => state === 'running');
    const startedAt = performance.now();
    let detail: StepDetail | null = null;
    const tookMs = await this.#patiently(async () => {
      const audit = await bank.audit(up);
      detail = { type: 'audited', transfers: audit.acknowledged, nodes: up.length };
      return audit.wrong === 0 && audit.nodes.every(({ sum }) => sum === audit.issued);
    }, signal);
    return {
      state: tookMs === null ? 'fail' : 'pass',
      tookMs: tookMs === null ? null : performance.now() - startedAt,
      detail,
    };
  }

  async #healAll(signal: AbortSignal): Promise<Outcome> {
    const { harm, cluster } = this.#modules;
    const killed = harm.active.map(({ id }) => id);
    await harm.endAll();
    const back = await this.#patiently(
      () =>
        cluster.nodes.every(({ state }) => state === 'running') &&
        killed.every((id) => this.#isOver(id, 'heal')) &&
        this.#allBreathe('P2P') &&
        this.#isOneState(),
      signal,
    );
    if (back === null) return { state: 'fail', tookMs: null, detail: null };
    const [first] = killed;
    const audited = await this.#sumUp(signal);
    return { ...audited, tookMs: first === undefined ? back : this.#recoveryMs(first, 'heal') };
  }

  #judged(tookMs: number | null, failedRequests: number, proven: boolean): Outcome {
    const detail: StepDetail | null =
      failedRequests === 0 ? null : { type: 'failed-requests', count: failedRequests };
    if (tookMs === null || failedRequests > 0) return { state: 'fail', tookMs, detail };
    return { state: proven ? 'pass' : 'inconclusive', tookMs, detail };
  }

  /** @returns requests that failed meanwhile */
  async #watchTransfers(signal: AbortSignal): Promise<number> {
    const [acknowledged, failed] = [this.#modules.bank.acknowledged, this.#failed()];
    await this.#patiently(
      () => this.#modules.bank.acknowledged >= acknowledged + this.#pace.transfers,
      signal,
    );
    return this.#failed() - failed;
  }

  #failed(): number {
    return this.#modules.view().cluster.writes.failed;
  }

  #allBreathe(mode: 'P2P' | 'HTTP'): boolean {
    const { nodes } = this.#modules.view().cluster;
    return nodes.every(({ reach, said }) => reach === 'up' && said?.mode === mode);
  }

  #isOneState(): boolean {
    const view = this.#modules.view().cluster;
    const [first, ...others] = groupsOf(view);
    return others.length === 0 && first?.nodes.length === view.nodes.length;
  }

  #isOver(fault: number, after: 'fault' | 'heal'): boolean {
    return this.#modules.recoveries.of(fault, after) === 'over';
  }

  /** Looked for until it is seen: while P2P carries, nodes speak so seldom over HTTP that a cut may have nothing to keep back. */
  async #proven(fault: number, signal: AbortSignal): Promise<boolean> {
    const { harm, view } = this.#modules;
    const seen = await this.#patiently(async () => {
      await harm.look(0);
      return view().faults.find(({ id }) => id === fault)?.proven === true;
    }, signal);
    return seen !== null;
  }

  #recoveryMs(fault: number, after: 'fault' | 'heal' = 'fault'): number | null {
    const found = this.#modules
      .view()
      .recoveries.find((recovery) => recovery.fault === fault && recovery.after === after);
    return found === undefined || found.until === null ? null : found.until - found.from;
  }

  async #patiently(holds: () => boolean | Promise<boolean>, signal: AbortSignal): Promise<number | null> {
    return until(holds, { budgetMs: BUDGET_MS, everyMs: LOOK_EVERY_MS, signal });
  }

  #change(name: TourStepName, change: Partial<TourStep>): void {
    this.#steps = this.#steps.map((step) => (step.name === name ? { ...step, ...change } : step));
    this.#show(true);
  }

  #show(running: boolean): void {
    const tour: TourView = { running, steps: this.#steps };
    this.#modules.apply({ type: 'tour', at: Date.now(), tour });
  }
}
