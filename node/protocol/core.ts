/**
 * The core of one node: `step(input, now): readonly Effect[]`. Pure: time, randomness and signatures are passed in,
 * everything that touches the world goes out as data. The border is `border.ts`; the caller's duties are in README.md.
 *
 * This file only routes: an input to the room that knows (state, gossip, sync, monitor, mode), and what the room says to
 * effects. Policy numbers live in mode/policy.ts.
 */
import type {
  Beacon,
  Effect,
  Input,
  Precondition,
  TimerName,
  WriteEntry,
  WriteOutcome,
  WriteRequest,
} from './border.ts';
import { CodecError } from './codec.ts';
import type { Cause, LatticeEvent, LinkState, LungName, SyncMode } from './events.ts';
import { Acks, ACKS_DEFAULTS, needOf } from './gossip/acks.ts';
import { Pushes, PUSHES_DEFAULTS } from './gossip/pushes.ts';
import { Rumors, RUMORS_DEFAULTS } from './gossip/rumors.ts';
import type { Digest, NodeId } from './ids.ts';
import {
  INITIAL_MODE,
  isSteady,
  nextMode,
  type ModeEvidence,
  type ModeOptions,
  type ModeState,
} from './mode/mode.ts';
import type { Policy } from './mode/policy.ts';
import { Members } from './monitor/members.ts';
import { NEIGHBOURS_MAX } from './monitor/neighbours.ts';
import { Watch } from './monitor/watch.ts';
import { judgeClock, type ClockVerdict } from './monitor/clocks.ts';
import { Detector, type DetectorOptions, type LinkHealth, type Transition } from './monitor/detector.ts';
import { toEnd, type Pieces } from './pieces.ts';
import { newPeer, QUESTIONS_MAX, type Peer } from './peers.ts';
import { isTooFarAhead } from './state/clock.ts';
import { decodeKnowledge, type Knowledge } from './state/knowledge.ts';
import type { Dot, SignedRecord, VerifiedRecord } from './state/record.ts';
import type { AtHand } from './state/record-store.ts';
import { Replica, type LoadedRecord, type WriteResult } from './state/replica.ts';
import type { Loss } from './state/loss.ts';
import { VersionVector } from './state/version-vector.ts';
import type { SketchOptions } from './state/sketch/sketch.ts';
import type { StoredRecord } from './state/write.ts';
import { Absences, ABSENCES_DEFAULTS } from './sync/absences.ts';
import { answer, ANSWER_DEFAULTS } from './sync/answer.ts';
import type { Freight } from './sync/freight.ts';
import type { Load, SizeDoubt } from './sync/loads.ts';
import { isPush, recordsOf, type Offered, type SyncReply, type SyncRequest } from './sync/messages.ts';
import { Refusals } from './sync/refusals.ts';
import { Session, SESSION_DEFAULTS } from './sync/session.ts';

export interface Now {
  /** ms since the epoch; may jump */
  readonly wallMs: number;
  /** ms since some start; never goes back */
  readonly monotonicMs: number;
  /** how late this process' timers were of late, ms; absent: never */
  readonly lagMs?: number;
}

export interface CoreModules {
  readonly self: NodeId;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  /** Own records go out unsigned, as `drafts` of `persist`, for whoever signs quicker than one by one. Default false. */
  readonly signsLater?: boolean;
  /** uniform in [0, 1) */
  readonly rng: () => number;
  /** the cluster's own, at least 16 bytes; see `Sketch` */
  readonly sketchSalt: Uint8Array;
  /** Records that are there as objects, where many cores are in one process; see `RecordStore`. Default none. */
  readonly atHand?: AtHand;
}

export interface CoreOptions {
  readonly policy: Policy;
  readonly detector: DetectorOptions;
  readonly mode: ModeOptions;
  /** A stamp further ahead of our clock is refused, in ms. Default 60000 (DESIGN section 3). */
  readonly aheadMaxMs: number;
  readonly sketch: SketchOptions;
  /** What the records may take in memory, in bytes. Default without end. */
  readonly stateBytesMax?: number;
}

export interface ModeReport {
  readonly mode: SyncMode;
  readonly forced: 'P2P' | 'HTTP' | null;
  /** ms since the epoch */
  readonly since: number;
  readonly lastSwitch: {
    readonly from: SyncMode;
    readonly to: SyncMode;
    readonly reason: string;
    readonly at: number;
  } | null;
}

/** What the clock is off: its peers' clocks, or the stamps of what lives here, as long as no peer has told the time. */
interface ClockReport extends ClockVerdict {
  readonly against: 'peers' | 'stamps';
}

export interface PeerReport {
  readonly id: NodeId;
  /** its store lost records, as it last said; null before it said anything */
  readonly isHealing: boolean | null;
  /** what it has seen, as it last said; null before */
  readonly seen: VersionVector | null;
  readonly root: Digest | null;
  readonly p2p: LinkHealth;
  readonly http: LinkHealth;
}

/** A member that was met and is not heard now. */
interface AbsentMember {
  readonly id: NodeId;
  /** ms of this node's waking time */
  readonly silentMs: number;
  /** ms since the epoch; null: not known */
  readonly heardAtMs: number | null;
  /** when it stops counting for `w=` if it stays silent and this node runs, ms since the epoch; null: it does not count */
  readonly countsUntilMs: number | null;
}

export interface MembersReport {
  /** this node included */
  readonly counted: number;
  /** what `w=majority` needs */
  readonly majority: number;
  readonly absent: readonly AbsentMember[];
}

type InvalidWrite = Extract<WriteOutcome, { readonly reason: 'invalid' }>;

/** What an exchange under way is for. */
type Purpose =
  | { readonly kind: 'session'; readonly session: Session }
  | { readonly kind: 'push' }
  | { readonly kind: 'ack' };

/** An exchange under way. */
type UnderWay = Purpose & { readonly sent: Load };

/** What the store kept beside the records. */
export interface Kept {
  readonly sequence: number;
  readonly wallMs: number;
  readonly counter: number;
  readonly knowledge: Uint8Array | null;
}

