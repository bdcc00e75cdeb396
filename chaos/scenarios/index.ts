/** Every scenario there is, by name, in the order in which `chaos list` prints them. */
import { bothCut, bridged, flapping, halvesApart, httpCut, oneWay, reset, ring } from './cuts.ts';
import { busyMachine, clockJump, crowd, diskFull, dnsGone, loss } from './machines.ts';
import { intruder } from './intruder.ts';
import { nodeKill } from './node-kill.ts';
import { p2pCut } from './p2p-cut.ts';
import { forcedModes, freezeThaw, killAllButOne, killAlone, restartUnderCut } from './processes.ts';
import { random } from './random.ts';
import type { Scenario } from './scenario.ts';

/** Those that decide whether the lattice may be trusted, in this order; `quick`: whether every change has to pass it. */
export const GATE: readonly { readonly scenario: Scenario; readonly quick: boolean }[] = [
  { scenario: p2pCut, quick: true },
  { scenario: bothCut, quick: false },
  { scenario: httpCut, quick: false },
  { scenario: oneWay, quick: false },
  { scenario: halvesApart, quick: true },
  { scenario: ring, quick: false },
  { scenario: reset, quick: false },
  { scenario: flapping, quick: false },
  { scenario: nodeKill, quick: true },
  { scenario: killAllButOne, quick: false },
  { scenario: killAlone, quick: false },
  { scenario: freezeThaw, quick: false },
  { scenario: restartUnderCut, quick: true },
  { scenario: forcedModes, quick: false },
  { scenario: diskFull, quick: false },
  { scenario: intruder, quick: false },
];

const MORE: readonly Scenario[] = [bridged, busyMachine, clockJump, crowd, dnsGone, loss, random];

export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(
  [...GATE.map(({ scenario }) => scenario), ...MORE].map((scenario) => [scenario.name, scenario]),
);
