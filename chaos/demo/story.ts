/**
 * What the demo does to its cluster, and what it claims of it. Each step says what it expects before it acts; each claim
 * ends as `holds` with the measured time, `fails`, or `unproven` where a fault left no evidence. Writers are at work all
 * the while; pauses between steps last as long as it takes them to have some more writes acknowledged.
 */
import type { ClusterView, NodeView } from '../../dashboard/view.ts';
import { seconds } from '../../dashboard/table.ts';
import type { Cluster, ClusterNode } from '../cluster/port.ts';
import type { Evidence } from '../faults/fault.ts';
import { isolate } from '../faults/partition.ts';
import type { Clients } from './clients.ts';
import { until } from './patience.ts';
import type { ClaimName, DemoWords } from './words.ts';
import type { Ledger } from './writers.ts';

export interface Claim {
  readonly name: ClaimName;
  readonly outcome: 'holds' | 'fails' | 'unproven';
  /** null where nothing was timed */
  readonly tookMs: number | null;
  /** what was counted, or what is missing */
  readonly detail: string | null;
}

export interface Stage {
  readonly cluster: Cluster;
  readonly clients: Clients;
  readonly ledger: Ledger;
  readonly words: DemoWords;
  readonly signal: AbortSignal;
  readonly view: () => ClusterView;
  readonly announce: (step: string) => void;
  readonly report: (claim: Claim) => void;
  readonly fault: (node: ClusterNode, name: string, state: 'injected' | 'healed') => void;
  /** Resolves when the writers have ended. */
  readonly endWriters: () => Promise<void>;
}

/** Longest wait for anything: many times what is usual, since the machine may be small and busy. */
const BUDGET_MS = 20_000;
const LOOK_EVERY_MS = 20;
/** How many more writes are acknowledged before the next step: about two seconds. */
const WRITES_BETWEEN_STEPS = 20;

export async function playStory(stage: Stage): Promise<void> {
  const { nodes } = stage.cluster;
  const [first, cut] = nodes;
  const victim = nodes.at(-1);
  if (first === undefined || cut === undefined || victim === undefined || victim === cut)
    throw new Error('three nodes are needed');
  // Taking a lung away proves nothing where it wasn't in use.
  if (!(await seeSteadyState(stage))) return;
  await cutOneLung(stage, cut, first);
  await killOneNode(stage, victim, first);
  await judgeTheEnd(stage, first);
}

/** @returns whether there is one to disturb */
async function seeSteadyState(stage: Stage): Promise<boolean> {
  const { nodes } = stage.cluster;
  stage.announce(stage.words.expectSteady(nodes.length - 1));
  const allP2p = (): boolean => nodes.every((node) => breathesP2p(stage, node));
  const tookMs = await patiently(stage, async () => allP2p() && (await haveOneRoot(stage, nodes)));
  timed(stage, 'steady', tookMs);
  if (tookMs !== null) await moreWrites(stage);
  return tookMs !== null;
}

async function cutOneLung(stage: Stage, cut: ClusterNode, other: ClusterNode): Promise<void> {
  const { nodes } = stage.cluster;
  const grudges = isolate(
    nodes.map(({ name }) => name),
    cut.name,
  );
  const fault = stage.cluster.fault({ kind: 'partition', grudges, scope: 'p2p', how: 'drop' });
  stage.announce(stage.words.cut(cut.name, fault.means));
  await fault.inject();
  stage.fault(cut, fault.name, 'injected');
  const [failoverMs, outMs, inMs] = await Promise.all([
    patiently(stage, () => viewOf(stage, cut)?.said?.mode === 'HTTP'),
    spread(stage, cut, 'demo/probe/out-of-the-cut', nodes),
    spread(stage, other, 'demo/probe/into-the-cut', [cut]),
  ]);
  timed(stage, 'failover', failoverMs);
  timed(stage, 'carriedOut', outMs);
  timed(stage, 'carriedIn', inMs);
  await moreWrites(stage);
  const bite = await fault.evidence();
  proven(stage, 'cutBites', bite, stage.words.swallowed(bite.dropped));

  stage.announce(stage.words.heal(cut.name));
  const lifted = await fault.heal();
  stage.fault(cut, fault.name, 'healed');
  const [failbackMs, freshMs] = await Promise.all([
    patiently(stage, () => breathesP2p(stage, cut)),
    spread(stage, cut, 'demo/probe/after-the-heal', nodes, 'one root'),
  ]);
  timed(stage, 'failback', failbackMs);
  timed(stage, 'freshAfterHeal', freshMs);
  proven(stage, 'healed', lifted, null);
  await moreWrites(stage);
}

async function killOneNode(stage: Stage, victim: ClusterNode, other: ClusterNode): Promise<void> {
  const { nodes } = stage.cluster;
  stage.announce(stage.words.kill(victim.name));
  await victim.kill();
  const missed = 'demo/probe/while-one-was-dead';
  timed(
    stage,
    'survivors',
    await spread(
      stage,
      other,
      missed,
      nodes.filter((node) => node !== victim),
    ),
  );
  await moreWrites(stage);

  stage.announce(stage.words.restart(victim.name));
  const startedAt = performance.now();
  await victim.start();
  const caughtUp = await patiently(
    stage,
    async () => breathesP2p(stage, victim) && (await hasKey(stage, victim, missed)),
  );
  timed(stage, 'caughtUp', caughtUp === null ? null : performance.now() - startedAt);
  await moreWrites(stage);
}