export class Core {
  readonly replica: Replica;
  readonly #modules: CoreModules;
  readonly #policy: Policy;
  readonly #modeOptions: ModeOptions;
  readonly #detector: Detector;
  readonly #rumors = new Rumors(RUMORS_DEFAULTS);
  readonly #pushes = new Pushes(PUSHES_DEFAULTS);
  readonly #peers = new Map<NodeId, Peer>();
  readonly #watch: Watch;
  readonly #sessions = new Map<NodeId, Session>();
  readonly #exchanges = new Map<number, UnderWay>();
  readonly #lungUp: Record<LungName, boolean> = { p2p: false, http: false };
  #mode: ModeState = INITIAL_MODE;
  /** by which it was judged last */
  #evidenceOfMode: ModeEvidence = { p2pReached: 0, httpReached: 0 };
  #modeSince: number | null = null;
  #lastSwitch: ModeReport['lastSwitch'] = null;
  readonly #acks = new Acks(ACKS_DEFAULTS);
  readonly #absences = new Absences(ABSENCES_DEFAULTS);
  readonly #refusals: Refusals;
  #loss: Loss | null = null;
  /** every member ever met, kept over restarts: one that is away may still have what others have replaced */
  readonly #members: Members;
  readonly #aheadMaxMs: number;
  readonly #knowledge = (): Knowledge => ({
    vector: this.#seen(),
    members: [...this.#members.known()],
  });
  #clock: ClockVerdict = { isSane: true, offsetMs: 0 };
  /** since when stamps are ahead of a clock of which nobody says that it is right, ms monotonic */
  #leadSince: number | null = null;
  /** why this node writes no more: an older live process has its identity. Until it is restarted. */
  #retirement: string | null = null;
  /** when own records with stamps from the future are written anew, ms monotonic; null: there are none */
  #restampAt: number | null = null;
  #nextExchange = 1;
  #announcedRoot: Digest | null = null;
  /** something happened that a tick must look at soon */
  #isStirred = false;
  /** when something last did, ms monotonic */
  #stirredAt = 0;
  /** until the next heartbeat, from the last one */
  #beatMs: number;
  /** when the next heartbeat is due, ms monotonic */
  #beatAt = 0;
  /** when the next tick is set for, ms monotonic; null: one comes with the next beat */
  #tickAt: number | null = null;
  /** that tick has nothing to do but to doubt who is silent until then */
  #isTickForDoubt = false;
  #lastCause: Cause = 'write';
  #hedged = { records: 0, members: new Set<NodeId>() };
  #now: Now = { wallMs: 0, monotonicMs: 0 };
  #effects: Effect[] = [];

  constructor(modules: CoreModules, options: CoreOptions) {
    this.#modules = modules;
    this.#policy = options.policy;
    this.#beatMs = options.policy.beatMs;
    this.#modeOptions = options.mode;
    this.#aheadMaxMs = options.aheadMaxMs;
    this.#refusals = new Refusals(options.aheadMaxMs);
    this.#detector = new Detector(options.detector);
    this.#members = new Members(options.policy);
    this.#watch = new Watch(modules.self, (peer) => this.#isPresent(peer));
    this.replica = new Replica(
      {
        self: modules.self,
        sign: modules.sign,
        signsLater: modules.signsLater ?? false,
        sketchSalt: modules.sketchSalt,
        ...(modules.atHand === undefined ? {} : { atHand: modules.atHand }),
      },
      { aheadMaxMs: options.aheadMaxMs, sketch: options.sketch, bytesMax: options.stateBytesMax ?? Infinity },
    );
  }

  /** As `loading`, in one go. */
  load(kept: Kept | null, records: Iterable<LoadedRecord>, wallMs: number): void {
    toEnd(this.loading(kept, records, wallMs));
  }

  /**
   * Restores what the store kept; once, to its end, before the first step.
   *
   * @param kept null, or its `knowledge` null, where nothing is known beside the records: then less is remembered, nothing is wrong
   */
  *loading(kept: Kept | null, records: Iterable<LoadedRecord>, wallMs: number): Pieces<void> {
    const bytes = kept?.knowledge ?? null;
    const knowledge = bytes === null ? null : decodeKnowledge(bytes);
    yield* this.replica.loading(kept, records, knowledge?.vector ?? null, wallMs);
    this.#members.load(knowledge?.members ?? []);
  }

  step(input: Input, now: Now): readonly Effect[] {
    this.#now = now;
    this.#effects = [];
    this.#members.advance(now.monotonicMs);
    this.#detector.setSlowness(this.#slownessMs());
    this.#detector.advance(now.monotonicMs, Math.min(this.#tickAt ?? Infinity, this.#beatAt));
    this.#route(input);
    this.#judgeMode();
    for (const { one, other } of this.replica.takeEquivocations()) this.#accuse(one, other);
    for (const { id, counts } of this.#members.takeChanges())
      this.#emit({ type: 'member', peer: id, counts, members: this.#memberCount() });
    const isDue = this.#members.takeDue();
    const changes = this.replica.takeChanges(isDue);
    const isNews = changes !== null && !(isDue && changes.put.length + changes.remove.length === 0);
    if (isNews || this.#isStirred) this.#wake();
    const effects = this.#effects;
    this.#effects = [];
    if (changes === null) return effects;
    return [{ type: 'persist', ...changes, knowledge: this.#knowledge }, ...effects];
  }

  /** Drafts of a `persist` have their signatures. */
  signed(drafts: readonly StoredRecord[]): void {
    this.replica.signed(drafts);
  }

  /** Signs the drafts that live here, for somebody who is shown their bytes before they are durable. */
  signNow(): void {
    this.replica.signNow();
  }

  mode(): ModeReport {
    return {
      mode: this.#mode.mode,
      forced: this.#mode.forced,
      since: this.#modeSince ?? this.#now.wallMs,
      lastSwitch: this.#lastSwitch,
    };
  }

  /** Whether this node may stamp writes: its clock is its peers', and its stamps are not ahead of its clock. */
  clock(): ClockReport {
    const leadMs = this.#hybridLeadMs();
    if (!this.#clock.isSane || leadMs <= this.#aheadMaxMs) return { ...this.#clock, against: 'peers' };
    return { isSane: false, offsetMs: -leadMs, against: 'stamps' };
  }

  /** Why this node writes no more; null: it does. */
  get retirement(): string | null {
    return this.#retirement;
  }

  /** The store lost records: what had been seen stays on record until it is made good. Null: it is. */
  setLoss(loss: Loss | null): void {
    this.#loss = loss;
  }

  get isHealing(): boolean {
    return this.#loss !== null;
  }

  /** `isShort`: members have records for which there was no room here. */
  room(): { readonly bytes: number; readonly bytesMax: number; readonly isShort: boolean } {
    return { ...this.replica.room(), isShort: this.#refusals.hasCrowdedOut };
  }

  /** What the store is told was seen: what it lost too, until that is made good. */
  #seen(): VersionVector {
    const vector = this.replica.vector.clone();
    if (this.#loss !== null && this.#loss.seen !== null) vector.join(this.#loss.seen);
    return vector;
  }

  /** In order of first acquaintance. */
  peers(): readonly PeerReport[] {
    return [...this.#peers.values()].map(({ id, root, isHealing, settled: { seen } }) => ({
      id,
      root,
      isHealing,
      seen,
      p2p: this.#detector.health(id, 'p2p'),
      http: this.#detector.health(id, 'http'),
    }));
  }

  /** Who counts for `w=`, and who of all is not heard now: longest silent first. */
  members(): MembersReport {
    const absent: AbsentMember[] = [];
    for (const { id, silentMs, heardAtMs, counts } of this.#members.known()) {
      if (this.#isHeard(id)) continue;
      const leftMs = this.#policy.absenceMs - silentMs;
      const countsUntilMs = counts ? this.#now.wallMs + Math.max(0, leftMs) : null;
      absent.push({ id, silentMs, heardAtMs: heardAtMs === 0 ? null : heardAtMs, countsUntilMs });
    }
    const counted = this.#memberCount();
    absent.sort((a, b) => b.silentMs - a.silentMs);
    return { counted, majority: needOf('majority', counted), absent };
  }

  #isHeard(id: NodeId): boolean {
    return (['p2p', 'http'] as const).some((lung) => ['alive', 'suspect'].includes(this.#state(id, lung)));
  }

  #route(input: Input): void {
    switch (input.type) {
      case 'start':
        this.#modeSince = this.#now.wallMs;
        this.#stirredAt = this.#now.monotonicMs;
        this.#announcedRoot = this.replica.root();
        this.#setTick(this.#policy.tickMs);
        this.#setBeat(this.#policy.beatMs);
        return;
      case 'timer':
        return this.#alarm(input.timer);
      case 'lung':
        this.#lungUp[input.lung] = input.state === 'up';
        return this.#emit({ type: 'lung', lung: input.lung, state: input.state, reason: input.reason });
      case 'link':
        return input.state === 'up'
          ? this.#linkUp(input.peer, input.lung)
          : this.#linkDown(input.peer, input.lung, input.reason);
      case 'heard':
        return this.#heard(input.peer, input.lung, input.rttMs, input.beacon);
      case 'silent':
        return this.#silent(input.peer, input.lung, input.reason);
      case 'write':
        for (const write of input.writes) this.#write(write);
        return;
      case 'gossip':
        this.#evidence(input.peer, 'p2p', null);
        this.#merge(input.records, 'gossip', input.peer, 'p2p');
        return;
      case 'asking':
        this.#evidence(input.peer, input.lung, null).askedAt = this.#now.monotonicMs;
        return;
      case 'asked':
        return this.#asked(input.peer, input.lung, input.exchange, input.message);
      case 'arriving':
        return this.#arriving(input.peer, input.lung, input.exchange, input);
      case 'answered':
        return this.#answered(input.peer, input.lung, input.exchange, input.message);
      case 'unanswered':
        return this.#unanswered(input);
      case 'twin':
        return this.#meetTwin(input);
      case 'force':
        this.#mode = { ...this.#mode, forced: input.mode };
        this.#emit({ type: 'forced', mode: input.mode });
        for (const peer of this.#peers.values()) this.#reconsider(peer);
        return;
    }
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #alarm(timer: TimerName): void {
    switch (timer) {
      case 'tick':
        this.#tickAt = null;
        return this.#tick();
      case 'beat':
        return this.#beatNow();
      case 'gossip':
        return this.#pumpRumors();
      default:
        if (timer.startsWith('acks:')) return this.#ackTimeout(Number(timer.slice('acks:'.length)));
        return this.#poll(timer.slice('poll:'.length) as NodeId);
    }
  }

  #beatNow(): void {
    this.#setBeat(
      this.#isResting() || this.#slownessMs() > 0 ? this.#policy.restBeatMs : this.#policy.beatMs,
    );
    if (this.#tickAt === null) this.#tick();
    this.#beatAll();
    if (this.#isResting()) this.#pollTogether();
  }

  #setBeat(afterMs: number): void {
    this.#beatMs = afterMs;
    this.#beatAt = this.#now.monotonicMs + afterMs;
    this.#timer('beat', afterMs);
  }

  /**
   * Among members that rest one heartbeat brings on the others that are due within the longer part of the interval, so that soon all come at
   * once: to wake costs an idle node more than what it wakes for. A member far away is not joined, for the answer to a heartbeat would
   * come late enough to bring on the next.
   */
  #joinBeat(isPeerResting: boolean, rttMs: number | null): void {
    if (!isPeerResting || this.#beatMs === this.#policy.beatMs || !this.#isResting()) return;
    const isNear = rttMs !== null && rttMs <= JOIN_ROUND_TRIP_MS;
    if (isNear && this.#beatAt - this.#now.monotonicMs <= JOIN_SHARE * this.#beatMs) this.#beatNow();
  }

  /** Neighbours hear from us with every beat, and one of the others in turn, so that all of them do in time. */
  #beatAll(): void {
    for (const peer of this.#peers.values()) if (peer.isNeighbour) this.#beat(peer);
    const stray = this.#watch.nextStray();
    if (stray !== null) this.#beat(stray);
  }

  #beat(peer: Peer): void {
    if (!peer.linked.p2p) return;
    this.#effects.push({ type: 'beat', peer: peer.id, beacon: this.#beacon(peer) });
  }

  /** A tick soon, and heartbeats at their usual pace, the first one now: others expect it at the slow pace still. */
  #wake(): void {
    this.#stirredAt = this.#now.monotonicMs;
    const { monotonicMs } = this.#now;
    const isSoon = this.#tickAt !== null && this.#tickAt - monotonicMs <= this.#policy.tickMs;
    if (!isSoon) this.#setTick(WAKE_MS);
    if (this.#beatMs === this.#policy.beatMs || this.#slownessMs() > 0) return;
    this.#setBeat(this.#policy.beatMs);
    this.#beatAll();
  }

  /** By how much this process is slower than one on a machine that is merely in full use, ms. */
  #slownessMs(): number {
    return Math.max(0, (this.#now.lagMs ?? 0) - this.#policy.usualLagMs);
  }

  #isResting(): boolean {
    return this.#mode.mode === 'P2P' && this.#now.monotonicMs - this.#stirredAt >= this.#policy.restAfterMs;
  }

  #setTick(afterMs: number): void {
    this.#isTickForDoubt = false;
    this.#tickAt = this.#now.monotonicMs + afterMs;
    this.#timer('tick', afterMs);
  }

  /** A tick when silence becomes doubt, if that is before the one that comes with the next heartbeat. */
  #setTickForDoubt(): void {
    const { monotonicMs } = this.#now;
    const doubtMs = Math.max(1, Math.ceil(this.#detector.nextDoubtMs));
    if (monotonicMs + doubtMs < this.#beatAt) this.#setTick(doubtMs);
    else if (this.#tickAt !== null) {
      this.#tickAt = null;
      this.#timer('tick', null);
    }
    this.#isTickForDoubt = true;
  }

  /**
   * While nothing happens a tick comes with every beat only, for each turn of the event loop costs an idle node more than what is done in
   * it; and one exactly when silence becomes doubt.
   */
  #tick(): void {
    this.#isStirred = false;
    this.#lookAround();
    for (const transition of this.#detector.sweep()) this.#changed(transition);
    const now = this.#now.monotonicMs;
    for (const peer of this.#peers.values()) {
      if (peer.linked.p2p && this.#isMute(peer)) this.#reset(peer);
      if (peer.pollingSince !== null && now - peer.pollingSince > this.#policy.eagerWaitMs + POLL_LOST_MS) {
        peer.pollingSince = null;
        this.#poll(peer.id);
      }
      // A lung that still knows a way to it tells us no second time: such a member is not forgotten.
      const isGone = !peer.linked.p2p && !peer.linked.http && now - peer.heardAt > this.#policy.forgetMs;
      if (isGone) this.#forget(peer.id);
      else this.#maybeReconcile(peer);
      this.#askForAcks(peer);
    }
    this.#members.sweep();
    this.#judgeClock();
    this.#retryRefused();
    this.#collect();
    this.#tellHedged();
    const root = this.replica.root();
    if (root !== this.#announcedRoot) {
      this.#announcedRoot = root;
      this.#emit({ type: 'root', root, size: this.replica.size(), cause: this.#lastCause });
    }
    const isBusy =
      this.#isStirred || this.#mode.mode !== 'P2P' || this.#sessions.size > 0 || !this.#acks.isIdle;
    if (!isBusy) return this.#setTickForDoubt();
    this.#setTick(Math.min(this.#policy.tickMs, Math.max(1, Math.ceil(this.#detector.nextDoubtMs))));
  }

  /** Who is a neighbour may have changed: it is judged, polled and served by another measure then. */
  #lookAround(): void {
    for (const peer of this.#watch.look(this.#peers, this.#now.monotonicMs)) {
      this.#detector.setWatched(peer.id, peer.isNeighbour);
      if (peer.isNeighbour) this.#beat(peer);
      this.#reconsider(peer);
    }
    this.#detector.setPatience({
      p2p: STRAY_TURNS * this.#watch.strayCount * this.#policy.restBeatMs,
      http: STRAY_TURNS * this.#strayPollMs(),
    });
  }

  /** Not known to be dead on both lungs. */
  #isPresent({ id, linked }: Peer): boolean {
    return (
      (linked.p2p && this.#state(id, 'p2p') !== 'dead') || (linked.http && this.#state(id, 'http') !== 'dead')
    );
  }

  #tellHedged(): void {
    const { records, members } = this.#hedged;
    if (records === 0) return;
    this.#emit({ type: 'hedged', records, members: members.size });
    this.#hedged = { records: 0, members: new Set() };
  }

  // ── links and evidence ────────────────────────────────────────────────────────────────────────────────────────────

  #linkUp(id: NodeId, lung: LungName): void {
    if (id === this.#modules.self) return;
    const peer = this.#peer(id);
    if (peer.linked[lung]) return;
    peer.linked[lung] = true;
    this.#watch.noteChange();
    this.#isStirred = true;
    if (lung === 'p2p') {
      peer.linkedAt = this.#now.monotonicMs;
      return this.#beat(peer);
    }
    this.#detector.setEager(id, this.#isAssisted(peer));
    this.#poll(id);
  }

  #linkDown(id: NodeId, lung: LungName, reason: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.linked[lung] = false;
    const transition = this.#detector.lost(id, lung, reason);
    if (transition !== null) this.#changed(transition);
  }

  #heard(id: NodeId, lung: LungName, rttMs: number | null, beacon: Beacon | null): void {
    if (id === this.#modules.self) return;
    const was = this.#state(id, lung);
    // What was asked while the lung was in doubt may be lost: it is asked anew at once.
    if (beacon !== null && (was === 'suspect' || was === 'dead')) this.#giveUpSession(id, lung, 'lung_back');
    const peer = this.#evidence(id, lung, rttMs);
    if (beacon === null) return;
    peer.isHealing = beacon.isHealing ?? false;
    if (beacon.isWatching)
      peer.watchesUntil = this.#now.monotonicMs + WATCHING_BEATS * this.#policy.restBeatMs;
    if (lung === 'p2p') {
      peer.isResting = beacon.isResting;
      this.#detector.setResting(id, beacon.isResting);
    }
    if (beacon.wallMs !== null) {
      const { monotonicMs } = this.#now;
      peer.clock = { leadMs: beacon.wallMs - monotonicMs, at: monotonicMs };
    }
    if (beacon.vector !== null) {
      peer.settled.hear(beacon.vector);
      this.#noteOwn(id, beacon.vector);
    }
    this.#noteRoot(peer, beacon.root);
    if (lung === 'http') {
      peer.pollingSince = null;
      this.#schedulePoll(peer, 0);
    }
    this.#maybeReconcile(peer);
    if (lung === 'p2p') {
      if (this.#isTickForDoubt) this.#setTickForDoubt();
      this.#joinBeat(beacon.isResting, rttMs);
    }
  }

  #silent(id: NodeId, lung: LungName, reason: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    const transition = this.#detector.failed(id, lung, reason);
    if (transition !== null) this.#changed(transition);
    if (lung === 'http') {
      peer.pollingSince = null;
      this.#schedulePoll(peer, this.#detector.failures(id, 'http'));
    }
  }

  #evidence(id: NodeId, lung: LungName, rttMs: number | null): Peer {
    const peer = this.#peer(id);
    peer.heardAt = this.#now.monotonicMs;
    this.#members.heard(id, this.#now.wallMs);
    // What comes on a connection that is no link (yet, or any more) is good to have, and does not say that this lung carries data.
    if (lung === 'p2p' && !peer.linked.p2p) return peer;
    const transition = this.#detector.heard(id, lung, this.#now.monotonicMs, rttMs);
    if (transition !== null) this.#changed(transition);
    return peer;
  }

  /** The one place where a change of health has consequences. */
  #changed({ peer: id, lung, from, to, reason }: Transition): void {
    this.#emit({ type: 'peer', peer: id, lung, from, to, reason });
    if (from === 'dead') this.#peer(id).loads[lung].renew();
    this.#watch.noteChange();
    this.#isStirred = true;
    const peer = this.#peer(id);
    if (lung === 'p2p' && to === 'dead' && peer.linked.p2p) this.#reset(peer);
    // In doubt it is given up for a lung that is in none; with no other it may yet end.
    const better = to === 'alive' ? null : this.#lungFor(peer);
    if (to === 'dead' || (better !== null && better !== lung)) this.#giveUpSession(id, lung, 'lung_in_doubt');
    peer.urgent = true;
    peer.dueSince = null;
    peer.sessionBackoffMs = this.#policy.sessionBackoffMinMs;
    peer.sessionNotBefore = this.#now.monotonicMs;
    if (lung === 'p2p') this.#reconsider(peer);
    else this.#maybeReconcile(peer);
  }

  /** Which lung serves this member may have changed: poll it at the right pace, and settle what it may have missed. */
  #reconsider(peer: Peer): void {
    const assisted = this.#isAssisted(peer);
    this.#detector.setEager(peer.id, assisted);
    if (!assisted) this.#pushes.drop(peer.id);
    if (peer.linked.http) {
      // A question under way answers this one too; whether it answers at all is asked first, and not held.
      if (peer.pollingSince !== null) return this.#maybeReconcile(peer);
      if (assisted) this.#poll(peer.id, false);
      else this.#schedulePoll(peer, 0);
    }
    this.#maybeReconcile(peer);
  }

  #reset(peer: Peer): void {
    peer.linked.p2p = false;
    this.#effects.push({ type: 'reset', peer: peer.id, lung: 'p2p' });
  }

  /** A neighbour linked for longer than anybody may be silent, and never heard since. */
  #isMute(peer: Peer): boolean {
    if (!peer.isNeighbour) return false;
    const { state } = this.#detector.health(peer.id, 'p2p');
    const heard = state === 'alive' || state === 'suspect';
    const patienceMs = MUTE_BEATS * (this.#policy.beatMs + this.#slownessMs());
    return !heard && this.#now.monotonicMs - peer.linkedAt > patienceMs;
  }

  #forget(id: NodeId): void {
    this.#peers.delete(id);
    this.#watch.noteChange();
    for (const lung of ['p2p', 'http'] as const) this.#giveUpSession(id, lung, 'forgotten');
    this.#pushes.drop(id);
    this.#acks.forget(id);
    this.#detector.forget(id);
    this.#timer(`poll:${id}`, null);
  }

  // ── polls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #poll(id: NodeId, mayHold = true): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || !peer.linked.http) return;
    peer.pollingSince = this.#now.monotonicMs;
    peer.warmPollAt = null;
    const { eagerWaitMs } = this.#policy;
    const { state, heardAt } = this.#detector.health(id, 'http');
    // Who was not heard of late is not waited for: whether it answers is the question.
    const isFresh = heardAt !== null && this.#now.monotonicMs - heardAt < 2 * eagerWaitMs;
    const isHeld = mayHold && isFresh && state === 'alive' && this.#isAssisted(peer);
    const waitMs = isHeld ? eagerWaitMs : 0;
    this.#timer(peer.pollTimer, null);
    this.#detector.asked(id, waitMs);
    this.#effects.push({ type: 'poll', peer: id, root: this.replica.root(), waitMs });
  }

  /** @param failures polls of this member that failed in a row */
  #schedulePoll(peer: Peer, failures: number): void {
    const { warmPollMs, eagerGapMs, retryMinMs, retryMaxMs } = this.#policy;
    let delayMs: number;
    peer.warmPollAt = null;
    if (!peer.isNeighbour) delayMs = this.#jitter(this.#strayPollMs(), 0.1);
    else if (!this.#isAssisted(peer)) {
      delayMs = this.#jitter(warmPollMs, WARM_POLL_JITTER);
      peer.warmPollAt = this.#now.monotonicMs + delayMs;
    } else if (failures === 0)
      delayMs = Math.min(eagerGapMs + EAGER_GAP_SLOWNESS * this.#slownessMs(), retryMaxMs);
    else delayMs = this.#jitter(Math.min(retryMinMs * 2 ** Math.min(failures - 1, 16), retryMaxMs), 0.2);
    this.#timer(peer.pollTimer, delayMs);
  }

  /** A warm poll due before the next heartbeat goes with this one, and takes along those that are due as soon as jitter lets them be: one waking for all. */
  #pollTogether(): void {
    const now = this.#now.monotonicMs;
    const leftMs = ({ warmPollAt }: Peer): number => (warmPollAt ?? Infinity) - now;
    const peers = [...this.#peers.values()].filter(({ linked }) => linked.http);
    if (!peers.some((peer) => leftMs(peer) <= this.#beatMs)) return;
    const spreadMs = 2 * WARM_POLL_JITTER * this.#policy.warmPollMs;
    for (const peer of peers) if (leftMs(peer) <= Math.max(this.#beatMs, spreadMs)) this.#poll(peer.id);
  }

  /** So far apart are the polls of a member that is no neighbour that those of all of them are as many as those of the neighbours. */
  #strayPollMs(): number {
    return this.#policy.warmPollMs * Math.max(1, this.#watch.strayCount / NEIGHBOURS_MAX);
  }

  // ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #write({ request, entries, precondition, acks: demand }: WriteRequest): void {
    const need = demand === null ? 1 : needOf(demand.need, this.#memberCount());
    const refusal = this.#refusal(need);
    const result = refusal ?? this.#tryWrite(entries, precondition);
    if (!result.ok) return this.#reply(request, result);
    this.#spread(result.records, 'write', null);
    const { written } = result;
    if (demand === null || need <= 1 || written.length === 0) {
      return this.#reply(request, { ok: true, written, acks: 1 });
    }
    this.#acks.open(request, need, this.#modules.self, written);
    this.#timer(`acks:${request}`, demand.timeoutMs);
    for (const peer of this.#peers.values()) {
      this.#acks.offer(peer.id, request, result.records);
      this.#askForAcks(peer);
    }
  }

  /** Why no write is taken now; nothing has been changed. */
  #refusal(need: number): Exclude<WriteOutcome, { readonly ok: true }> | null {
    if (this.#retirement !== null) return { ok: false, reason: 'twin', detail: this.#retirement };
    // The clock was set since the last tick.
    if (this.#hybridLeadMs() > this.#aheadMaxMs) this.#judgeClock();
    const clock = this.clock();
    if (!clock.isSane) return { ok: false, reason: 'clock', detail: describeClock(clock) };
    if (need <= 1) return null;
    let reachable = 1;
    for (const peer of this.#peers.values()) if (this.#mayAnswer(peer)) reachable += 1;
    return reachable < need ? { ok: false, reason: 'members', reachable, need } : null;
  }

  /** A member that owes us an answer is not counted on, though it is still asked. */
  #mayAnswer(peer: Peer): boolean {
    const lung = this.#lungFor(peer);
    return lung === 'p2p' || (lung === 'http' && this.#state(peer.id, 'http') !== 'suspect');
  }

  #reply(request: number, outcome: WriteOutcome): void {
    this.#effects.push({ type: 'reply', request, outcome });
  }

  /** A push whose answer says that the records are on that member's disk. */
  #askForAcks(peer: Peer): void {
    if (this.#acks.isIdle) return;
    const lung = this.#lungFor(peer);
    const records =
      lung === null ? null : this.#acks.next(peer.id, this.#now.monotonicMs, this.#freight(peer, lung));
    if (lung === null || records === null) return;
    this.#offer(peer, lung, records, { kind: 'ack' });
  }

  #acknowledged(peer: Peer): void {
    for (const { request, waiting } of this.#acks.answered(peer.id)) {
      this.#timer(`acks:${request}`, null);
      const { written, have } = waiting;
      this.#reply(request, { ok: true, written, acks: have.size });
    }
    this.#askForAcks(peer);
  }

  #ackTimeout(request: number): void {
    const late = this.#acks.expire(request);
    if (late === null) return;
    const { need, have } = late;
    this.#reply(request, { ok: false, reason: 'acks', acks: have.size, need });
  }

  #tryWrite(entries: readonly WriteEntry[], precondition: Precondition | null): WriteResult | InvalidWrite {
    try {
      return this.replica.write(entries, precondition, this.#now.wallMs);
    } catch (error) {
      if (error instanceof CodecError) return { ok: false, reason: 'invalid', detail: error.reason };
      throw error;
    }
  }

  #merge(records: readonly VerifiedRecord[], cause: Cause, from: NodeId, lung: LungName): Offered {
    const fresh: SignedRecord[] = [];
    const covered: number[] = [];
    let refused = 0;
    for (const [position, record] of records.entries()) {
      const outcome = this.replica.merge(record, this.#now.wallMs);
      switch (outcome) {
        case 'fresh': {
          fresh.push(record);
          const siblings = this.replica.get(record.key)?.siblings.length ?? 0;
          if (siblings > 0) this.#emit({ type: 'conflict', key: record.key, siblings });
          break;
        }
        case 'ahead':
          refused += 1;
          if (this.#refusals.note(record, this.replica.sketch.shortOf(record.id)))
            this.#emit({ type: 'refused', peer: from, lung, what: 'record', reason: 'stamp_too_far_ahead' });
          break;
        case 'full':
          refused += 1;
          if (this.#refusals.noteCrowdedOut(record, this.replica.sketch.shortOf(record.id)))
            this.#emit({ type: 'refused', peer: from, lung, what: 'record', reason: 'state_full' });
          break;
        case 'covered':
          covered.push(position);
          break;
        case 'known':
          break;
      }
    }
    if (fresh.length > 0) this.#spread(fresh, cause, from);
    return { refused, covered };
  }

  /**
   * Who must hear of fresh records: by gossip everyone it reaches, by a push each member that it does not reach. Gossip relays
   * itself; what a push or a session taught us is announced onward by gossip, others poll us for it.
   */
  #spread(records: readonly SignedRecord[], cause: Cause, from: NodeId | null): void {
    this.#lastCause = cause;
    const announces =
      cause === 'write' ||
      ((cause === 'push' || cause === 'sync') && records.length <= this.#policy.announceMax);
    if (announces && this.#mayUse('p2p') && this.#reachesOthers(from)) {
      this.#rumors.offer(records);
      this.#pumpRumors();
    }
    if (cause !== 'write') return;
    let pushed = 0;
    for (const peer of this.#peers.values()) {
      if (pushed >= this.#policy.pushFanoutMax) break;
      if (peer.id === from || !this.#isAssisted(peer) || !this.#httpAnswers(peer)) continue;
      const { mayPush, push } = this.#freight(peer, 'http');
      this.#push(peer, this.#pushes.offer(peer.id, records.filter(mayPush), push));
      pushed += 1;
    }
  }

  /** Whether gossip reaches anybody but the one that told us. */
  #reachesOthers(from: NodeId | null): boolean {
    const state = from === null ? 'unknown' : this.#state(from, 'p2p');
    return this.#detector.reached('p2p') > Number(state === 'alive' || state === 'suspect');
  }

  #pumpRumors(): void {
    if (!this.#mayUse('p2p')) this.#rumors.clear();
    const { batch, againMs } = this.#rumors.due(this.#now.monotonicMs);
    if (batch !== null) this.#effects.push({ type: 'publish', records: batch });
    if (againMs !== null) this.#timer('gossip', againMs);
  }

  #push(peer: Peer, records: readonly SignedRecord[] | null): void {
    if (records === null) return;
    if (this.#mode.mode === 'P2P') {
      this.#isStirred = true;
      this.#hedged.records += records.length;
      this.#hedged.members.add(peer.id);
    }
    this.#offer(peer, 'http', records, { kind: 'push' });
  }

  /** A transfer that wants nothing. */
  #offer(peer: Peer, lung: LungName, records: readonly SignedRecord[], purpose: Purpose): void {
    this.#ask(
      peer.id,
      lung,
      { type: 'transfer', root: this.replica.root(), want: [], wantShort: [], records },
      purpose,
    );
  }

  // ── anti-entropy ──────────────────────────────────────────────────────────────────────────────────────────────────

  #asked(id: NodeId, lung: LungName, exchange: number, message: SyncRequest<VerifiedRecord>): void {
    const peer = this.#evidence(id, lung, null);
    if (!this.#maySpendOn(peer)) {
      const reason = 'too_many_questions';
      this.#emit({ type: 'refused', peer: id, lung, what: 'message', reason });
      this.#effects.push({ type: 'answer', exchange, message: { type: 'refused', reason } });
      return;
    }
    if (message.type === 'delta') this.#noteOwn(id, message.vector);
    const offered = this.#merge(recordsOf(message), isPush(message) ? 'push' : 'sync', id, lung);
    this.#noteRoot(peer, message.root);
    if (!isPush(message)) peer.askedAt = this.#now.monotonicMs;
    const onTheirWay = this.#sessions.get(id)?.onTheirWay ?? NO_DOTS;
    this.#effects.push({
      type: 'answer',
      exchange,
      message: answer(message, offered, onTheirWay, this.replica, ANSWER_DEFAULTS),
    });
  }

  /** A member that asks without end is told to wait: its questions cost it less than us. */
  #maySpendOn({ questions }: Peer): boolean {
    const now = this.#now.monotonicMs;
    const earned = ((now - questions.at) * QUESTIONS_MAX) / 1_000;
    questions.left = Math.min(QUESTIONS_MAX, questions.left + earned) - 1;
    questions.at = now;
    if (questions.left >= 0) return true;
    questions.left = 0;
    return false;
  }

  /** While a page is verified, what was found sound is merged, and the next page fetched. */
  #arriving(
    id: NodeId,
    lung: LungName,
    exchange: number,
    { after, records }: { readonly after: Dot | null; readonly records: readonly VerifiedRecord[] },
  ): void {
    this.#evidence(id, lung, null);
    const purpose = this.#exchanges.get(exchange);
    if (purpose?.kind !== 'session') return;
    const { refused } = this.#merge(records, 'sync', id, lung);
    if (refused > 0) purpose.session.noteGap();
    purpose.session.noteArrived(records.length);
    const question = after === null ? null : purpose.session.nextAhead(after, this.replica);
    if (question !== null) this.#ask(id, lung, question, purpose);
  }

  #answered(id: NodeId, lung: LungName, exchange: number, message: SyncReply<VerifiedRecord>): void {
    const peer = this.#evidence(id, lung, null);
    const purpose = this.#exchanges.get(exchange);
    if (purpose === undefined) return;
    this.#exchanges.delete(exchange);
    peer.loads[lung].passed(purpose.sent, loadOf(message).bytes, this.#now.monotonicMs);
    // Before the records, which raise the own sequence silently; and after, for one of ours among them may make the rest credible.
    if (message.type === 'missing') this.#noteOwn(id, message.vector);
    const { refused } = this.#merge(recordsOf(message), 'sync', id, lung);
    if (message.type === 'missing') this.#noteOwn(id, message.vector);
    if (refused > 0 && purpose.kind === 'session') purpose.session.noteGap();
    if (message.type !== 'refused') this.#noteRoot(peer, message.root);
    switch (purpose.kind) {
      case 'push':
        return this.#push(peer, this.#pushes.answered(id, peer.loads.http.push));
      case 'ack':
        if (message.type === 'transferred' && message.refused === 0) this.#acknowledged(peer);
        else this.#acks.failed(id, this.#now.monotonicMs);
        return;
      case 'session': {
        const wrong = purpose.session.take(message, this.replica);
        return wrong === null ? this.#continue(purpose.session) : this.#endSession(purpose.session, wrong);
      }
    }
  }

  #unanswered({ peer: id, lung, exchange, reason, doubt = null }: Input & { type: 'unanswered' }): void {
    const doubted = lung === 'p2p' ? this.#peers.get(id) : undefined;
    if (doubted !== undefined)
      doubted.doubtedUntil = this.#now.monotonicMs + DOUBT_BEATS * this.#policy.beatMs;
    const purpose = this.#exchanges.get(exchange);
    if (purpose === undefined) return;
    this.#exchanges.delete(exchange);
    this.#noteSize(id, lung, purpose.sent, doubt);
    switch (purpose.kind) {
      case 'push': {
        this.#pushes.drop(id);
        const peer = this.#peers.get(id);
        if (peer !== undefined) peer.urgent = true;
        return;
      }
      case 'ack':
        // The tick asks again, over whichever lung is right then, until the demand's own time limit.
        return this.#acks.failed(id, this.#now.monotonicMs);
      case 'session': {
        if (purpose.session.isAhead) return purpose.session.forgetAhead();
        this.#endSession(purpose.session, reason);
        // Smaller pages may pass at once: that it was too large is no reason to wait.
        const peer = this.#peers.get(id);
        if (doubt !== 'refused' || purpose.sent.records < 2 || peer === undefined) return;
        peer.urgent = true;
        peer.sessionNotBefore = this.#now.monotonicMs;
        return;
      }
    }
  }

  #noteSize(id: NodeId, lung: LungName, sent: Load, doubt: SizeDoubt): void {
    const limited = this.#peers.get(id)?.loads[lung].failed(sent, doubt, this.#now.monotonicMs) ?? null;
    if (limited !== null) this.#emit({ type: 'limited', peer: id, lung, ...limited });
  }

  /** What may go in an exchange with this member, as of the moment in which it is asked. */
  #freight(peer: Peer, lung: LungName): Freight {
    const load = peer.loads[lung];
    const refusals = this.#refusals;
    const mayPush = ({ bytes, stamp }: SignedRecord): boolean => {
      const peerMs = peer.clock === null ? Infinity : peer.clock.leadMs + this.#now.monotonicMs;
      return load.mayCarry(bytes.length) && !isTooFarAhead(stamp, peerMs, this.#aheadMaxMs);
    };
    return {
      get pull() {
        return load.pull;
      },
      get push() {
        return load.push;
      },
      get unwanted() {
        return refusals.dots;
      },
      mayPush,
      isUnwanted: (record) => refusals.has(record),
      isUnwantedShort: (short) => refusals.hasShort(short),
    };
  }

  /** Records that were refused for their stamps, or for want of room, may be taken now: whoever has them is asked again. */
  #retryRefused(): void {
    const isRoomAgain = this.#refusals.hasCrowdedOut && this.replica.isRoomy();
    if (isRoomAgain) this.#refusals.forgetCrowdedOut();
    if (!this.#refusals.expire(this.#now.wallMs) && !isRoomAgain) return;
    for (const peer of this.#peers.values()) {
      peer.stuck = null;
      peer.urgent = true;
    }
  }

  #maybeReconcile(peer: Peer): void {
    const now = this.#now.monotonicMs;
    // What another member told of its root is old, and its neighbours settle what it lacks.
    // Of one that lost nothing we must know what it has seen, also where its root is ours.
    const mustVouch = this.#loss !== null && peer.isHealing === false && peer.settled.seen === null;
    if (!peer.isNeighbour || peer.root === null || (peer.root === this.replica.root() && !mustVouch)) {
      peer.unlikeSince = null;
      return;
    }
    peer.unlikeSince ??= now;
    this.#isStirred = true;
    const lung = this.#lungFor(peer);
    if (lung === null || !this.#isSessionDue(peer, peer.unlikeSince)) {
      peer.dueSince = null;
      return;
    }
    peer.dueSince ??= now;
    if (now - peer.dueSince < this.#yieldMs(peer)) return;
    peer.dueSince = null;
    peer.urgent = false;
    const { settled, stuck, root: remote } = peer;
    const local = this.replica.root();
    const isStuck = stuck !== null && stuck.local === local && stuck.remote === remote;
    const freight = this.#freight(peer, lung);
    const session = new Session(
      { peer: peer.id, lung, at: now, roots: { local, remote }, settled, freight, isStuck },
      SESSION_DEFAULTS,
    );
    this.#sessions.set(peer.id, session);
    this.#emit({ type: 'divergence', peer: peer.id, lung, local, remote });
    this.#continue(session);
  }

  #isSessionDue(peer: Peer, unlikeSince: number): boolean {
    const now = this.#now.monotonicMs;
    const { settleAssistedMs, settleMs, askedHoldMs, sessionsMax } = this.#policy;
    const patienceMs = peer.urgent ? 0 : this.#isAssisted(peer) ? settleAssistedMs : settleMs;
    if (now - unlikeSince < patienceMs || now < peer.sessionNotBefore) return false;
    if (peer.askedAt !== null && now - peer.askedAt < askedHoldMs) return false;
    return !this.#sessions.has(peer.id) && this.#sessions.size < sessionsMax;
  }

  /**
   * One session moves records both ways, so of two that see each other unlike one begins: the one that lacks a snapshot, for it asks
   * for larger pages than could be pushed, and ahead; else the one with the lesser name.
   */
  #yieldMs({ id, settled: { seen } }: Peer): number {
    const { yieldMs, yieldSnapshotMs } = this.#policy;
    const own = this.replica.vector;
    // Neither is far behind where neither has seen as much as that.
    if (seen !== null && Math.max(own.count, seen.count) > SESSION_DEFAULTS.snapshotMin) {
      const lead = own.without(seen).countAfter(null);
      const lag = seen.without(own).countAfter(null);
      if (lag === 0 && lead > SESSION_DEFAULTS.snapshotMin) return yieldSnapshotMs;
      if (lead === 0 && lag > SESSION_DEFAULTS.snapshotMin) return 0;
    }
    return this.#modules.self > id ? yieldMs : 0;
  }

  #continue(session: Session): void {
    const message = session.isAsking ? null : session.next(this.replica);
    const { peer, lung } = session.start;
    for (const { rung, reason } of session.takeSteps())
      this.#emit({ type: 'rung', peer, lung, rung, reason });
    if (message !== null) return this.#ask(peer, lung, message, { kind: 'session', session });
    if (!session.isAsking) this.#endSession(session, null);
  }

  #endSession(session: Session, failure: string | null): void {
    const { peer: id, lung, at, roots } = session.start;
    this.#sessions.delete(id);
    // What it asked ahead is not waited for.
    for (const [exchange, purpose] of this.#exchanges) {
      if (purpose.kind === 'session' && purpose.session === session) this.#exchanges.delete(exchange);
    }
    if (failure === null && !session.transfers.hasGaps) this.#letGo(session);
    const [local, remote] = [this.replica.root(), session.peerRoot];
    const equal = remote === local;
    const outcome = equal ? 'equal' : failure === null ? 'unlike' : 'failed';
    // What was carried may have been known: only a root that changed says that it helped.
    const hasMoved = local !== roots.local || remote !== roots.remote;
    const peer = this.#peers.get(id);
    if (peer !== undefined) {
      const { sessionBackoffMinMs, sessionBackoffMaxMs } = this.#policy;
      peer.sessionNotBefore = this.#now.monotonicMs + this.#jitter(peer.sessionBackoffMs, 0.3);
      peer.sessionBackoffMs = equal
        ? sessionBackoffMinMs
        : Math.min(peer.sessionBackoffMs * 2, sessionBackoffMaxMs);
      peer.stuck = hasMoved || equal || remote === null ? null : { local, remote };
    }
    this.#emit({
      type: 'reconciliation',
      peer: id,
      lung,
      rung: equal && session.pulled + session.pushed === 0 ? 'equal' : session.rung,
      pulled: session.pulled,
      pushed: session.pushed,
      roundTrips: session.roundTrips,
      tookMs: Math.round(this.#now.monotonicMs - at),
      outcome,
      reason: failure ?? (equal ? 'roots_equal' : 'state_moved'),
    });
  }

  /** What the peer has seen replaced, and nothing that came in this session replaces here. */
  #letGo({ start, transfers }: Session): void {
    const absent = new Set(transfers.absent);
    for (const id of absent) {
      const record = this.replica.record(id);
      // Of two records under one dot the peer means both, or it says nothing of either.
      if (record === null || this.replica.recordsOf(record.dot).some((one) => !absent.has(one.id))) continue;
      const members = 1 + this.#peers.size;
      if (this.#absences.confirm(record, start.peer, members, this.#now.monotonicMs)) this.replica.drop(id);
    }
  }

  /** A peer has seen writes of ours that we do not remember. */
  #noteOwn(peer: NodeId, vector: VersionVector): void {
    const sequence = vector.last(this.#modules.self);
    if (this.replica.noteOwnSequence(sequence, this.#now.wallMs))
      this.#emit({ type: 'restored', sequence, peer });
  }

  /** A session over a lung in doubt would hold up the one over the other lung. Its answers, should they come, are not waited for. */
  #giveUpSession(id: NodeId, lung: LungName, reason: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined || session.start.lung !== lung) return;
    this.#endSession(session, reason);
  }

  #ask(peer: NodeId, lung: LungName, message: SyncRequest, purpose: Purpose): void {
    const exchange = this.#nextExchange++;
    this.#exchanges.set(exchange, { ...purpose, sent: loadOf(message) });
    this.#effects.push({ type: 'ask', peer, lung, exchange, message });
  }

  /** Two processes that sign with one key use one sequence twice. The younger one stops; what it wrote before stays, and shows. */
  #meetTwin({ peer, instance, sinceMs, isOlder }: Input & { readonly type: 'twin' }): void {
    const isOurs = peer === this.#modules.self;
    const stops = isOurs && isOlder;
    this.#emit({ type: 'twin', peer, instance, sinceMs, isOurs, stops });
    if (stops)
      this.#retirement ??=
        `another live process, instance ${instance}, has had this node's identity since ` +
        `${new Date(sinceMs).toISOString()}, longer than this one`;
  }

  // ── clock, tombstones ─────────────────────────────────────────────────────────────────────────────────────────────

  #judgeClock(): void {
    const now = this.#now.monotonicMs;
    const offsets: number[] = [];
    for (const { clock } of this.#peers.values()) {
      if (clock !== null && now - clock.at < CLOCK_FRESH_MS)
        offsets.push(clock.leadMs + now - this.#now.wallMs);
    }
    // Who has heard nobody's time lately keeps the last verdict.
    if (offsets.length === 0 && this.#members.size > 0) return this.#followClock(false);
    const verdict = judgeClock(offsets, this.#aheadMaxMs);
    if (verdict.isSane !== this.#clock.isSane) this.#emit({ type: 'clock', ...verdict });
    this.#clock = verdict;
    this.#followClock(true);
  }

  /**
   * Stamps far ahead of the clock are no reason to refuse writes, which would last for as long as the clocks were ahead: new ones follow the
   * clock again. Own records that are ahead are written anew, so that newcomers take them, but not before peers say that the clock is right,
   * and after a moment in which sessions tell what has replaced them.
   */
  #followClock(isProven: boolean): void {
    if (!this.#clock.isSane || this.#retirement !== null) return;
    const { wallMs, monotonicMs } = this.#now;
    const leadMs = this.#hybridLeadMs();
    if (leadMs <= this.#aheadMaxMs) this.#leadSince = null;
    else if (isProven || monotonicMs - (this.#leadSince ??= monotonicMs) >= UNPROVEN_MS) {
      const own = this.replica.comeBack(wallMs);
      this.#emit({ type: 'stamps', leadMs, own });
      this.#leadSince = null;
      if (own > 0) this.#restampAt = monotonicMs + RESTAMP_AFTER_MS;
    }
    if (this.#restampAt === null || !isProven || monotonicMs < this.#restampAt) return;
    const anew = this.replica.restamp(wallMs, RESTAMP_MAX);
    if (anew.length < RESTAMP_MAX) this.#restampAt = null;
    if (anew.length > 0) this.#spread(anew, 'write', null);
  }

  /** How far our stamps are ahead of our clock: as far as clocks were once ahead of it. */
  #hybridLeadMs(): number {
    return this.replica.clockMs - this.#now.wallMs;
  }

  /** Tombstones go once every member, the silent ones included, was seen to have them. */
  #collect(): void {
    if (this.replica.tombstoneCount === 0) return;
    const { collectAfterMs, collectMax } = this.#policy;
    const collected = this.replica.collect(this.#stableSlot(), this.#now.wallMs - collectAfterMs, collectMax);
    if (collected > 0) this.#emit({ type: 'collected', tombstones: collected });
  }

  /** Every member has what was stored at or before this slot. */
  #stableSlot(): number {
    let slot = this.replica.lastSlot;
    for (const member of this.#members.graced())
      slot = Math.min(slot, this.#peers.get(member)?.equalSlot ?? 0);
    return slot;
  }

  /** All members ever met but those absent for too long, this one included: away is not gone, or a minority would be a majority. */
  #memberCount(): number {
    return 1 + this.#members.counting;
  }

  #accuse(one: SignedRecord, other: SignedRecord): void {
    this.#emit({
      type: 'equivocation',
      author: one.dot.author,
      sequence: one.dot.sequence,
      records: [hexOf(one.bytes), hexOf(other.bytes)],
    });
  }

  // ── which lung, which mode ────────────────────────────────────────────────────────────────────────────────────────

  #judgeMode(): void {
    const p2pReached = this.#detector.reached('p2p');
    const httpReached = this.#detector.reached('http');
    const evidence = this.#evidenceOfMode;
    const isOld = evidence.p2pReached === p2pReached && evidence.httpReached === httpReached;
    if (isOld && isSteady(this.#mode, evidence)) return;
    this.#evidenceOfMode = { p2pReached, httpReached };
    this.#judgeModeBy(this.#evidenceOfMode);
  }

  #judgeModeBy(evidence: ModeEvidence): void {
    const { state, reason } = nextMode(this.#mode, evidence, this.#now.monotonicMs, this.#modeOptions);
    const from = this.#mode.mode;
    this.#mode = state;
    if (reason === null) return;
    this.#isStirred = true;
    this.#modeSince = this.#now.wallMs;
    this.#lastSwitch = { from, to: state.mode, reason, at: this.#now.wallMs };
    this.#emit({ type: 'mode', from, to: state.mode, reason });
    if (from === 'P2P' && evidence.p2pReached === 0) this.#giveUpStrays(reason);
    for (const peer of this.#peers.values()) this.#reconsider(peer);
  }

  /** No neighbour is heard over P2P: it is our own lung, and the links to the others carry nothing either, though none was missed yet. */
  #giveUpStrays(reason: string): void {
    for (const { id, isNeighbour, linked } of this.#peers.values()) {
      const transition = isNeighbour || !linked.p2p ? null : this.#detector.lost(id, 'p2p', reason);
      if (transition !== null) this.#changed(transition);
    }
  }

  /** Whether HTTP serves this neighbour: gossip does not reach it, or is back too shortly for the mode to trust it. */
  #isAssisted(peer: Peer): boolean {
    if (!peer.isNeighbour || !this.#mayUse('http')) return false;
    const isReached = this.#mayUse('p2p') && this.#state(peer.id, 'p2p') === 'alive';
    return !isReached || this.#mode.mode === 'HTTP';
  }

  #httpAnswers(peer: Peer): boolean {
    return peer.linked.http && this.#state(peer.id, 'http') !== 'dead';
  }

  /** Gossip's lung while it is heard; a heartbeat overdue is reason enough to take the other one, which costs nothing. */
  #lungFor(peer: Peer): LungName | null {
    const isP2pUp = this.#mayUse('p2p') && peer.linked.p2p && this.#state(peer.id, 'p2p') === 'alive';
    const isHttpUp = this.#mayUse('http') && this.#httpAnswers(peer);
    if (isP2pUp && !(isHttpUp && this.#isOverdue(peer))) return 'p2p';
    return isHttpUp ? 'http' : null;
  }

  #isOverdue(peer: Peer): boolean {
    if (!peer.isNeighbour) return false;
    const { heardAt } = this.#detector.health(peer.id, 'p2p');
    return (
      heardAt === null ||
      this.#now.monotonicMs - heardAt >
        OVERDUE_BEATS * (peer.isResting ? this.#policy.restBeatMs : this.#policy.beatMs)
    );
  }

  #mayUse(lung: LungName): boolean {
    switch (lung) {
      case 'p2p':
        return this.#lungUp.p2p && this.#mode.forced !== 'HTTP';
      case 'http':
        return this.#lungUp.http && this.#mode.forced !== 'P2P';
    }
  }

  #state(peer: NodeId, lung: LungName): LinkState {
    return this.#detector.health(peer, lung).state;
  }

  // ── small things ──────────────────────────────────────────────────────────────────────────────────────────────────

  #peer(id: NodeId): Peer {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    this.#members.heard(id, this.#now.wallMs);
    const peer = newPeer(id, this.#now.monotonicMs, this.#policy.sessionBackoffMinMs);
    this.#peers.set(id, peer);
    this.#watch.noteChange();
    this.#detector.setEager(id, this.#isAssisted(peer));
    return peer;
  }

  #noteRoot(peer: Peer, root: Digest): void {
    peer.root = root;
    if (root === this.replica.root()) {
      if (this.#refusals.hasCrowdedOut) this.#refusals.forgetCrowdedOut();
      if (peer.equalSlot < this.replica.lastSlot) peer.settled.hearEqual(this.replica.vector);
      peer.equalSlot = this.replica.lastSlot;
      peer.urgent = false;
      peer.unlikeSince = null;
      peer.sessionBackoffMs = this.#policy.sessionBackoffMinMs;
    }
  }

  #beacon(to: Peer): Beacon {
    const root = this.replica.root();
    const { vector } = this.replica;
    return {
      root,
      records: this.replica.recordCount(),
      wallMs: this.#now.wallMs,
      isResting: this.#beatMs > this.#policy.beatMs,
      isHealing: this.#loss !== null,
      isWatching: to.isChosen || this.#now.monotonicMs < to.doubtedUntil,
      vector: to.root === root || vector.size > BEACON_RANGES_MAX ? null : vector.clone(),
    };
  }

  #timer(timer: TimerName, afterMs: number | null): void {
    this.#effects.push({ type: 'timer', timer, afterMs });
  }

  #emit(event: LatticeEvent): void {
    this.#effects.push({ type: 'emit', event });
  }

  /** @returns ms, spread evenly by ±`share` */
  #jitter(ms: number, share: number): number {
    return ms * (1 - share + 2 * share * this.#modules.rng());
  }
}

