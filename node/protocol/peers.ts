/**
 * What the core remembers of each member beside its health: links, last root heard, poll and session schedule.
 */
import type { LungName } from './events.ts';
import type { Digest, NodeId } from './ids.ts';

export interface Peer {
  readonly id: NodeId;
  /** whether the transport has a way to this member now; says nothing about health */
  readonly linked: Record<LungName, boolean>;
  /** when the P2P link came up, ms monotonic: a link that stays mute from the start is reset too */
  linkedAt: number;
  /** the root this member last told us, by either lung */
  root: Digest | null;
  /** what was stored at or before this slot it has, as the same root has shown; 0 when nothing is known */
  equalSlot: number;
  /** its wall clock minus ours, ms, and when that was heard, ms monotonic; null when it never said */
  clock: { readonly offsetMs: number; readonly at: number } | null;
  /** since when its root and ours differ without a break, ms monotonic */
  unlikeSince: number | null;
  /** a session is due at once when roots are unlike: first contact, failover, failback */
  urgent: boolean;
  /** no session before, ms monotonic */
  sessionNotBefore: number;
  sessionBackoffMs: number;
  /** when the HTTP poll under way was asked, ms monotonic; null when none is */
  pollingSince: number | null;
  /** last evidence over any lung, ms monotonic */
  heardAt: number;
}

export function newPeer(id: NodeId, now: number, sessionBackoffMs: number): Peer {
  return {
    id,
    linked: { p2p: false, http: false },
    linkedAt: now,
    root: null,
    equalSlot: 0,
    clock: null,
    unlikeSince: null,
    urgent: true,
    sessionNotBefore: now,
    sessionBackoffMs,
    pollingSince: null,
    heardAt: now,
  };
}
