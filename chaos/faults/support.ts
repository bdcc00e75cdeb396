/** What every world checks before it makes a fault of a spec: that it can do it at all, and that the nodes are there. */
import type { Preparation } from '../cluster/port.ts';
import { FaultUnsupportedError } from './fault.ts';
import type { Fault } from './fault.ts';
import { together } from './together.ts';
import { struckBy } from './spec.ts';
import type { FaultSpec } from './spec.ts';

/** @returns null when the cluster has every node that the fault names, else what it lacks */
export function missingNodes(spec: FaultSpec, names: readonly string[]): string | null {
  const missing = struckBy(spec).filter((name) => !names.includes(name));
  return missing.length === 0 ? null : `there is no ${missing.join(', ')}; there are ${names.join(', ')}`;
}

/** What a cluster must be opened with, for these faults to be possible on it. */
export function preparationFor(specs: readonly FaultSpec[]): Preparation {
  const kinds = new Set(specs.map(({ kind }) => kind));
  return { clocks: kinds.has('clock'), smallDisks: kinds.has('disk-full') || kinds.has('lost-writes') };
}

/** Throws FaultUnsupportedError with the reason, if there is one. */
export function assertSupported(spec: FaultSpec, reason: string | null): void {
  if (reason !== null) throw new FaultUnsupportedError(`${spec.kind} is not supported here: ${reason}`);
}

/** One fault of as many as there are names. The spec's schema sees to it that there is one. */
export function onEach<T extends { readonly name: string }>(
  names: readonly string[],
  nodes: readonly T[],
  make: (node: T) => Fault,
): Fault {
  const [first, ...rest] = nodes.filter(({ name }) => names.includes(name)).map(make);
  if (first === undefined) throw new RangeError('a fault that strikes nobody');
  return together([first, ...rest]);
}
