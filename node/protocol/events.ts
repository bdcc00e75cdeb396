/**
 * What the protocol lets the world see. Rooms emit events; only observe/ knows loggers, Prometheus and streams.
 */
import type { Digest, NodeId } from './ids.ts';

export type LungName = 'p2p' | 'http';

/** What carries data now, by evidence. */
export type SyncMode = 'P2P' | 'HTTP' | 'NONE';

/** Health of one peer over one lung. `unknown`: never heard. */
export type LinkState = 'unknown' | 'alive' | 'suspect' | 'dead';

/** How a record reached this node. */
export type Cause = 'write' | 'gossip' | 'push' | 'sync';

/**
 * How unlike replicas are made equal, cheapest first: version vectors; the same, where they carry most of the state; coded symbols;
 * a descent of the Merkle tries.
 */
export type Rung = 'equal' | 'delta' | 'snapshot' | 'sketch' | 'descent';

export type LatticeEvent =
  | { readonly type: 'lung'; readonly lung: LungName; readonly state: 'up' | 'down'; readonly reason: string }
  | { readonly type: 'mode'; readonly from: SyncMode; readonly to: SyncMode; readonly reason: string }
  | { readonly type: 'forced'; readonly mode: 'P2P' | 'HTTP' | null }
  | {
      readonly type: 'peer';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly from: LinkState;
      readonly to: LinkState;
      readonly reason: string;
    }
  | { readonly type: 'root'; readonly root: Digest; readonly size: number; readonly cause: Cause }
  | {
      readonly type: 'divergence';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly local: Digest;
      readonly remote: Digest;
    }
  | {
      readonly type: 'reconciliation';
      readonly peer: NodeId;
      readonly lung: LungName;
      /** the last one taken; `equal`: nothing had to be moved */
      readonly rung: Rung;
      readonly pulled: number;
      readonly pushed: number;
      readonly roundTrips: number;
      readonly tookMs: number;
      readonly outcome: 'equal' | 'unlike' | 'failed';
      readonly reason: string;
    }
  /** a session takes a rung of the ladder of anti-entropy, and why */
  | {
      readonly type: 'rung';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly rung: Rung;
      readonly reason: string;
    }
  /** since the last tick fresh records went over HTTP to members that gossip does not reach, though it carries */
  | { readonly type: 'hedged'; readonly records: number; readonly members: number }
  /** messages of so many bytes of records do not reach this member; `isRecord`: it is one record, which stays behind */
  | {
      readonly type: 'limited';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly bytes: number;
      readonly isRecord: boolean;
    }
  | { readonly type: 'conflict'; readonly key: string; readonly siblings: number }
  /** an author signed two records under one dot; both are kept, and both signatures are the evidence */
  | {
      readonly type: 'equivocation';
      readonly author: NodeId;
      readonly sequence: number;
      /** canonical bytes of both records, signatures included, in hex */
      readonly records: readonly [string, string];
    }
  /** our store forgot own writes that peers have seen: it was restored from a backup; their sequences are not used again */
  | { readonly type: 'restored'; readonly sequence: number; readonly peer: NodeId }
  /** a member begins to count for `w=`, or was silent for too long and stops; and how many count now, this node included */
  | { readonly type: 'member'; readonly peer: NodeId; readonly counts: boolean; readonly members: number }
  | { readonly type: 'collected'; readonly tombstones: number }
  | { readonly type: 'clock'; readonly isSane: boolean; readonly offsetMs: number }
  /** stamps that live here are so far ahead of a clock that is right; writes follow the clock, and own records are written anew */
  | { readonly type: 'stamps'; readonly leadMs: number; readonly own: number }
  /** another live process has the identity of this member; `stops`: it is our own identity and we are the younger, so we stop writing */
  | {
      readonly type: 'twin';
      readonly peer: NodeId;
      readonly instance: string;
      readonly sinceMs: number;
      readonly isOurs: boolean;
      readonly stops: boolean;
    }
  | {
      readonly type: 'refused';
      readonly peer: NodeId | null;
      readonly lung: LungName;
      readonly what: 'record' | 'message' | 'peer';
      readonly reason: string;
    };

/** An event with its time (ms since the epoch, wall clock) and a number that grows by one per event of a process. */
export interface DatedEvent {
  readonly id: number;
  readonly at: number;
  readonly event: LatticeEvent;
}
