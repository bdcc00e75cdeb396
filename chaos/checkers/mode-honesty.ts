/**
 * P3: the mode is honest. From the faults in force follows over which lung a node can be reached: P2P while gossip reaches
 * anybody, else HTTP while that does, else NONE; a forced lung or NONE. Once a time without change has been long enough, a
 * node must have come to say just that; once it says so it keeps saying so; and at no time does it name a lung that by its
 * own account reaches nobody.
 */
import type { SyncMode } from '../../node/protocol/events.ts';
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { FaultWindows, isAnythingUnproven, isBlurred, isDown, isLinkCut } from './windows.ts';
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
  readonly #statuses: Status[] = [];
  readonly #forces: LineOf<'force'>[] = [];
  #steadyAt: number | null = null;
  #endedAt = 0;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    this.#windows.take(line);
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
    const violations = [
      ...this.#statuses.flatMap(contradictions),
      ...tellings.flatMap((telling) => telling.violations),
    ];
    if (violations.length === 0 && !judgedSpans.some(({ span }) => this.#isTried(span)))
      return unknown('nothing happened that could change a mode, for long enough');
    return judged(
      violations,
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
      ...windows.flatMap(({ begunAt, liftedAt, goneAt }) => [begunAt, liftedAt, goneAt]),
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
    const others = this.#nodes.filter((other) => other !== node && !isDown(windows, other, middle, middle));
    const clear = others.filter((other) => !isBlurred(windows, other, middle, middle));
    const reaches = (lung: 'p2p' | 'http'): boolean | null => {
      const isOpen = (other: string): boolean => !isLinkCut(windows, node, other, lung, middle);
      if (clear.some(isOpen)) return true;
      return others.some(isOpen) ? null : false;
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
  ): { readonly isJudged: boolean; readonly violations: readonly Violation[] } {
    const nothing = { isJudged: false, violations: [] };
    if (mode === null || to - from < JUDGED_MS) return nothing;
    const own = this.#statuses.filter((status) => status.node === node).toSorted((a, b) => a.at - b.at);
    const before = own.findLast((status) => status.at <= from);
    const during = own.filter((status) => status.at > from && status.at <= to);
    const last = during.at(-1) ?? before;
    const violations: Violation[] = [];
    // Close to its beginning the last thing may still be true, and close to its end already the next.
    let hasSaid = before?.mode === mode;
    for (const status of during) {
      if (status.mode === mode) hasSaid = true;
      else if (hasSaid && status.at > from + MARGIN_MS && status.at < to - MARGIN_MS)
        violations.push({
          text: `${place(status)} ${status.mode}, though ${mode} carried`,
          at: status.at,
          node,
        });
    }
    const enough = before?.mode === mode || mode !== 'P2P' ? JUDGED_MS : RETURN_JUDGED_MS;
    const settled = during.findLast((status) => status.at < to - MARGIN_MS) ?? before;
    if (to - from >= enough && settled?.mode !== mode && last?.mode !== mode) {
      const said = last?.mode ?? 'nothing';
      violations.push({
        text: `${node} said ${said} where ${mode} carried for ${Math.round(to - from)} ms`,
        at: from,
        node,
      });
    }
    return { isJudged: to - from >= enough, violations };
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
