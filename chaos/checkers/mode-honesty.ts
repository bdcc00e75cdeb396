/**
 * P3: the mode is honest. From the faults in force follows over which lung a node can be reached: P2P while gossip reaches
 * anybody, else HTTP while that does, else NONE; a forced lung or NONE. Once a time without change has been long enough, a
 * node must have come to say just that; once it says so it keeps saying so; and at no time does it name a lung that by its
 * own account reaches nobody.
 */
import type { SyncMode } from '../../node/protocol/events.ts';
import type { HistoryLine, LineOf } from '../history/line.ts';
import { unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { Stalls } from './stalls.ts';
import type { Late } from './stalls.ts';
import { FaultWindows, isAnythingUnproven, isBlurred, isReachable } from './windows.ts';
import type { FaultWindow } from './windows.ts';

export const modeHonesty: Checker = {
  name: 'mode-honesty',
  claim: 'sync_mode says what carries data',
  begin: (nodes) => new ModeHonesty(nodes),
};

/** A time shorter than this says nothing: failover takes up to 1.5 s, and a flickering lung waits up to 5 s to return. */
const JUDGED_MS = 2_500;
const RETURN_JUDGED_MS = 10_000;
/** A cut begins and ends at several places one after the other. */
const MARGIN_MS = 1_000;

type Status = LineOf<'status'>;

class ModeHonesty implements Judge {
  readonly #nodes: readonly string[];
  readonly #windows = new FaultWindows();
  readonly #stalls = new Stalls();
  readonly #statuses: Status[] = [];
  readonly #forces: LineOf<'force'>[] = [];
  #steadyAt: number | null = null;
  #endedAt = 0;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    this.#windows.take(line);
    this.#stalls.take(line);
    this.#endedAt = Math.max(this.#endedAt, line.at);
    if (line.type === 'status') this.#statuses.push(line);
    if (line.type === 'force') this.#forces.push(line);
    if (line.type === 'mark' && line.mark === 'steady') this.#steadyAt ??= line.at;
  }

  verdict(): Finding {
    if (this.#steadyAt === null) return unknown('a steady state was never reached');
    const silent = this.#nodes.filter((node) => !this.#statuses.some((status) => status.node === node));
    if (silent.length > 0) return unknown(`${silent.join(', ')} never told its mode`);
    const tellings = this.#nodes.flatMap((node) =>
      this.#spansOf(node).map((span) => ({ span, ...this.#judge(node, span) })),
    );
    const judgedSpans = tellings.filter(({ isJudged }) => isJudged);
    const changed = judgedSpans.filter(({ span }) => span.mode !== 'P2P').length;
    const firm = this.#statuses.flatMap(contradictions);
    const lates = tellings.flatMap((telling) => telling.lates);
    if (firm.length + lates.length === 0 && !judgedSpans.some(({ span }) => this.#isTried(span)))
      return unknown('nothing happened that could change a mode, for long enough');
    return this.#stalls.judge(
      firm,
      lates,
      `${this.#statuses.length} changes of status, ${judgedSpans.length} times judged, ${changed} of them not P2P`,
    );
  }

  /** Something was on that a dishonest node might have got wrong. */
  #isTried({ from, to }: Span): boolean {
    return (
      this.#forces.some(({ at }) => at >= from && at <= to) ||
      this.#windows.all.some(({ begunAt, liftedAt }) => begunAt < to && liftedAt > from)
    );
  }

  /** Times in which the same is expected of this node throughout. */
  #spansOf(node: string): readonly Span[] {
    const windows = this.#windows.all;
    const steadyAt = this.#steadyAt ?? 0;
    const changes = [
      ...windows.flatMap(({ begunAt, completeAt, liftingAt, liftedAt, goneAt }) => [
        begunAt,
        completeAt,
        liftingAt,
        liftedAt,
        goneAt,
      ]),
      ...this.#forces.filter((force) => force.node === node).map(({ at }) => at),
    ];
    const times = [...new Set([steadyAt, ...changes, this.#endedAt])]
      .filter((at) => at >= steadyAt && at <= this.#endedAt)
      .toSorted((a, b) => a - b);
    const spans: Span[] = [];
    times.slice(0, -1).forEach((from, i) => {
      const to = times[i + 1] ?? from;
      const mode = this.#expected(windows, node, from, to);
      const last = spans.at(-1);
      if (last?.mode === mode) spans[spans.length - 1] = { ...last, to };
      else spans.push({ from, to, mode });
    });
    return spans;
  }

  #expected(windows: readonly FaultWindow[], node: string, from: number, to: number): SyncMode | null {
    const middle = (from + to) / 2;
    if (isAnythingUnproven(windows, middle) || isBlurred(windows, node, middle, middle)) return null;
    const others = this.#nodes.filter((other) => other !== node);
    const reaches = (lung: 'p2p' | 'http'): boolean | null => {
      const answers = others.map((other) => isReachable(windows, node, other, lung, middle));
      return answers.includes(true) ? true : answers.includes(null) ? null : false;
    };
    const forced = this.#forces.findLast((force) => force.node === node && force.at <= middle)?.mode ?? null;
    if (forced !== null) return reaches(forced === 'P2P' ? 'p2p' : 'http') === true ? forced : null;
    const [p2p, http] = [reaches('p2p'), reaches('http')];
    if (p2p === true) return 'P2P';
    if (p2p === null || http === null) return null;
    return http ? 'HTTP' : 'NONE';
  }

  #judge(
    node: string,
    { from, to, mode }: Span,
  ): { readonly isJudged: boolean; readonly lates: readonly Late[] } {
    if (mode === null || to - from < JUDGED_MS) return { isJudged: false, lates: [] };
    const own = this.#statuses.filter((status) => status.node === node).toSorted((a, b) => a.at - b.at);
    const before = own.findLast((status) => status.at <= from);
    const during = own.filter((status) => status.at > from && status.at <= to);
    // Coming back, a lung may flicker before it is steady; where nothing changed there is nothing to flicker.
    const isReturning = mode === 'P2P' && before?.mode !== mode;
    const settledMs = isReturning ? RETURN_JUDGED_MS : MARGIN_MS;
    const lates: Late[] = [];
    let hasSaid = before?.mode === mode;
    for (const status of during) {
      if (status.mode === mode) hasSaid = true;
      else if (hasSaid && status.at > from + settledMs && status.at < to - MARGIN_MS)
        lates.push({
          violation: { text: `${place(status)} ${status.mode}, though ${mode} carried`, at: status.at, node },
          from: status.at - JUDGED_MS,
          to: status.at,
          limitMs: JUDGED_MS,
        });
    }
    const last = during.at(-1) ?? before;
    const settled = during.findLast((status) => status.at < to - MARGIN_MS) ?? before;
    const isJudged = to - from >= (isReturning ? RETURN_JUDGED_MS : JUDGED_MS);
    if (isJudged && settled?.mode !== mode && last?.mode !== mode) {
      const said = last?.mode ?? 'nothing';
      const text = `${node} said ${said} where ${mode} carried for ${Math.round(to - from)} ms`;
      lates.push({ violation: { text, at: from, node }, from, to, limitMs: JUDGED_MS });
    }
    return { isJudged, lates };
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
  /** null: nobody can say */
  readonly mode: SyncMode | null;
}

function contradictions(status: Status): readonly Violation[] {
  const { at, node, mode, p2pUp, httpUp } = status;
  if (mode === 'P2P' && p2pUp === 0) return [{ text: `${place(status)} P2P, and has no P2P peer`, at, node }];
  if (mode === 'HTTP' && httpUp === 0)
    return [{ text: `${place(status)} HTTP, and has no HTTP peer`, at, node }];
  return [];
}

function place({ node, at }: Status): string {
  return `${node} at ${Math.round(at)} ms said`;
}