/** A poll that neither answered nor failed for so long was lost by the driver, in ms: well above every lung's own limit. */
const POLL_LOST_MS = 10_000;

/** Silence, in heartbeats, after which a session rather goes over HTTP; one and a half: the next one is late by half. A guess. */
const OVERDUE_BEATS = 1.5;

/** A peer's word on the time counts for so long, in ms. */
const CLOCK_FRESH_MS = 30_000;

/**
 * Stamps may be ahead of a clock that no peer confirms for so long before it is believed, in ms. Thirty seconds: peers that are there have
 * said the time by then, and one that is alone takes writes within a minute.
 */
const UNPROVEN_MS = 30_000;

/** From a clock that came back to own records written anew, in ms. Five seconds: a session takes a fraction of one, its back-off four. */
const RESTAMP_AFTER_MS = 5_000;

/** Own records written anew in one tick: some 100 ms. A guess. */
const RESTAMP_MAX = 1_000;

/** Heartbeats that a fresh link may stay mute before it is reset; eight, two seconds by default: both ends must subscribe first. */
const MUTE_BEATS = 8;
/** A slow node asks that much less often, as all that it asks are probably as slow. */
const EAGER_GAP_SLOWNESS = 4;

/** The first tick after idleness comes so soon, in ms: once for all that happens in a moment. A guess. */
const WAKE_MS = 10;

