/**
 * What the core remembers of each member beside its health: links, last root heard, poll and session schedule.
 */
import type { TimerName } from './border.ts';
import type { LungName } from './events.ts';
import type { Digest, NodeId } from './ids.ts';
import { placesOf, type Places } from './monitor/neighbours.ts';
import { Settled } from './sync/delta.ts';
import { Loads } from './sync/loads.ts';

export interface Peer {
  readonly id: NodeId;
  readonly pollTimer: TimerName;
  /** whether the transport has a way to this member now; says nothing about health */
  readonly linked: Record<LungName, boolean>;
  /** when the P2P link came up, ms monotonic: a link that stays mute from the start is reset too */
  linkedAt: number;
  /** the root this member last told us, by either lung */
  root: Digest | null;
  /** what was stored at or before this slot it has, as the same root has shown; 0 when nothing is known */
  equalSlot: number;
  /**
   * Its wall clock minus our monotonic one, ms, so that a jump of our own wall clock shows at once; and when that was heard, ms
   * monotonic. Null when it never said.
   */
  clock: { readonly leadMs: number; readonly at: number } | null;
  /** since when its root and ours differ without a break, ms monotonic */
  unlikeSince: number | null;
  /** since when nothing but good manners keeps us from a session, ms monotonic */
  dueSince: number | null;
  /** a session is due at once when roots are unlike: first contact, failover, failback */
  urgent: boolean;
  /** what its version vector says and what was settled by it */
  readonly settled: Settled;
  /** the two roots between which the last session moved nothing; null when it did, or they became equal */
  stuck: { readonly local: Digest; readonly remote: Digest } | null;
  /** how much goes in one message: less after one that was too large or took too long */
  readonly loads: Readonly<Record<LungName, Loads>>;
  /** its last question to us, ms monotonic: while it asks, we need not */
  askedAt: number | null;
  /** questions that it may ask before it has to wait, and when that was counted, ms monotonic */
  readonly questions: { left: number; at: number };
  /** no session before, ms monotonic */
  sessionNotBefore: number;
  sessionBackoffMs: number;
  /** when the HTTP poll under way was asked, ms monotonic; null when none is */
  pollingSince: number | null;
  /** when it is polled next only to keep HTTP warm, ms monotonic; null when no such poll is set */
  warmPollAt: number | null;
  readonly places: Places;
  /** one of the few that this node watches by itself */
  isChosen: boolean;
  /** chosen, or watched for a reason of the moment: heartbeats and quick polls are for neighbours */
  isNeighbour: boolean;
  /** until when we watch it because a question to it failed, and until when it wants to be answered, ms monotonic */
  doubtedUntil: number;
  watchesUntil: number;
  /** as its last heartbeat said */
  isResting: boolean;
  /** as it last said, over either lung; null before */
  isHealing: boolean | null;
  /** last evidence over any lung, ms monotonic */
  heardAt: number;
}

/** Questions of one member in a burst, and per second; 256. A descent asks some 50 a second, a page of a snapshot takes longer to verify. */
export const QUESTIONS_MAX = 256;

export function newPeer(id: NodeId, now: number, sessionBackoffMs: number): Peer {
  return {
    id,
    pollTimer: `poll:${id}`,
    linked: { p2p: false, http: false },
    linkedAt: now,
    root: null,
    equalSlot: 0,
    clock: null,
    unlikeSince: null,
    dueSince: null,
    urgent: true,
    settled: new Settled(),
    stuck: null,
    loads: { p2p: new Loads(), http: new Loads() },
    askedAt: null,
    questions: { left: QUESTIONS_MAX, at: now },
    sessionNotBefore: now,
    sessionBackoffMs,
    pollingSince: null,
    warmPollAt: null,
    places: placesOf(id),
    isChosen: true,
    isNeighbour: true,
    doubtedUntil: now,
    watchesUntil: now,
    isResting: false,
    isHealing: null,
    heardAt: now,
  };
}
