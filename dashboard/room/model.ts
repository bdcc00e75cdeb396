/**
 * What the control room shows, and the events that change it. The server behind the page keeps a RoomView and sends it
 * to whoever comes; from then on both take the same events through the same reduce (reduce.ts).
 *
 * Nothing here is text for a reader: events are facts, and the page words them in its reader's language.
 */
import type { SyncMode } from '../../node/protocol/events.ts';
import type { ClusterView, ViewEvent } from '../view.ts';

export interface RoomView {
  readonly cluster: ClusterView;
  readonly world: 'processes' | 'containers';
  /** one per second that had an answer, oldest first, at most `TRAFFIC_SECONDS` */
  readonly traffic: readonly TrafficSecond[];
  /** of this session, oldest first; those in force have no end */
  readonly faults: readonly FaultView[];
  readonly recoveries: readonly Recovery[];
  /** oldest first, at most `LOG_LINES_MAX` */
  readonly log: readonly LogLine[];
  /** lines that there were so far: the id of the newest one */
  readonly told: number;
  readonly tour: TourView | null;
  readonly books: Books | null;
  readonly conflict: ConflictView | null;
}

export interface TrafficSecond {
  /** whole seconds since the epoch */
  readonly second: number;
  readonly acknowledged: number;
  readonly failed: number;
}

/** The lungs that a fault takes. */
export type CutLung = 'p2p' | 'http' | 'both';

export type FaultDeed =
  | {
      readonly kind: 'cut';
      readonly nodes: readonly string[];
      /** these are all that there are */
      readonly everywhere: boolean;
      readonly lung: CutLung;
    }
  | { readonly kind: 'partition'; readonly groups: readonly (readonly string[])[]; readonly lung: CutLung }
  | { readonly kind: 'kill'; readonly node: string }
  | { readonly kind: 'freeze'; readonly node: string };

export interface FaultView {
  readonly id: number;
  readonly deed: FaultDeed;
  /** how it is done here, for engineers */
  readonly means: string;
  readonly from: number;
  /** null while it is in force */
  readonly until: number | null;
  /** null: not looked at yet; otherwise whether every check of its evidence held */
  readonly proven: boolean | null;
  /** packets or chunks that it kept back */
  readonly dropped: number;
}

/**
 * From a disturbance (a fault, or its end) to the moment at which a write made after it is on every running node, and
 * they have one root. `fault` is the disturbance's fault.
 */
export interface Recovery {
  readonly id: number;
  readonly fault: number;
  readonly after: 'fault' | 'heal';
  readonly from: number;
  readonly until: number | null;
}

export type LogFact =
  | { readonly type: 'started'; readonly nodes: number }
  | {
      readonly type: 'mode';
      readonly nodes: readonly string[];
      readonly from: SyncMode;
      readonly to: SyncMode;
    }
  | { readonly type: 'reach'; readonly node: string; readonly reach: 'up' | 'down' }
  | { readonly type: 'states'; readonly count: number }
  | { readonly type: 'begun' | 'ended'; readonly deed: FaultDeed }
  | {
      readonly type: 'proof';
      readonly deed: FaultDeed;
      readonly proven: boolean;
      readonly dropped: number;
    }
  | { readonly type: 'recovered'; readonly after: 'fault' | 'heal'; readonly tookMs: number }
  /** what nodes lacked and got from one another after a heal */
  | { readonly type: 'reconciled'; readonly nodes: readonly string[]; readonly records: number }
  | { readonly type: 'conflict'; readonly key: string; readonly siblings: number }
  | { readonly type: 'settled'; readonly key: string }
  | {
      readonly type: 'written';
      readonly node: string;
      readonly key: string;
      readonly outcome: 'ok' | 'fail' | 'info';
    }
  | {
      readonly type: 'tour';
      readonly step: TourStepName;
      readonly state: StepState;
      readonly tookMs: number | null;
    }
  | { readonly type: 'trouble'; readonly detail: string };

export interface LogLine {
  readonly id: number;
  readonly at: number;
  readonly fact: LogFact;
}

export const TOUR_STEPS = ['steady', 'cutP2p', 'cutHttp', 'kill', 'sum', 'heal'] as const;
export type TourStepName = (typeof TOUR_STEPS)[number];

/** `waiting` → `announced` → `running` → one of the verdicts. */
export type StepState = 'waiting' | 'announced' | 'running' | 'pass' | 'fail' | 'inconclusive' | 'skipped';

export interface TourStep {
  readonly name: TourStepName;
  readonly state: StepState;
  /** the node that it is about */
  readonly node: string | null;
  /** the time that its claim was measured to take */
  readonly tookMs: number | null;
  readonly detail: StepDetail | null;
}

export type StepDetail =
  | { readonly type: 'audited'; readonly transfers: number; readonly nodes: number }
  | { readonly type: 'failed-requests'; readonly count: number }
  | { readonly type: 'trouble'; readonly text: string };

export interface TourView {
  readonly running: boolean;
  readonly steps: readonly TourStep[];
}

/** The bank's books: each node's are made of that node's own entries. Amounts in cents. */
export interface Books {
  readonly accounts: readonly string[];
  /** what was issued to all accounts together, and must be their sum for ever */
  readonly issued: number;
  /** transfers that some node acknowledged */
  readonly acknowledged: number;
  readonly nodes: readonly NodeBooks[];
  /** newest first */
  readonly recent: readonly Transfer[];
}

export interface NodeBooks {
  readonly node: string;
  /** of its balances */
  readonly sum: number;
  readonly transfers: number;
  /** acknowledged transfers that it does not have (yet) */
  readonly missing: number;
  /** in the order of `accounts` */
  readonly balances: readonly number[];
}

export interface Transfer {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly amount: number;
  /** the node that acknowledged it */
  readonly via: string;
  /** how many nodes were tried before */
  readonly retries: number;
}

/** Two writes to one key that did not know of each other. */
export interface ConflictView {
  readonly key: string;
  readonly winner: string;
  readonly siblings: readonly string[];
  /** nodes that show this winner and these siblings */
  readonly agreeing: readonly string[];
  readonly settled: boolean;
}

export type RoomEvent =
  | ViewEvent
  | ({ readonly at: number } & (
      | { readonly type: 'begun'; readonly fault: FaultView }
      | {
          readonly type: 'proof';
          readonly id: number;
          readonly proven: boolean;
          readonly dropped: number;
        }
      | { readonly type: 'ended'; readonly id: number }
      | { readonly type: 'recovery'; readonly recovery: Recovery }
      | { readonly type: 'tour'; readonly tour: TourView }
      | { readonly type: 'books'; readonly books: Books }
      | { readonly type: 'conflict'; readonly conflict: ConflictView }
      | { readonly type: 'fact'; readonly fact: LogFact }
    ));
