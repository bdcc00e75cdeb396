/**
 * How eager each lung is, as a table of numbers. The core reads it; nothing else decides about times.
 */
export interface Policy {
  /** Timers so late are usual where processors are merely all in use, in ms. Default 150: 113 was the worst in a minute. Beyond, a node asks and accuses less. */
  readonly usualLagMs: number;
  /** How often health is judged and unlike peers are looked at, in ms. Default 100. A tenth of suspicionMs; costs ~20 µs each. */
  readonly tickMs: number;
  /** Heartbeats on every direct P2P link, in ms. Default 250 (measured: black hole noticed in 1.01–1.05 s with a 1 s limit). */
  readonly beatMs: number;
  /**
   * The same once nothing has happened for `restAfterMs`, in ms; default 500. A heartbeat there and one back cost some 0.6 ms of a core, most of
   * what an idle node costs. Two of them fit into suspicionMs: with fewer one late heartbeat would be a verdict.
   */
  readonly restBeatMs: number;
  /** Default 5000 ms. */
  readonly restAfterMs: number;
  /** HTTP poll of a member that gossip reaches, only to stay warm, in ms. Default 10000, ±10 % jitter. */
  readonly warmPollMs: number;
  /** How long a poll of a member that gossip does not reach may be held by it until its root changes, in ms. Default 1000: evidence every second. */
  readonly eagerWaitMs: number;
  /** Least time between two eager polls of one member, in ms. Default 50. */
  readonly eagerGapMs: number;
  /** After a failed eager poll: first delay, doubling, in ms. Default 250 … 1000, ±20 % jitter: the recovery budget is 2 s. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How long the roots of a member that gossip reaches must be unlike before a session starts, in ms. Default 400: gossip needs p99 100 ms. */
  readonly settleMs: number;
  /** The same for a member that only pushes and polls reach, in ms. Default 100. */
  readonly settleAssistedMs: number;
  /** How long the member whose part it is to begin the session is given for it, in ms. Default 150: a question over HTTP takes a few ms. */
  readonly yieldMs: number;
  /** The same where it lacks a snapshot and we lack nothing, in ms. Default 2000: a page takes about a second until it asks again. */
  readonly yieldSnapshotMs: number;
  /** How long after its last question a member counts as still reconciling with us, in ms. Default 400: its next heartbeat tells the outcome. */
  readonly askedHoldMs: number;
  /** After a session that did not end alike: first delay, doubling, in ms. Default 250 … 4000, ±30 % jitter against meeting again. */
  readonly sessionBackoffMinMs: number;
  readonly sessionBackoffMaxMs: number;
  /** Sessions that this node may have under way as the asker. Default 3. */
  readonly sessionsMax: number;
  /** Members to which a fresh record is pushed directly because gossip does not reach them. Default 16. */
  readonly pushFanoutMax: number;
  /** Records learnt by reconciliation that are announced by gossip at once; beyond, others reconcile for themselves. Default 100: one gossip message. */
  readonly announceMax: number;
  /** A tombstone that every member has is collected when its stamp is older than this, in ms. Default 10000: members do it at about the same time. */
  readonly collectAfterMs: number;
  /** A member silent for so long holds back no collection, in ms of this node's waking time. Default 7 days, as Cassandra's grace (10) less a weekend. */
  readonly graceMs: number;
  /**
   * A member silent for so long does not count for `w=`, in ms of this node's waking time. Default 7 days; must be longer than any cut
   * that is to be survived, for both sides of a longer one have a majority of their own.
   */
  readonly absenceMs: number;
  /** Tombstones collected in one tick. Default 500: about 10 ms. */
  readonly collectMax: number;
  /** A member silent on both lungs for so long is forgotten until it is met again, in ms. Default 600000 (10 min). */
  readonly forgetMs: number;
}

export const POLICY_DEFAULTS: Policy = {
  usualLagMs: 150,
  tickMs: 100,
  beatMs: 250,
  restBeatMs: 500,
  restAfterMs: 5_000,
  warmPollMs: 10_000,
  eagerWaitMs: 1_000,
  eagerGapMs: 50,
  retryMinMs: 250,
  retryMaxMs: 1_000,
  settleMs: 400,
  settleAssistedMs: 100,
  yieldMs: 150,
  yieldSnapshotMs: 2_000,
  askedHoldMs: 400,
  sessionBackoffMinMs: 250,
  sessionBackoffMaxMs: 4_000,
  sessionsMax: 3,
  pushFanoutMax: 16,
  announceMax: 100,
  collectAfterMs: 10_000,
  graceMs: 7 * 86_400_000,
  absenceMs: 7 * 86_400_000,
  collectMax: 500,
  forgetMs: 600_000,
};