/** Of its interval, how much of a resting member's heartbeat may be left when it joins another's; above a half, or two would keep taking turns. */
const JOIN_SHARE = 0.6;

/** The longest round trip to a member whose heartbeat is joined, in ms; a tenth of the least time between two heartbeats that joining allows. */
const JOIN_ROUND_TRIP_MS = 20;

/** Share of its interval by which a warm poll comes earlier or later. */
const WARM_POLL_JITTER = 0.1;

/** A member that is no neighbour may miss its turn twice before it is missed. A guess. */
const STRAY_TURNS = 2.5;

/** A member that watches us does so for so many slow heartbeats from its last one; three: longer than it may be silent. */
const WATCHING_BEATS = 3;

/** A member that did not answer a question over P2P is watched for so many heartbeats; twelve: long enough to notice that it is silent. */
const DOUBT_BEATS = 12;

const NO_DOTS = new VersionVector();

/** Ranges of the own vector up to which it rides on a heartbeat: 3 KiB with as many authors (beats.ts), some 250 bytes with five. */
const BEACON_RANGES_MAX = 64;

function loadOf(message: SyncRequest | SyncReply): Load {
  const records = recordsOf(message);
  return { records: records.length, bytes: records.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

/** For an operator: what is wrong with the clock. */
export function describeClock({ offsetMs, against }: ClockReport): string {
  const seconds = Math.round(Math.abs(offsetMs) / 1_000);
  const direction = offsetMs < 0 ? 'behind' : 'ahead of';
  return against === 'peers'
    ? `this node's clock is ${seconds} s ${direction} its peers'`
    : `this node's clock is ${seconds} s behind the stamps of its records, and no member has told the time yet`;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
