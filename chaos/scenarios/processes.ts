/** Faults of whole processes, alone and under a cut, and the operator's hand. */
import { modeHonesty } from '../checkers/mode-honesty.ts';
import { isolate } from '../faults/partition.ts';
import { cut } from './cuts.ts';
import { scheduled } from './scheduled.ts';

export const killAllButOne = scheduled({
  name: 'kill-all-but-one',
  says: 'kills all nodes but one at once: it says NONE and takes writes; the others start again on what they had',
  checkers: [modeHonesty],
  steps: ({ nodes, victim }) => [
    { at: 500, holdMs: 5_000, spec: { kind: 'kill', nodes: nodes.filter((node) => node !== victim) } },
  ],
});

export const freezeThaw = scheduled({
  name: 'freeze-thaw',
  says: 'stops one node without a word for longer than its peers wait, and lets it go on: it catches up',
  steps: ({ victim }) => [
    { at: 500, holdMs: 6_000, spec: { kind: 'freeze', nodes: [victim], how: 'sigstop' } },
  ],
});

export const restartUnderCut = scheduled({
  name: 'restart-under-cut',
  says: 'cuts one node off on P2P, and kills it meanwhile: it comes back over HTTP, and then to P2P',
  steps: ({ nodes, victim }) => [
    { at: 500, holdMs: 12_000, spec: cut(isolate(nodes, victim), 'p2p') },
    { at: 3_500, holdMs: 1_500, spec: { kind: 'kill', nodes: [victim] } },
  ],
});

export const killAlone = scheduled({
  name: 'kill-alone',
  says: 'cuts one node off on both lungs and kills it: what it acknowledged alone is nowhere else, and is there again',
  steps: ({ nodes, victim }) => [
    { at: 500, holdMs: 9_000, spec: cut(isolate(nodes, victim), 'both') },
    { at: 4_000, holdMs: 1_500, spec: { kind: 'kill', nodes: [victim] } },
  ],
});

export const forcedModes = scheduled({
  name: 'forced-modes',
  says: 'forces two nodes to HTTP and one to P2P under writes, and gives them the choice back',
  checkers: [modeHonesty],
  steps: ({ nodes: [one = '', other = '', third = ''] }) => [
    { at: 500, holdMs: 6_000, force: 'HTTP', node: one },
    { at: 700, holdMs: 5_000, force: 'HTTP', node: other },
    { at: 900, holdMs: 4_000, force: 'P2P', node: third },
  ],
});
