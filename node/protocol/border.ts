/**
 * The whole border of the pure core: what goes in (`Input`) and what comes out (`Effect`).
 *
 * The caller's duties, in order, for the effects of each step: make every `persist` durable, then perform the rest in
 * the order given. Records in an input must have been verified (the brand says so); the core checks everything else.
 */
import type { LatticeEvent, LungName } from './events.ts';
import type { Digest, NodeId } from './ids.ts';
import type { Knowledge } from './state/knowledge.ts';
import type { Dot, SignedRecord, VerifiedRecord } from './state/record.ts';
import type { VersionVector } from './state/version-vector.ts';
import type { Mismatch, Precondition, Standing, StoredRecord, WriteEntry, Written } from './state/write.ts';
import type { SizeDoubt } from './sync/loads.ts';
import type { SyncReply, SyncRequest } from './sync/messages.ts';

/** What a node says of itself with every heartbeat and in every poll. */
export interface Beacon {
  readonly root: Digest;
  /** live records, tombstones and siblings included */
  readonly records: number;
  /** its wall clock, ms since the epoch; null where the lung does not carry it */
  readonly wallMs: number | null;
  /** it watches us, and so wants to hear from us as often as it is heard */
  readonly isWatching: boolean;
  /** nothing has happened there for a while: its heartbeats are further apart */
  readonly isResting: boolean;
  /** its store lost records that have not come back: it vouches for nothing. Default false */
  readonly isHealing?: boolean;
  /** what it has seen; null where the lung does not carry it, the roots were alike, or it is long */
  readonly vector: VersionVector | null;
}

/** How many members, this one included, must have a write on disk before it is answered. */
export interface AckDemand {
  readonly need: number | 'majority' | 'all';
  readonly timeoutMs: number;
}

export type WriteOutcome =
  | {
      readonly ok: true;
      readonly written: readonly Written[];
      /** members that have it on disk, this one included */
      readonly acks: number;
    }
  /** durable here, and it will spread; not enough members had it in time */
  | {
      readonly ok: false;
      readonly reason: 'acks';
      readonly acks: number;
      readonly need: number;
    }
  /** not written: fewer members can be reached than were asked for */
  | { readonly ok: false; readonly reason: 'members'; readonly reachable: number; readonly need: number }
  /** not written: this node's clock is too far from its peers' */
  | { readonly ok: false; readonly reason: 'clock'; readonly detail: string }
  /** not written: an older live process has this node's identity */
  | { readonly ok: false; readonly reason: 'twin'; readonly detail: string }
  /** not written: the condition does not hold, or there is nothing to delete */
  | Mismatch
  /** not written: the records would take more memory than they may */
  | { readonly ok: false; readonly reason: 'full'; readonly bytes: number; readonly bytesMax: number }
  /** the entries make no legal record: a limit, a lone surrogate, too many authors of one key */
  | { readonly ok: false; readonly reason: 'invalid'; readonly detail: string };

/** Which timer: one alarm per name; setting it again replaces it. */
export type TimerName = 'tick' | 'beat' | 'gossip' | `poll:${string}` | `acks:${number}`;

/** Its entries are written all or none. */
export interface WriteRequest {
  /** the caller's number for this request, returned with its reply */
  readonly request: number;
  readonly entries: readonly WriteEntry[];
  readonly precondition: Precondition | null;
  /** null: this node alone */
  readonly acks: AckDemand | null;
}

export type Input =
  | { readonly type: 'start' }
  | { readonly type: 'timer'; readonly timer: TimerName }
  | { readonly type: 'lung'; readonly lung: LungName; readonly state: 'up' | 'down'; readonly reason: string }
  | {
      readonly type: 'link';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly state: 'up' | 'down';
      readonly reason: string;
    }
  | {
      readonly type: 'heard';
      readonly peer: NodeId;
      readonly lung: LungName;
      /** round trip in ms where one was measured */
      readonly rttMs: number | null;
      readonly beacon: Beacon | null;
    }
  | { readonly type: 'silent'; readonly peer: NodeId; readonly lung: LungName; readonly reason: string }
  /** in the order in which they count */
  | { readonly type: 'write'; readonly writes: readonly WriteRequest[] }
  | { readonly type: 'gossip'; readonly peer: NodeId; readonly records: readonly VerifiedRecord[] }
  /** a question of this member has come; its records are still being verified */
  | { readonly type: 'asking'; readonly peer: NodeId; readonly lung: LungName }
  | {
      readonly type: 'asked';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly exchange: number;
      readonly message: SyncRequest<VerifiedRecord>;
    }
  /** a page of records has come that goes on behind `after`: some of them; the others are still being verified, and come with `answered` */
  | {
      readonly type: 'arriving';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly exchange: number;
      readonly after: Dot | null;
      readonly records: readonly VerifiedRecord[];
    }
  | {
      readonly type: 'answered';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly exchange: number;
      readonly message: SyncReply<VerifiedRecord>;
    }
  | {
      readonly type: 'unanswered';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly exchange: number;
      readonly reason: string;
      /** whether its size may be why; absent: nothing says so */
      readonly doubt?: SizeDoubt;
    }
  /** another live process has the identity of this member, which may be our own; `isOlder`: it is ours, and started before us */
  | {
      readonly type: 'twin';
      readonly peer: NodeId;
      readonly instance: string;
      readonly sinceMs: number;
      readonly isOlder: boolean;
    }
  | { readonly type: 'force'; readonly mode: 'P2P' | 'HTTP' | null };

export type Effect =
  | {
      readonly type: 'persist';
      readonly put: readonly StoredRecord[];
      readonly remove: readonly number[];
      /** each key of which a record came or went, with what lived of it before this step */
      readonly before: ReadonlyMap<string, readonly SignedRecord[]>;
      /**
       * Own records without their signatures, none where the core signs itself: they get them before anything of this step is durable, and
       * the caller says so (`Core.signed`) before anything of it is told.
       */
      readonly drafts: readonly StoredRecord[];
      /** last sequence this node used, and the greatest stamp it has seen: durable before use */
      readonly sequence: number;
      readonly wallMs: number;
      readonly counter: number;
      /**
       * What this node knows beside its live records; the store keeps its bytes (`encodeKnowledge`). Called once per commit, before
       * any step that is not part of it: it says what is known then, also when it is encoded later.
       */
      readonly knowledge: () => Knowledge;
    }
  | { readonly type: 'reply'; readonly request: number; readonly outcome: WriteOutcome }
  /** fresh records to every member that gossip reaches */
  | { readonly type: 'publish'; readonly records: readonly SignedRecord[] }
  /** a heartbeat on the direct stream of a P2P link */
  | { readonly type: 'beat'; readonly peer: NodeId; readonly beacon: Beacon }
  /** a conditional poll over HTTP: `heard` when it answers, `silent` when it does not; answers early when the peer's root leaves `root` */
  | { readonly type: 'poll'; readonly peer: NodeId; readonly root: Digest; readonly waitMs: number }
  | {
      readonly type: 'ask';
      readonly peer: NodeId;
      readonly lung: LungName;
      readonly exchange: number;
      readonly message: SyncRequest;
    }
  | { readonly type: 'answer'; readonly exchange: number; readonly message: SyncReply }
  /** give up a P2P connection that has gone silent; the lung dials anew on its own schedule */
  | { readonly type: 'reset'; readonly peer: NodeId; readonly lung: LungName }
  | { readonly type: 'timer'; readonly timer: TimerName; readonly afterMs: number | null }
  | { readonly type: 'emit'; readonly event: LatticeEvent };

export type { Precondition, Standing, WriteEntry, Written };
