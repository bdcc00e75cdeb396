/**
 * Steps that scenarios share. Each waits for one thing with a hard limit: generous, since it tells a broken node from a
 * slow machine; how quick it was is measured and held against the budgets of DESIGN section 8.
 */
import type { EntriesResponse } from '../../node/http/schemas.ts';
import type { NodeClient } from '../cluster/client.ts';
import { poll } from '../cluster/poll.ts';
import type { LineOf } from '../history/line.ts';
import { UniqueFacts } from '../workloads/unique-facts.ts';
import type { Fact, UniqueFactsOptions } from '../workloads/unique-facts.ts';
import type { Member } from '../workloads/member.ts';
import { LimitExceededError } from './scenario.ts';
import type { Stage } from './scenario.ts';

const STEADY_LIMIT_MS = 60_000;
const CARRY_LIMIT_MS = 30_000;
const EQUAL_LIMIT_MS = 30_000;
/** for what is still on its way when a scenario has ended early */
const SETTLE_LIMIT_MS = 15_000;
/** acknowledged writes per node that make a rhythm */
const RHYTHM_WRITES = 4;
const LOOK_EVERY_MS = 5;

/** A stage with the workload that every scenario has, because the liveness of the end is told by it. */
export interface Play extends Stage {
  readonly facts: UniqueFacts;
}

/** The frame of a scenario that strikes again and again: steady state, so many rounds, final reads. */
export async function playRounds(
  stage: Stage,
  playRound: (play: Play, round: number) => Promise<void>,
): Promise<void> {
  await withFacts(stage, {}, async (play) => {
    await reachSteadyState(play);
    play.facts.start();
    await keepWriting(play, play.members);
    play.history.add({ type: 'mark', mark: 'steady', node: '' });
    for (let round = 1; round <= play.rounds; round += 1) await playRound(play, round);
    await play.facts.pause();
    await readFinals(play);
  });
}

/** 8 to 20 pairs are looked at, and each look costs a node half a millisecond. */
const FACTS_PACE: UniqueFactsOptions = { writeEveryMs: 250, readEveryMs: 40 };

export async function withFacts(
  stage: Stage,
  pace: Partial<UniqueFactsOptions>,
  playIt: (play: Play) => Promise<void>,
): Promise<void> {
  const facts = new UniqueFacts(stage, stage.history, { ...FACTS_PACE, ...pace });
  const play = { ...stage, facts };
  try {
    await playIt(play);
  } catch (error) {
    if (error instanceof LimitExceededError) await readLast(play);
    throw error;
  } finally {
    await facts.stop();
  }
}

/**
 * A scenario that ended early is read all the same: what is not there by now, with every fault lifted, is missing, whatever
 * else went wrong. Nodes that do not answer are left out.
 */
async function readLast(play: Play): Promise<void> {
  const { facts, members, time, signal } = play;
  play.progress('last reads');
  await facts.pause();
  await poll(async () => (areRootsEqual(play) ? true : null), {
    everyMs: LOOK_EVERY_MS,
    budgetMs: SETTLE_LIMIT_MS,
    signal,
    time,
  });
  for (const member of members) await readAll(play, member).catch(() => undefined);
}

function areRootsEqual({ members, observer }: Play): boolean {
  const roots = members.map(({ node }) => observer.latest(node.name)?.status.merkle_root);
  return new Set(roots).size === 1 && roots[0] !== undefined;
}

/** Waits until `claim` holds of what the observer saw last. @returns when, on the history's clock */
export async function until(
  stage: Stage,
  what: string,
  limitMs: number,
  claim: () => boolean,
): Promise<number> {
  const held = await poll(async () => (claim() ? true : null), {
    everyMs: LOOK_EVERY_MS,
    budgetMs: limitMs,
    signal: stage.signal,
    time: stage.time,
  });
  if (held === null) throw new LimitExceededError(what, limitMs, seen(stage));
  return stage.history.now();
}

/** Everybody says P2P, hears everybody by P2P, and all roots are equal. */
export async function reachSteadyState(stage: Stage): Promise<void> {
  const { members, observer } = stage;
  stage.progress('steady state');
  await until(stage, 'P2P between all nodes', STEADY_LIMIT_MS, () => {
    const latest = members.map(({ node }) => observer.latest(node.name));
    const roots = new Set(latest.map((observation) => observation?.status.merkle_root));
    return (
      roots.size === 1 &&
      latest.every((seen) => seen?.status.sync_mode === 'P2P' && seen.p2pAlive === members.length - 1)
    );
  });
}

