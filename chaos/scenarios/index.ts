/** Every scenario there is, by name, in the order in which `chaos list` prints them. */
import { nodeKill } from './node-kill.ts';
import { p2pCut } from './p2p-cut.ts';
import type { Scenario } from './scenario.ts';

export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(
  [p2pCut, nodeKill].map((scenario) => [scenario.name, scenario]),
);

/** Those that decide whether the lattice may be trusted, in this order; `quick`: whether every change has to pass it. */
export const GATE: readonly { readonly scenario: Scenario; readonly quick: boolean }[] = [
  { scenario: p2pCut, quick: true },
  { scenario: nodeKill, quick: true },
];