async function judgeTheEnd(stage: Stage, writer: ClusterNode): Promise<void> {
  const { nodes } = stage.cluster;
  stage.announce(stage.words.finish);
  await stage.endWriters();
  timed(stage, 'equalRoots', await spread(stage, writer, 'demo/probe/at-the-end', nodes, 'one root'));
  const missing = await missingWrites(stage);
  const read = stage.words.read(stage.ledger.acknowledged.size, nodes.length);
  const [first] = missing;
  stage.report({
    name: 'nothingLost',
    outcome: first === undefined ? 'holds' : 'fails',
    tookMs: null,
    detail: first ?? read,
  });
}

/** Reads everything on every node: each acknowledged key must be there with the acknowledged value. */
async function missingWrites(stage: Stage): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const node of stage.cluster.nodes) {
    const { entries } = await stage.clients.to(node).entries();
    for (const [key, value] of stage.ledger.acknowledged) {
      if (JSON.stringify(entries.get(key)) !== value) missing.push(stage.words.missing(node.name, key));
    }
  }
  return missing;
}

/**
 * Writes on one node and waits until all of `targets` show it, and, if wanted, one root.
 *
 * @returns ms from the acknowledgement; null when it was never acknowledged or did not arrive in time
 */
async function spread(
  stage: Stage,
  from: ClusterNode,
  key: string,
  targets: readonly ClusterNode[],
  also: 'one root' | 'no more' = 'no more',
): Promise<number | null> {
  const written = await patiently(stage, () => stage.ledger.write(from, key));
  if (written === null) return null;
  return patiently(stage, async () => {
    const there = await Promise.all(targets.map((node) => hasKey(stage, node, key)));
    return there.every(Boolean) && (also === 'no more' || (await haveOneRoot(stage, targets)));
  });
}

/** Whether the node shows the key; out of reach counts as no. */
async function hasKey(stage: Stage, node: ClusterNode, key: string): Promise<boolean> {
  try {
    return (await stage.clients.to(node).get(key)) !== null;
  } catch {
    return false;
  }
}

async function haveOneRoot(stage: Stage, nodes: readonly ClusterNode[]): Promise<boolean> {
  try {
    const statuses = await Promise.all(nodes.map((node) => stage.clients.to(node).status()));
    return new Set(statuses.map((status) => status.merkle_root)).size === 1;
  } catch {
    return false;
  }
}

function breathesP2p(stage: Stage, node: ClusterNode): boolean {
  const seen = viewOf(stage, node);
  const said = seen?.said;
  return seen?.reach === 'up' && said?.mode === 'P2P' && said.aliveP2p === stage.cluster.nodes.length - 1;
}

function viewOf(stage: Stage, node: ClusterNode): NodeView | undefined {
  return stage.view().nodes.find(({ name }) => name === node.name);
}

async function moreWrites(stage: Stage): Promise<void> {
  const before = stage.ledger.acknowledged.size;
  await patiently(stage, () => stage.ledger.acknowledged.size >= before + WRITES_BETWEEN_STEPS);
}

async function patiently(stage: Stage, holds: () => boolean | Promise<boolean>): Promise<number | null> {
  return until(holds, { budgetMs: BUDGET_MS, everyMs: LOOK_EVERY_MS, signal: stage.signal });
}

function timed(stage: Stage, name: ClaimName, tookMs: number | null): void {
  stage.report({ name, outcome: tookMs === null ? 'fails' : 'holds', tookMs, detail: null });
}

function proven(stage: Stage, name: ClaimName, evidence: Evidence, detail: string | null): void {
  const broken = evidence.checks.filter((check) => !check.holds).map((check) => check.claim);
  stage.report({
    name,
    outcome: evidence.ok ? 'holds' : 'unproven',
    tookMs: null,
    detail: evidence.ok ? detail : broken.join('; '),
  });
}

/** One line for a claim, as it is reported and again in the verdict. */
export function claimText(claim: Claim, words: DemoWords): string {
  const text = words.claims[claim.name];
  const detail = claim.detail === null ? '' : ` (${claim.detail})`;
  switch (claim.outcome) {
    case 'holds':
      return claim.tookMs === null
        ? `${text}${detail}`
        : `${words.held(text, seconds(claim.tookMs, 2))}${detail}`;
    case 'fails':
      return `${words.failed(text)}${detail}`;
    case 'unproven':
      return `${words.unproven(text)}${detail}`;
  }
}

export type Verdict = 'pass' | 'fail' | 'inconclusive';

/** A failed claim outweighs an unproven fault; no claims at all prove nothing. */
export function verdictOf(claims: readonly Claim[]): Verdict {
  if (claims.some((claim) => claim.outcome === 'fails')) return 'fail';
  return claims.length === 0 || claims.some((claim) => claim.outcome === 'unproven')
    ? 'inconclusive'
    : 'pass';
}
