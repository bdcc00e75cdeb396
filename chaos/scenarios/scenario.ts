/**
 * What a scenario is given and what it gives back. It acts and measures; the checkers judge its history afterwards.
 */
import type { Checker } from '../checkers/checker.ts';
import type { Cluster } from '../cluster/port.ts';
import type { Evidence } from '../faults/fault.ts';
import type { History } from '../history/history.ts';
import type { Member, Observer } from '../workloads/observer.ts';
import type { UniqueFacts } from '../workloads/unique-facts.ts';

export interface Scenario {
  readonly name: string;
  readonly says: string;
  readonly checkers: readonly Checker[];
  play(stage: Stage): Promise<void>;
}

export interface Stage {
  readonly cluster: Cluster;
  readonly members: readonly Member[];
  readonly history: History;
  readonly observer: Observer;
  readonly facts: UniqueFacts;
  readonly rounds: number;
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
  readonly ms: number;
  /** DESIGN section 8; null where there is none. A single run that is over it is reported, not failed: budgets are p99. */
  readonly budgetMs: number | null;
  readonly round: number;
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
