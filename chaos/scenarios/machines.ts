/** What happens to the machine under a node: its disk, its clock, its names, its processors. */
import { scheduled } from './scheduled.ts';

export const diskFull = scheduled({
  name: 'disk-full',
  says: 'fills the disk of one node: it refuses writes or takes them, loses none that it took, and recovers',
  steps: ({ victim }) => [{ at: 500, holdMs: 6_000, spec: { kind: 'disk-full', nodes: [victim] } }],
});

export const clockJump = scheduled({
  name: 'clock-jump',
  says: 'lets the clock of one node jump two minutes ahead: it owns no key for it, and loses no write',
  steps: ({ victim }) => [
    { at: 500, holdMs: 6_000, spec: { kind: 'clock', nodes: [victim], jumpMs: 120_000, driftPpm: 0 } },
  ],
});

export const dnsGone = scheduled({
  name: 'dns-gone',
  says: 'takes the name service from one node: what is connected stays connected',
  steps: ({ victim }) => [{ at: 500, holdMs: 6_000, spec: { kind: 'dns', nodes: [victim] } }],
});

export const crowd = scheduled({
  name: 'crowd',
  says: 'kills all nodes and starts all at once, up to twenty of them: they do not dial each other to death',
  recoveryBudgetMs: 60_000,
  steps: ({ nodes }) => [{ at: 500, holdMs: 1_000, spec: { kind: 'kill', nodes: [...nodes] } }],
});

export const busyMachine = scheduled({
  name: 'busy-machine',
  says: 'keeps the machine at a load of forty for a minute: afterwards all nodes are in one state again',
  recoveryBudgetMs: 30_000,
  steps: ({ nodes }) => [
    {
      at: 500,
      holdMs: 60_000,
      spec: { kind: 'cpu-hog', nodes: [...nodes], hogs: Math.min(16, Math.ceil(40 / nodes.length)) },
    },
  ],
});

export const loss = scheduled({
  name: 'loss',
  says: 'loses a fifth of all packets of two nodes: everything still arrives',
  steps: ({ nodes }) => [
    { at: 500, holdMs: 8_000, spec: { kind: 'loss', nodes: nodes.slice(0, 2), percent: 20, scope: 'both' } },
  ],
});
