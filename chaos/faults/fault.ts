/**
 * A fault proves that it bit and that it healed; a scenario without that proof is inconclusive, never green.
 */
import type { FaultKind } from './spec.ts';

export interface EvidenceOptions {
  /** false: without the matrix of probes, which costs the machine a second; where nothing was counted, the lab still dials. Default true */
  readonly probes?: boolean;
}

export interface Fault {
  readonly name: FaultKind;
  /** how it is done here, for the report: which mechanism, on which node, which port */
  readonly means: string;
  /** The exact rules and steps of `inject` and `lift`, as things are now, one line each. Changes nothing. */
  plan(): readonly string[];
  /** Resolves when the fault is in force everywhere. Throws FaultError. */
  inject(options?: EvidenceOptions): Promise<Injected>;
  /** What shows that it bites now; may be asked several times while it is in force. */
  evidence(options?: EvidenceOptions): Promise<Evidence>;
  /** Lifts the fault, quickly. Idempotent. @returns since when it is lifted, or the node started, ms since the epoch. Throws FaultError. */
  lift(): Promise<number>;
  /** Lifts the fault where that has not been done, and checks that it is gone. Idempotent. */
  heal(options?: EvidenceOptions): Promise<Evidence>;
}

/** Milliseconds since the epoch. Several places cannot be changed in the same instant. */
export interface Injected {
  /** the first place took it: how soon it is noticed is measured from here */
  readonly beganAt: number;
  /** the last place took it: what gets through from here on went another way */
  readonly completeAt: number;
}

export interface Evidence {
  /** true: every check below holds */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** packets or, where packets can't be seen, chunks that were swallowed since the fault was injected */
  readonly dropped: number;
  readonly droppedBytes: number;
}

export interface Check {
  readonly claim: string;
  readonly holds: boolean;
}

export function evidenceOf(
  checks: readonly Check[],
  dropped: { readonly count: number; readonly bytes: number },
): Evidence {
  return {
    ok: checks.every((check) => check.holds),
    checks,
    dropped: dropped.count,
    droppedBytes: dropped.bytes,
  };
}

/** This world, or this machine, cannot do it; `Cluster.supports` says so beforehand. */
export class FaultUnsupportedError extends Error {
  readonly code = 'fault_unsupported';
}

export class FaultError extends Error {
  readonly code = 'fault_failed';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FaultError';
  }
}
