/**
 * P3: the mode is honest. While a node is cut off on libp2p it must come to say HTTP and keep saying so; without the cut
 * it says P2P; and at no time does it name a lung that by its own account reaches nobody.
 */
import type { HistoryLine } from '../history/history.ts';
import { judged, unknown } from './checker.ts';
import type { CheckResult } from './checker.ts';

const CLAIM = 'sync_mode says what carries data';

type Status = Extract<HistoryLine, { type: 'status' }>;

export function checkModeHonesty(history: readonly HistoryLine[], nodes: readonly string[]): CheckResult {
  const cuts = cutsOf(history);
  if (cuts.length === 0) return unknown(CLAIM, 'nothing was cut');
  const statuses = history.filter((line) => line.type === 'status');
  const silent = nodes.filter((node) => !statuses.some((status) => status.node === node));
  if (silent.length > 0) return unknown(CLAIM, `${silent.join(', ')} never told its mode`);

  const steadyAt = history.find((line) => line.type === 'mark' && line.mark === 'steady')?.at ?? 0;
  const violations = [
    ...statuses.flatMap(contradictions),
    ...cuts.flatMap((cut) =>
      duringCut(
        cut,
        statuses.filter((status) => status.node === cut.node),
      ),
    ),
    ...statuses.flatMap((status) => bystander(status, steadyAt, cuts)),
  ];
  return judged(
    CLAIM,
    violations,
    `${statuses.length} changes of status, ${cuts.length} cut${cuts.length === 1 ? '' : 's'}`,
  );
}

interface Cut {
  readonly node: string;
  readonly from: number;
  readonly to: number;
}

function cutsOf(history: readonly HistoryLine[]): readonly Cut[] {
  const marks = history.filter((line) => line.type === 'mark');
  return marks.flatMap((mark) => {
    if (mark.mark !== 'cut') return [];
    const lifted = marks.find(
      (other) => other.mark === 'lifted' && other.node === mark.node && other.at > mark.at,
    );
    return [{ node: mark.node, from: mark.at, to: lifted?.at ?? Infinity }];
  });
}

function contradictions(status: Status): readonly string[] {
  if (status.mode === 'P2P' && status.p2pUp === 0) return [`${place(status)} P2P, and has no P2P peer`];
  if (status.mode === 'HTTP' && status.httpUp === 0) return [`${place(status)} HTTP, and has no HTTP peer`];
  return [];
}

function duringCut(cut: Cut, statuses: readonly Status[]): readonly string[] {
  const before = statuses.findLast((status) => status.at <= cut.from);
  const during = statuses.filter((status) => status.at > cut.from && status.at <= cut.to);
  const after = statuses.filter((status) => status.at > cut.to);
  const flip = during.findIndex((status) => status.mode === 'HTTP');
  const violations: string[] = [];
  if (before?.mode !== 'P2P') violations.push(`${cut.node} did not say P2P before the cut`);
  if (flip === -1) violations.push(`${cut.node} never said HTTP while it was cut off`);
  for (const status of during.slice(flip === -1 ? during.length : flip + 1)) {
    if (status.mode !== 'HTTP') violations.push(`${place(status)} ${status.mode} again while it was cut off`);
  }
  if (cut.to !== Infinity && !after.some((status) => status.mode === 'P2P')) {
    violations.push(`${cut.node} never said P2P again after the cut`);
  }
  return violations;
}

/** A node that was never cut off still hears the other ones by gossip. */
function bystander(status: Status, steadyAt: number, cuts: readonly Cut[]): readonly string[] {
  const concerned = cuts.some((cut) => cut.node === status.node);
  if (concerned || status.at < steadyAt || status.mode === 'P2P') return [];
  return [`${place(status)} ${status.mode}, though nothing happened to it`];
}

function place(status: Status): string {
  return `${status.node} at ${Math.round(status.at)} ms said`;
}
