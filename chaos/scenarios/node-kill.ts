/**
 * The promise of the disk: a node is killed in the middle of its writes (SIGKILL), the others go on, it starts again on
 * what it had, catches up, and everything that it had acknowledged is there.
 */
import { checkConvergence } from '../checkers/convergence.ts';
import { checkLostWrites } from '../checkers/lost-writes.ts';
import { keepWriting, playRounds, until, untilEqual, writeFresh } from './steps.ts';
import type { Scenario, Stage } from './scenario.ts';

const NOTICE_LIMIT_MS = 30_000;
const RETURN_LIMIT_MS = 60_000;

export const nodeKill: Scenario = {
  name: 'node-kill',
  says: 'kills one node with SIGKILL while it writes: the others go on, it comes back and catches up, nothing is lost',
  checkers: [checkLostWrites, checkConvergence],
  play: (stage) => playRounds(stage, playRound),
};

async function playRound(stage: Stage, round: number): Promise<void> {
  const { members, history, observer, facts } = stage;
  const victim = members[Math.floor(stage.random() * members.length)];
  if (victim === undefined) throw new RangeError('nobody to kill');
  const others = members.filter((member) => member !== victim);
  const { name } = victim.node;

  stage.progress(`round ${round}: SIGKILL to ${name}`);
  const killedAt = history.timeOf(await victim.node.kill());
  history.add({ type: 'mark', mark: 'killed', node: name }, killedAt);
  const noticedAt = await until(stage, `all others without ${name}`, NOTICE_LIMIT_MS, () =>
    others.every(({ node }) => (observer.latest(node.name)?.p2pAlive ?? members.length) < others.length),
  );
  stage.measured({ what: 'killed → noticed by all others', ms: noticedAt - killedAt, budgetMs: 300, round });
  await keepWriting(stage, others);
  stage.progress('the others go on writing');

  await facts.pause();
  const restartedAt = history.now();
  await victim.node.start();
  history.add({ type: 'mark', mark: 'restarted', node: name });
  stage.measured({ what: 'started → answers', ms: history.now() - restartedAt, budgetMs: null, round });
  const fresh = await writeFresh(stage, [victim, ...others.slice(0, 1)]);
  const equalAt = await untilEqual(stage, [
    ...facts.facts.filter((fact) => fact.ackedAt >= killedAt),
    ...fresh,
  ]);
  stage.measured({
    what: 'started → equal roots with a fresh write',
    ms: equalAt - restartedAt,
    budgetMs: null,
    round,
  });
  await until(
    stage,
    `P2P between ${name} and all others`,
    RETURN_LIMIT_MS,
    () => observer.latest(name)?.p2pAlive === others.length,
  );
  stage.progress(`${name} is back and has caught up`);
  facts.resume();
  await keepWriting(stage, members);
}
