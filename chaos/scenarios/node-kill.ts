/**
 * The promise of the disk: a node is killed in the middle of its writes (SIGKILL), the others go on, it starts again on
 * what it had, catches up, and everything that it had acknowledged is there.
 */
import { budgets } from '../checkers/budgets.ts';
import { convergence } from '../checkers/convergence.ts';
import { honestRoot } from '../checkers/honest-root.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import type { FaultSpec } from '../faults/spec.ts';
import { oneOf } from '../workloads/workload.ts';
import { blamed } from './blamed.ts';
import { keepWriting, playRounds, until, untilEqual, writeFresh } from './steps.ts';
import type { Scenario } from './scenario.ts';
import type { Play } from './steps.ts';

const NOTICE_LIMIT_MS = 30_000;
const RETURN_LIMIT_MS = 60_000;

export const nodeKill: Scenario = {
  name: 'node-kill',
  says: 'kills one node with SIGKILL while it writes: the others go on, it comes back and catches up, nothing is lost',
  checkers: [lostWrites, convergence, honestRoot, budgets],
  schedule: null,
  play: (stage) => playRounds(stage, playRound),
};

async function playRound(stage: Play, round: number): Promise<void> {
  const { members, history, observer, facts } = stage;
  const victim = oneOf(members, stage.random);
  const others = members.filter((member) => member !== victim);
  const { name } = victim.node;

  stage.progress(`round ${round}: SIGKILL to ${name}`);
  const spec: FaultSpec = { kind: 'kill', nodes: [name] };
  const mark = (phase: 'begun' | 'complete' | 'lifted' | 'gone', at: number): number =>
    history.add({ type: 'fault', id: round, phase, spec, nodes: [name] }, at);
  const fault = stage.cluster.fault(spec);
  // Looked for from before the blow on: until the engine says that all is over, the others have long noticed.
  const [{ beganAt, completeAt }, noticedAt] = await Promise.all([
    blamed(fault.inject()),
    until(stage, `all others without ${name}`, NOTICE_LIMIT_MS, () =>
      others.every(({ node }) => (observer.latest(node.name)?.p2pAlive ?? members.length) < others.length),
    ),
  ]);
  const killedAt = mark('begun', history.timeOf(beganAt));
  mark('complete', history.timeOf(completeAt));
  stage.measured({
    what: 'killed → noticed by all others',
    from: killedAt,
    ms: noticedAt - killedAt,
    budgetMs: 300,
    round,
  });
  await keepWriting(stage, others);
  stage.progress('the others go on writing');

  await facts.pause();
  stage.proof(`round ${round}: the kill bites`, await blamed(fault.evidence()));
  const restartedAt = mark('lifted', history.now());
  await blamed(fault.lift());
  const servesAt = mark('gone', history.now());
  history.add({ type: 'mark', mark: 'healed', node: '' }, servesAt);
  stage.measured({
    what: 'started → serves',
    from: restartedAt,
    ms: servesAt - restartedAt,
    budgetMs: null,
    round,
  });
  const fresh = await writeFresh(stage, [victim, ...others.slice(0, 1)]);
  const equalAt = await untilEqual(stage, [
    ...facts.facts.filter((fact) => fact.ackedAt >= killedAt),
    ...fresh,
  ]);
  stage.measured({
    what: 'started → equal roots with a fresh write',
    from: restartedAt,
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
  stage.proof(`round ${round}: the kill is over`, await blamed(fault.heal()));
  stage.progress(`${name} is back and has caught up`);
  facts.start();
  await keepWriting(stage, members);
}
