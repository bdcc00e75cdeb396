/** Partitions: one lung or both, one node or many, dropped or reset, once or again and again. */
import { carried } from '../checkers/carried.ts';
import { conflictsSurfaced } from '../checkers/conflicts.ts';
import { modeHonesty } from '../checkers/mode-honesty.ts';
import { bridge, deafen, halves, isolate, majoritiesRing } from '../faults/partition.ts';
import type { FaultSpec, Grudges, Scope } from '../faults/spec.ts';
import { ScenarioUnsupportedError } from './scenario.ts';
import { scheduled } from './scheduled.ts';

/** Long enough for a failover, and for writes to cross after it. */
const CUT = { at: 500, holdMs: 6_000 };
const RECOVERY_BUDGET_MS = 2_000;
/** Of three nodes each hears both others. */
const RING_MIN = 4;
const SHARED = { shared: { everyMs: 400 } };

export function cut(grudges: Grudges, scope: Scope, how: 'drop' | 'reset' = 'drop'): FaultSpec {
  return { kind: 'partition', grudges, scope, how };
}

export const bothCut = scheduled({
  name: 'both-cut',
  says: 'drops both ports of one node: it says NONE, takes writes alone, and every conflict that comes of it is told',
  clients: SHARED,
  checkers: [modeHonesty, conflictsSurfaced],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes, victim }) => [{ ...CUT, spec: cut(isolate(nodes, victim), 'both') }],
});

export const httpCut = scheduled({
  name: 'http-cut',
  says: 'drops the HTTP port of one node between the nodes: P2P carries on, and nobody changes the mode',
  checkers: [carried],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes, victim }) => [{ ...CUT, spec: cut(isolate(nodes, victim), 'http') }],
});

export const oneWay = scheduled({
  name: 'one-way',
  says: 'drops what one node is sent over P2P, not what it sends: HTTP takes over, both ways',
  checkers: [modeHonesty, carried],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes, victim }) => [{ ...CUT, spec: cut(deafen(nodes, victim), 'p2p') }],
});

export const halvesApart = scheduled({
  name: 'halves',
  says: 'splits the nodes into two halves, both lungs: both take writes, and every conflict that comes of it is told',
  clients: { ...SHARED, bank: { everyMs: 1_000 } },
  checkers: [modeHonesty, conflictsSurfaced],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes }) => [{ ...CUT, spec: cut(halves(nodes), 'both') }],
});

export const ring = scheduled({
  name: 'majorities-ring',
  says: 'lets every node hear a majority, and no two the same one: writes get round',
  checkers: [modeHonesty],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes }) => {
    if (nodes.length < RING_MIN)
      throw new ScenarioUnsupportedError(`a ring of majorities needs ${RING_MIN} nodes, not ${nodes.length}`);
    return [{ ...CUT, spec: cut(majoritiesRing(nodes), 'both') }];
  },
});

export const bridged = scheduled({
  name: 'bridge',
  says: 'splits the nodes into two halves with one node between them that hears both: writes get across',
  checkers: [modeHonesty],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes, victim }) => [{ ...CUT, spec: cut(bridge(nodes, victim), 'both') }],
});

export const reset = scheduled({
  name: 'reset',
  says: 'resets every P2P connection of one node, and every new one: HTTP takes over',
  checkers: [modeHonesty, carried],
  recoveryBudgetMs: RECOVERY_BUDGET_MS,
  steps: ({ nodes, victim }) => [{ ...CUT, spec: cut(isolate(nodes, victim), 'p2p', 'reset') }],
});

export const flapping = scheduled({
  name: 'flapping',
  says: 'cuts one node off on P2P and lets it back, seven times: nothing is lost, and it comes to rest',
  steps: ({ nodes, victim }) =>
    Array.from({ length: 7 }, (_, i) => ({
      at: 500 + 1_500 * i,
      holdMs: 700,
      spec: cut(isolate(nodes, victim), 'p2p'),
    })),
});
