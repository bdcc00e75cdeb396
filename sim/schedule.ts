/**
 * A run as plain data: what cluster, over what links, and what happens to it when. A seed draws one (draw.ts); it can be printed,
 * saved, replayed and shrunk. Times are virtual ms; a step's `at` counts from the start of the world.
 *
 * A fault carries its own length, so that leaving a step out takes its end away as well, and shortening it is one number.
 */
import type { LungName } from '../node/protocol/events.ts';
import type { Paths } from './faults.ts';
import type { Quality } from './world.ts';

export interface Schedule {
  readonly version: 1;
  readonly seed: number;
  readonly options: ScheduleOptions;
  /** by time */
  readonly steps: readonly Step[];
}

export interface ScheduleOptions {
  readonly nodes: number;
  /** how long the safety phase takes, in ms, the start included: faults end with it at the latest */
  readonly faultsMs: number;
  /** within which the healed core, and then the whole cluster, must converge, in ms */
  readonly budgetMs: number;
  readonly quality: Readonly<Record<LungName, Quality>>;
  /** links per host; null: every two hosts are linked */
  readonly degree: number | null;
  /** every message as its real bytes, decoded and verified at the other end */
  readonly wire: boolean;
  /** by host: a disk sync in ms, the drift of its clock in millionths, how far the clock is off in ms */
  readonly hosts: readonly {
    readonly flushMs: number;
    readonly driftPpm: number;
    readonly offsetMs: number;
  }[];
  /** knobs of the core that this run sets; else its defaults */
  readonly knobs: Knobs;
  /** who is healed first, and must converge while the others stay away */
  readonly core: readonly number[];
  /** how the others stay away */
  readonly others: 'cut' | 'dead';
}

export interface Knobs {
  readonly beatMs?: number;
  readonly tickMs?: number;
  readonly forgetMs?: number;
  readonly graceMs?: number;
  readonly collectAfterMs?: number;
  /** of the sketch: few make a difference that it cannot tell */
  readonly cellsMax?: number;
}

/** How many members a write waits for, and for how long. */
export interface Wait {
  readonly need: number | 'majority' | 'all';
  readonly timeoutMs: number;
}

/** `id` names a step for good, whatever is left out around it. */
export type Step = { readonly id: number; readonly at: number } &
  /** `count` unique facts, one every `gapMs` */
  (
    | {
        readonly do: 'facts';
        readonly host: number;
        readonly count: number;
        readonly gapMs: number;
        readonly bytes: number;
        readonly wait: Wait | null;
      }
    /** each of the hosts writes the same key in the same moment */
    | { readonly do: 'share'; readonly hosts: readonly number[]; readonly key: number }
    /** deletes the first fact of that step, if this host knows it */
    | { readonly do: 'delete'; readonly host: number; readonly fact: number }
    | { readonly do: 'cut'; readonly forMs: number; readonly paths: Paths }
    | { readonly do: 'delay'; readonly forMs: number; readonly paths: Paths; readonly byMs: number }
    /** `backup`: the step whose backup it comes back with; null: with its own disk */
    | {
        readonly do: 'kill';
        readonly forMs: number;
        readonly host: number;
        readonly keepsSyncing: boolean;
        readonly backup: number | null;
      }
    | { readonly do: 'backup'; readonly host: number }
    | { readonly do: 'stall'; readonly forMs: number; readonly host: number }
    | { readonly do: 'clock'; readonly forMs: number; readonly host: number; readonly byMs: number }
    | { readonly do: 'force'; readonly forMs: number; readonly host: number; readonly mode: 'P2P' | 'HTTP' }
    /** something that no member may take arrives as gossip */
    | { readonly do: 'forge'; readonly host: number; readonly how: Forgery }
    /** this host signs another record under the dot of its newest one, and `to` hears of it */
    | { readonly do: 'equivocate'; readonly host: number; readonly to: number }
    /**
     * only this lung passes, everywhere; after a while a fresh write must get everywhere all the same
     * `deaf`: a host that can ask over HTTP and cannot be asked, as behind a firewall; null: there is none
     */
    | {
        readonly do: 'one-lung';
        readonly forMs: number;
        readonly lung: LungName;
        readonly host: number;
        readonly deaf: number | null;
      }
  );

export const FORGERIES = ['signature', 'value', 'author', 'cut-short'] as const;
export type Forgery = (typeof FORGERIES)[number];

/** Lines for people. */
export function describeStep(step: Step): string {
  const { id, at, do: name, ...rest } = step;
  const facts = Object.entries(rest)
    .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
  return `${String(Math.round(at)).padStart(7)} ms  #${id} ${name} ${facts}`;
}

/** When the last thing of it happens. */
export function endOf(step: Step): number {
  switch (step.do) {
    case 'facts':
      return step.at + step.count * step.gapMs;
    case 'cut':
    case 'delay':
    case 'kill':
    case 'stall':
    case 'clock':
    case 'force':
    case 'one-lung':
      return step.at + step.forMs;
    case 'share':
    case 'delete':
    case 'backup':
    case 'forge':
    case 'equivocate':
      return step.at;
  }
}
