/**
 * What the failover suite does to a node, by name. `black-hole`: its libp2p port is silently dropped, both ways.
 * `one-way`: the same, but only what it is sent. `both-cut`: both lungs. `kill`: SIGKILL. `freeze`: it stands still.
 */
import type { World } from '../chaos/cluster/port.ts';
import { deafen, isolate } from '../chaos/faults/partition.ts';
import type { FaultSpec } from '../chaos/faults/spec.ts';

export const STRIKES = ['black-hole', 'one-way', 'kill', 'freeze', 'both-cut'] as const;
export type Strike = (typeof STRIKES)[number];

export function specOf(strike: Strike, world: World, names: readonly string[], victim: string): FaultSpec {
  switch (strike) {
    case 'black-hole':
      return { kind: 'partition', grudges: isolate(names, victim), scope: 'p2p', how: 'drop' };
    case 'one-way':
      return { kind: 'partition', grudges: deafen(names, victim), scope: 'p2p', how: 'drop' };
    case 'both-cut':
      return { kind: 'partition', grudges: isolate(names, victim), scope: 'both', how: 'drop' };
    case 'kill':
      return { kind: 'kill', nodes: [victim] };
    case 'freeze':
      return { kind: 'freeze', nodes: [victim], how: world === 'containers' ? 'cgroup' : 'sigstop' };
  }
}