/** Waits until each of these has acknowledged some more writes and all of those are seen on every running node. */
export async function keepWriting(stage: Play, writers: readonly Member[]): Promise<void> {
  const { facts } = stage;
  const goals = writers.map(({ node }) => ({ name: node.name, from: facts.factsOf(node.name).length }));
  await until(stage, 'writing', CARRY_LIMIT_MS, () =>
    goals.every(({ name, from }) => facts.factsOf(name).length >= from + RHYTHM_WRITES),
  );
  const written = goals.flatMap(({ name, from }) => facts.factsOf(name).slice(from, from + RHYTHM_WRITES));
  if (!(await facts.allSeen(written, CARRY_LIMIT_MS, stage.signal))) {
    throw new LimitExceededError('every write on every node', CARRY_LIMIT_MS, seen(stage));
  }
}

/** Writes to each of these now; the final state must contain it. */
export async function writeFresh(stage: Play, writers: readonly Member[]): Promise<readonly Fact[]> {
  const facts: Fact[] = [];
  for (const writer of writers) {
    const fact = await poll(() => stage.facts.writeOne(writer), {
      everyMs: 50,
      budgetMs: CARRY_LIMIT_MS,
      signal: stage.signal,
      time: stage.time,
    });
    if (fact === null)
      throw new LimitExceededError(`a write on ${writer.node.name}`, CARRY_LIMIT_MS, seen(stage));
    stage.history.add({ type: 'mark', mark: 'fresh', node: writer.node.name, key: fact.key });
    facts.push(fact);
  }
  return facts;
}

/** Waits until all roots are equal and every node has these writes, while nobody else writes. @returns when */
export async function untilEqual(stage: Play, fresh: readonly Fact[]): Promise<number> {
  if (!(await stage.facts.allSeen(fresh, EQUAL_LIMIT_MS, stage.signal))) {
    throw new LimitExceededError('the fresh writes on every node', EQUAL_LIMIT_MS, seen(stage));
  }
  // Asked after the fresh writes were seen everywhere, so that equal roots contain them.
  const seenAt = stage.history.now();
  return until(stage, 'equal roots', EQUAL_LIMIT_MS, () => {
    const latest = stage.members.map(({ node }) => stage.observer.latest(node.name));
    const roots = new Set(latest.map((observation) => observation?.status.merkle_root));
    return (
      roots.size === 1 && latest.every((observation) => observation !== null && observation.at >= seenAt)
    );
  });
}

/** Lets everything arrive, now that nobody writes any more, and reads all of every node. */
export async function readFinals(stage: Play): Promise<void> {
  const { facts, members } = stage;
  stage.progress('final reads');
  await untilEqual(stage, facts.facts);
  await facts.stop();
  for (const member of members) await readAll(stage, member);
}

async function readAll({ history }: Stage, { node, client }: Member): Promise<void> {
  let last = { root: '', size: 0 };
  for await (const { entries, merkle_root, state_size } of client.pages(null)) {
    last = { root: merkle_root, size: state_size };
    const shown: Shown[] = [];
    for (const entry of entries) shown.push(await shownOf(client, entry));
    history.add({ type: 'entries', node: node.name, entries: shown });
  }
  history.add({ type: 'final', node: node.name, ...last });
}

type Shown = LineOf<'entries'>['entries'][number];

async function shownOf(client: NodeClient, entry: EntriesResponse['entries'][number]): Promise<Shown> {
  const { key, value, version, conflict } = entry;
  const siblings = entry.siblings.map((sibling) => ({ version: sibling.version, value: sibling.value }));
  // Of a conflict the version stands for all records; which of them is shown only a proof tells.
  const id = siblings.length === 0 ? version : await client.winnerOf(key);
  return { key, value, version, id, conflict, siblings };
}

function seen({ members, observer }: Stage): string {
  const parts = members.map(({ node }) => {
    const latest = observer.latest(node.name);
    if (latest === null) return `${node.name} does not answer`;
    return `${node.name} ${latest.status.sync_mode} p2p ${latest.p2pAlive} root ${latest.status.merkle_root.slice(0, 8)}`;
  });
  return `last seen: ${parts.join(', ')}`;
}
