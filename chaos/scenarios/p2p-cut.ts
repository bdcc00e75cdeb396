/**
 * The promise of two lungs: the libp2p port of one node is silently dropped; it goes on over HTTP, both ways, says so, and
 * comes back to P2P when the block is lifted. Nothing acknowledged is lost.
 */
import { budgets } from '../checkers/budgets.ts';
import { carried } from '../checkers/carried.ts';
import { convergence } from '../checkers/convergence.ts';
import { honestRoot } from '../checkers/honest-root.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import { modeHonesty } from '../checkers/mode-honesty.ts';
import { FaultError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { isolate } from '../faults/partition.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { Fact } from '../workloads/unique-facts.ts';
import { longestUnseenMs } from '../workloads/unique-facts.ts';
import { oneOf } from '../workloads/workload.ts';
import type { Member } from '../workloads/member.ts';
import { keepWriting, playRounds, until, untilEqual, writeFresh } from './steps.ts';
import { LimitExceededError } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import type { Play } from './steps.ts';

const DETECT_LIMIT_MS = 15_000;
const RETURN_LIMIT_MS = 30_000;

export const p2pCut: Scenario = {
  name: 'p2p-cut',
  says: 'drops the libp2p port of one node: HTTP takes over, data flows both ways, P2P comes back, nothing is lost',
  checkers: [lostWrites, convergence, honestRoot, modeHonesty, carried, budgets],
  schedule: null,
  play: (stage) => playRounds(stage, playRound),
};

async function playRound(stage: Play, round: number): Promise<void> {
  const { members, history, observer, facts } = stage;
  const victim = oneOf(members, stage.random);
  const others = members.filter((member) => member !== victim);
  const { name } = victim.node;
  const spec: FaultSpec = {
    kind: 'partition',
    grudges: isolate(names(members), name),
    scope: 'p2p',
    how: 'drop',
  };
  const fault = stage.cluster.fault(spec);
  const note = (what: string, from: number, to: number, budgetMs: number | null): void =>
    stage.measured({ what, from, ms: to - from, budgetMs, round });
  const mark = (phase: 'begun' | 'complete' | 'lifted' | 'gone', at: number): number =>
    history.add({ type: 'fault', id: round, phase, spec, nodes: [] }, at);

  stage.progress(`round ${round}: cutting P2P of ${name} (${fault.means})`);
  try {
    const injected = await fault.inject();
    const cutAt = mark('begun', history.timeOf(injected.beganAt));
    const cutWholeAt = mark('complete', history.timeOf(injected.completeAt));
    await until(
      stage,
      `sync_mode HTTP on ${name}`,
      DETECT_LIMIT_MS,
      () => observer.latest(name)?.status.sync_mode === 'HTTP',
    );
    note('P2P dropped → sync_mode HTTP', cutAt, observer.latest(name)?.modeSince ?? history.now(), 1_500);
    stage.progress(`${name} says HTTP`);

    await keepWriting(stage, members);
    await until(
      stage,
      `no live P2P link on ${name}`,
      DETECT_LIMIT_MS,
      () => observer.latest(name)?.p2pUp === 0,
    );
    // Written when the cut was complete, so that only HTTP can have carried it.
    const crossing = facts.facts.filter((fact) => fact.invokedAt > cutWholeAt);
    note('first write carried by HTTP, outward', cutAt, firstArrival(crossing, [name], names(others)), null);
    note('first write carried by HTTP, inward', cutAt, firstArrival(crossing, names(others), [name]), null);
    stage.progress('writes cross by HTTP, both ways');

    // Nobody writes around the heal but the fresh writes, so that roots can be equal and mean something.
    await facts.pause();
    await facts.allSeen(facts.facts, DETECT_LIMIT_MS, stage.signal);
    const unseenMs = longestUnseenMs(facts.facts, cutAt, names(members), history.now());
    note('longest a fresh write stayed unseen', cutAt, cutAt + unseenMs, 1_000);
    // Only now: dozens of probes at once would be seen in the times measured above.
    stage.proof(`round ${round}: the cut bites`, await fault.evidence());
  } catch (error) {
    throw await blamed(error, fault);
  }

  const liftedAt = mark('lifted', history.timeOf(await fault.lift()));
  history.add({ type: 'mark', mark: 'healed', node: '' }, liftedAt);
  stage.progress('lifted');
  const fresh = await writeFresh(stage, [victim, oneOf(others, stage.random)]);
  const [backAt, equalAt] = await Promise.all([
    until(stage, `sync_mode P2P on ${name}`, RETURN_LIMIT_MS, () => isBack(stage, name, liftedAt)),
    untilEqual(stage, fresh),
  ]);
  note('lifted → back to P2P', liftedAt, backAt, 2_000);
  note('lifted → equal roots with a fresh write', liftedAt, equalAt, 2_000);
  history.add({ type: 'mark', mark: 'recovered', node: '' }, Math.max(backAt, equalAt));
  stage.progress(`${name} is back on P2P, roots are equal`);
  facts.start();
  const [healed] = await Promise.all([
    fault.heal(),
    until(
      stage,
      `P2P between ${name} and all others`,
      RETURN_LIMIT_MS,
      () => observer.latest(name)?.p2pAlive === others.length,
    ),
  ]);
  mark('gone', history.now());
  stage.proof(`round ${round}: the cut is gone`, healed);
  await keepWriting(stage, members);
}

/** A node cannot be blamed for not noticing a cut that did not bite. @returns what to throw, with the cut lifted */
async function blamed(error: unknown, fault: Fault): Promise<unknown> {
  try {
    const unproven =
      error instanceof LimitExceededError
        ? (await fault.evidence()).checks.filter(({ holds }) => !holds)
        : [];
    if (unproven.length === 0) return error;
    return new FaultError(`${unproven.map(({ claim }) => `not so: ${claim}`).join('; ')}`, { cause: error });
  } finally {
    await fault.lift().catch(() => undefined);
  }
}

function isBack(stage: Play, name: string, liftedAt: number): boolean {
  const latest = stage.observer.latest(name);
  return latest !== null && latest.at > liftedAt && latest.status.sync_mode === 'P2P';
}

/** @returns when the first of these writes was readable on one of the readers; Infinity: never */
function firstArrival(
  facts: readonly Fact[],
  writers: readonly string[],
  readers: readonly string[],
): number {
  const times = facts.flatMap((fact) =>
    writers.includes(fact.node) ? readers.flatMap((reader) => fact.seenAt.get(reader) ?? []) : [],
  );
  return Math.min(...times);
}

function names(members: readonly Member[]): readonly string[] {
  return members.map(({ node }) => node.name);
}
