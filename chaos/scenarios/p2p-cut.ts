/**
 * The promise of two lungs: the libp2p port of one node is silently dropped; it goes on over HTTP, both ways, says so, and
 * comes back to P2P when the block is lifted. Nothing acknowledged is lost.
 */
import { checkCarried } from '../checkers/carried.ts';
import { checkConvergence } from '../checkers/convergence.ts';
import { checkLostWrites } from '../checkers/lost-writes.ts';
import { checkModeHonesty } from '../checkers/mode-honesty.ts';
import { FaultError } from '../faults/fault.ts';
import type { Fault } from '../faults/fault.ts';
import { isolate } from '../faults/partition.ts';
import type { Member } from '../workloads/observer.ts';
import type { Fact } from '../workloads/unique-facts.ts';
import { keepWriting, playRounds, until, untilEqual, writeFresh } from './steps.ts';
import { LimitExceededError } from './scenario.ts';
import type { Scenario, Stage } from './scenario.ts';

const DETECT_LIMIT_MS = 15_000;
const RETURN_LIMIT_MS = 30_000;

export const p2pCut: Scenario = {
  name: 'p2p-cut',
  says: 'drops the libp2p port of one node: HTTP takes over, data flows both ways, P2P comes back, nothing is lost',
  checkers: [checkLostWrites, checkConvergence, checkModeHonesty, checkCarried],
  play: (stage) => playRounds(stage, playRound),
};

async function playRound(stage: Stage, round: number): Promise<void> {
  const { members, history, observer, facts } = stage;
  const victim = pick(members, stage.random());
  const others = members.filter((member) => member !== victim);
  const { name } = victim.node;
  const fault = stage.cluster.fault({
    kind: 'partition',
    grudges: isolate(names(members), name),
    scope: 'p2p',
    how: 'drop',
  });
  const note = (what: string, ms: number, budgetMs: number | null): void =>
    stage.measured({ what, ms, budgetMs, round });

  stage.progress(`round ${round}: cutting P2P of ${name} (${fault.means})`);
  try {
    const injected = await fault.inject();
    const cutAt = history.timeOf(injected.beganAt);
    history.add({ type: 'mark', mark: 'cut', node: name }, cutAt);
    await until(
      stage,
      `sync_mode HTTP on ${name}`,
      DETECT_LIMIT_MS,
      () => observer.latest(name)?.status.sync_mode === 'HTTP',
    );
    const flip = history.lines.find(
      (line) => line.type === 'status' && line.node === name && line.at > cutAt && line.mode === 'HTTP',
    );
    if (flip !== undefined) note('P2P dropped → sync_mode HTTP', flip.at - cutAt, 1_500);
    stage.progress(`${name} says HTTP`);

    await keepWriting(stage, members);
    await until(
      stage,
      `no live P2P link on ${name}`,
      DETECT_LIMIT_MS,
      () => observer.latest(name)?.p2pUp === 0,
    );
    // Written when the cut was complete, so that only HTTP can have carried it.
    const crossing = facts.facts.filter((fact) => fact.invokedAt > history.timeOf(injected.completeAt));
    note('first write carried by HTTP, outward', firstArrival(crossing, [name], names(others)) - cutAt, null);
    note('first write carried by HTTP, inward', firstArrival(crossing, names(others), [name]) - cutAt, null);
    stage.progress('writes cross by HTTP, both ways');

    // Nobody writes around the heal but the fresh writes, so that roots can be equal and mean something.
    await facts.pause();
    await facts.allSeen(facts.facts, DETECT_LIMIT_MS, stage.signal);
    note(
      'longest a fresh write stayed unseen',
      longestUnseenMs(facts.facts, cutAt, names(members), history.now()),
      1_000,
    );
    // Only now: dozens of probes at once would be seen in the times measured above.
    stage.proof(`round ${round}: the cut bites`, await fault.evidence());
  } catch (error) {
    throw await blamed(error, fault);
  }

  const liftedAt = history.timeOf(await fault.lift());
  history.add({ type: 'mark', mark: 'lifted', node: name }, liftedAt);
  stage.progress('lifted');
  const fresh = await writeFresh(stage, [victim, pick(others, stage.random())]);
  const [backAt, equalAt] = await Promise.all([
    until(stage, `sync_mode P2P on ${name}`, RETURN_LIMIT_MS, () => isBack(stage, name, liftedAt)),
    untilEqual(stage, fresh),
  ]);
  note('lifted → back to P2P', backAt - liftedAt, 2_000);
  note('lifted → equal roots with a fresh write', equalAt - liftedAt, 2_000);
  stage.progress(`${name} is back on P2P, roots are equal`);
  facts.resume();
  const [healed] = await Promise.all([
    fault.heal(),
    until(
      stage,
      `P2P between ${name} and all others`,
      RETURN_LIMIT_MS,
      () => observer.latest(name)?.p2pAlive === others.length,
    ),
  ]);
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

function isBack(stage: Stage, name: string, liftedAt: number): boolean {
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

/** Of the writes acknowledged since `from`: the longest time from the acknowledgement to being readable somewhere. */
function longestUnseenMs(
  facts: readonly Fact[],
  from: number,
  readers: readonly string[],
  now: number,
): number {
  const times = facts.flatMap((fact) =>
    fact.ackedAt < from
      ? []
      : readers
          .filter((reader) => reader !== fact.node)
          .map((reader) => (fact.seenAt.get(reader) ?? now) - fact.ackedAt),
  );
  return Math.max(0, ...times);
}

function names(members: readonly Member[]): readonly string[] {
  return members.map(({ node }) => node.name);
}

function pick(members: readonly Member[], random: number): Member {
  const member = members[Math.floor(random * members.length)];
  if (member === undefined) throw new RangeError('nobody to pick from');
  return member;
}
