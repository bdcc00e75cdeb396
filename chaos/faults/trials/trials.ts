/** Every kind of fault, and every way of it, as specs for a cluster of at least three nodes: each must bite and heal. */
import { bridge, deafen, halves, isolate, minorityThird } from '../partition.ts';
import type { FaultSpec, Grudges, Scope } from '../spec.ts';
import { NEXT_IMAGE } from './next-image.ts';

export interface Trial {
  readonly name: string;
  readonly spec: FaultSpec;
}

/** @param names of at least three nodes */
export function trialsFor(names: readonly string[]): readonly Trial[] {
  const [first = '', second = ''] = names;
  const partition = (grudges: Grudges, scope: Scope, how: 'drop' | 'reset' = 'drop'): FaultSpec => ({
    kind: 'partition',
    grudges,
    scope,
    how,
  });
  const one = { nodes: [first] };
  return [
    { name: 'partition: one, p2p', spec: partition(isolate(names, first), 'p2p') },
    { name: 'partition: one, http', spec: partition(isolate(names, first), 'http') },
    { name: 'partition: one, both', spec: partition(isolate(names, first), 'both') },
    { name: 'partition: one-way, p2p', spec: partition(deafen(names, first), 'p2p') },
    { name: 'partition: halves, both', spec: partition(halves(names), 'both') },
    { name: 'partition: minority third, both', spec: partition(minorityThird(names), 'both') },
    { name: 'partition: bridge, p2p', spec: partition(bridge(names, second), 'p2p') },
    { name: 'partition: one, both, reset', spec: partition(isolate(names, first), 'both', 'reset') },
    { name: 'loss: 20 %, both', spec: { kind: 'loss', ...one, percent: 20, scope: 'both' } },
    { name: 'latency: 100 ± 20 ms', spec: { kind: 'latency', ...one, ms: 100, jitterMs: 20, scope: 'both' } },
    { name: 'bandwidth: 50 kB/s', spec: { kind: 'bandwidth', ...one, kBps: 50 } },
    { name: 'kill', spec: { kind: 'kill', ...one } },
    { name: 'freeze: signal', spec: { kind: 'freeze', ...one, how: 'sigstop' } },
    { name: 'freeze: control group', spec: { kind: 'freeze', ...one, how: 'cgroup' } },
    { name: 'restart: asked', spec: { kind: 'restart', ...one, how: 'sigterm' } },
    { name: 'restart: killed', spec: { kind: 'restart', ...one, how: 'sigkill' } },
    { name: 'restart elsewhere', spec: { kind: 'restart-elsewhere', ...one } },
    { name: 'clock: jump', spec: { kind: 'clock', ...one, jumpMs: 20_000, driftPpm: 0 } },
    { name: 'clock: drift', spec: { kind: 'clock', ...one, jumpMs: 0, driftPpm: 50_000 } },
    { name: 'disk full', spec: { kind: 'disk-full', ...one } },
    { name: 'corrupt: torn', spec: { kind: 'corrupt', ...one, how: 'torn', seed: 1 } },
    { name: 'corrupt: flipped', spec: { kind: 'corrupt', ...one, how: 'flipped', seed: 1 } },
    { name: 'lost writes', spec: { kind: 'lost-writes', ...one } },
    { name: 'dns', spec: { kind: 'dns', ...one } },
    { name: 'cpu hog: 4', spec: { kind: 'cpu-hog', ...one, hogs: 4 } },
    { name: 'scale: one more', spec: { kind: 'scale', to: names.length + 1 } },
    { name: 'scale: one fewer', spec: { kind: 'scale', to: names.length - 1 } },
    { name: 'upgrade', spec: { kind: 'upgrade', nodes: names, image: NEXT_IMAGE } },
  ];
}
