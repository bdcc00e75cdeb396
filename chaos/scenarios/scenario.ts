/**
 * What a scenario is given and what it gives back. It acts and measures; the checkers judge its history afterwards.
 */
import type { Checker } from '../checkers/checker.ts';
import type { LabCluster } from '../cluster/port.ts';
import type { Time } from '../cluster/time.ts';
import type { Evidence } from '../faults/fault.ts';
import type { FaultSpec } from '../faults/spec.ts';
import type { History } from '../history/history.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { Observer } from '../workloads/observer.ts';
import type { Recorder } from '../workloads/recorder.ts';
import type { Member } from '../workloads/member.ts';

export interface Scenario {
  readonly name: string;
  readonly says: string;
  readonly checkers: readonly Checker[];
  /** Everything that will happen, from the seed; null where the rounds are played by hand. */
  readonly schedule: ((options: ScheduleOptions) => Schedule) | null;
  play(stage: Stage): Promise<void>;
}

export interface ScheduleOptions {
  readonly nodes: readonly string[];
  readonly seed: number;
  /** how long faults may strike; null: as long as the scenario needs */
  readonly durationMs: number | null;
  /** null where the cluster can do it; only a schedule that may choose its faults asks */
  readonly supports: (spec: FaultSpec) => string | null;
}

export interface Stage {
  readonly cluster: LabCluster;
  readonly members: readonly Member[];
  readonly history: History;
  readonly recorder: Recorder;
  readonly observer: Observer;
  readonly time: Time;
  readonly rounds: number;
  readonly seed: number;
  readonly durationMs: number | null;
  /** played instead of what the seed would make: a replay */
  readonly schedule: Schedule | null;
  /** 0 ≤ x < 1, from the run's seed */
  readonly random: () => number;
  /** aborted when the run is interrupted */
  readonly signal: AbortSignal;
  progress(line: string): void;
  measured(measurement: Measurement): void;
  proof(what: string, evidence: Evidence): void;
}

export interface Measurement {
  readonly what: string;
  /** when it began, on the history's clock */
  readonly from: number;
  /** Infinity: it never happened */
  readonly ms: number;
  /** DESIGN section 8; null where there is none */
  readonly budgetMs: number | null;
  readonly round: number;
}

/** This scenario cannot be played in this world, or on this machine. It proves nothing, and is no failure either. */
export class ScenarioUnsupportedError extends Error {
  readonly code = 'scenario_unsupported';
}

/** The scenario cannot go on, because what must happen did not happen within its hard limit: the product's failure. */
export class LimitExceededError extends Error {
  readonly code = 'limit_exceeded';
  readonly what: string;
  readonly limitMs: number;
  readonly seen: string;

  constructor(what: string, limitMs: number, seen: string) {
    super(`${what} did not happen within ${limitMs / 1000} s; ${seen}`);
    this.name = 'LimitExceededError';
    this.what = what;
    this.limitMs = limitMs;
    this.seen = seen;
  }
}
