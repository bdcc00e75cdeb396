/**
 * Evidence in, health out: for each (peer, lung) `unknown → alive → suspect → dead`, from what was heard and when.
 *
 * Time is the node's own *attentive* time: it stands still while this process was stalled (a collection pause, a
 * saturated machine, SIGSTOP), so that our own slowness never accuses a peer. This is Lifeguard's local health
 * awareness, reduced to the one signal that a single-threaded process has: how late its own tick came.
 *
 * @see Dadgar, Phillips, Currey: Lifeguard, DSN 2018 (arXiv:1707.00788)
 * @see Hayashibara et al. 2004 for accrual detectors, not needed at fixed heartbeat intervals
 */
import type { LinkState, LungName } from '../events.ts';
import type { NodeId } from '../ids.ts';

export interface DetectorOptions {
  /**
   * Silence after which a P2P link counts as dead, in ms of attentive time. Default 1000: four heartbeats of 250 ms;
   * measured: no false alarm with both cores saturated (longest gap 363 ms). Raising it delays failover one to one.
   */
  readonly suspicionMs: number;
  /**
   * Silence after which a P2P link is suspect, in ms; default 600, i.e. two heartbeats lost. A suspect is asked over HTTP at
   * once, so that the verdict finds the other lung warm. Between heartbeat interval and suspicionMs.
   */
  readonly suspectMs: number;
  /** The same for a member that rests, in ms; default 700: one heartbeat of 500 ms, and 200 ms late. */
  readonly restingSuspectMs: number;
  /** How long an HTTP answer counts as evidence while that lung is polled eagerly, in ms. Default 3000: three short long-polls. */
  readonly httpFreshMs: number;
  /** How long it counts while P2P carries and HTTP is only kept warm, in ms. Default 25000: two and a half poll intervals. */
  readonly httpWarmMs: number;
  /** Longest time between two steps that counts as attentive where none was due, in ms. Default 400: tick interval plus a usual scheduling delay. */
  readonly attentiveStepMs: number;
}

export interface Transition {
  readonly peer: NodeId;
  readonly lung: LungName;
  readonly from: LinkState;
  readonly to: LinkState;
  readonly reason: string;
}

export interface LinkHealth {
  readonly state: LinkState;
  /** caller's time of the last evidence, ms; null when never heard */
  readonly heardAt: number | null;
  readonly rttMs: number | null;
}

interface Link {
  state: LinkState;
  heardAt: number | null;
  /** attentive time of the last evidence */
  heardAttentiveMs: number;
  /** of the last answer that tells it */
  rttMs: number | null;
  /** of the last few over HTTP, newest last */
  recentRttMs: readonly number[];
  /** attentive time by which a question was to be answered, the oldest since the last evidence; null: none is open */
  dueAttentiveMs: number | null;
  /** consecutive failed polls since the last evidence */
  failures: number;
  /** attentive time from which silence is judged, where that is later than the last evidence */
  judgedFromMs: number;
}

/** How much longer than a neighbour a member that is not watched may be silent, in ms of attentive time. */
export interface StrayPatience {
  readonly p2p: number;
  readonly http: number;
}

const FAILURES_TO_DEAD = 2;
/** Silence may be so many times longer as own timers are late: whoever shares this machine waits as often as we, to send and before that to read. */
const PATIENCE_OF_SLOWNESS = 4;
/**
 * A step that was due comes so much later at most, in ms: longer is a stall. 113 was measured with both cores saturated; silence is seen at the
 * doubt at the latest, so that it and this stay below the verdict.
 */
const USUALLY_LATE_MS = 150;
/** A guess: a far member answers later than the usual round trip, not thrice as late. */
const ROUND_TRIPS_FOR_AN_ANSWER = 3;
/** A guess: more than lie between a heal and the end of its sessions, and few enough to follow a route that got longer. */
const ROUND_TRIPS_KEPT = 8;

const NEVER: LinkHealth = { state: 'unknown', heardAt: null, rttMs: null };

export class Detector {
  readonly #options: DetectorOptions;
  readonly #links: Readonly<Record<LungName, Map<NodeId, Link>>> = { p2p: new Map(), http: new Map() };
  readonly #reached: Record<LungName, number> = { p2p: 0, http: 0 };
  #attentiveMs = 0;
  #lastNow: number | null = null;
  /** peers whose other lung is in doubt: their HTTP evidence must be fresh */
  readonly #eager = new Set<NodeId>();
  readonly #unwatched = new Set<NodeId>();
  readonly #resting = new Set<NodeId>();
  /** some member is or was no neighbour, so that states alone do not say what is fresh */
  #hasStrays = false;
  #patience: StrayPatience = { p2p: 0, http: 0 };
  /** by which all windows are longer than configured, ms */
  #grantMs = 0;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  /**
   * Moves attentive time on; call it once at the start of every step.
   * @param now ms, monotonic
   * @param dueAt when this step had to come at the latest, ms monotonic: whoever sleeps until then is attentive; by default nothing was due
   */
  advance(now: number, dueAt = -Infinity): void {
    if (this.#lastNow !== null) {
      const { attentiveStepMs } = this.#options;
      const stepMs = Math.max(attentiveStepMs, dueAt - this.#lastNow + USUALLY_LATE_MS);
      this.#attentiveMs += Math.min(Math.max(0, now - this.#lastNow), stepMs);
    }
    this.#lastNow = now;
  }

  /**
   * How much slower this process is than usual: attentive time leaves out when it did nothing, and this is for peers that share its lot.
   * Lifeguard's local health multiplier.
   */
  setSlowness(ms: number): void {
    this.#grantMs = PATIENCE_OF_SLOWNESS * ms;
  }

  /** Something of this peer arrived over this lung. */
  heard(peer: NodeId, lung: LungName, now: number, rttMs: number | null): Transition | null {
    const link = this.#link(peer, lung);
    link.heardAt = now;
    link.heardAttentiveMs = this.#attentiveMs;
    link.failures = 0;
    link.dueAttentiveMs = null;
    if (rttMs !== null) {
      link.rttMs = rttMs;
      if (lung === 'http') link.recentRttMs = [...link.recentRttMs.slice(1 - ROUND_TRIPS_KEPT), rttMs];
    }
    return this.#move(peer, lung, link, 'alive', 'heard');
  }

  /**
   * A question goes to this peer over HTTP. Whatever is heard of it answers. Where gossip does not reach it, no word is doubt after as long
   * as lies between doubt and verdict over P2P, so that both lungs are given up in the same moment when both are cut; or after three
   * round trips, where those are longer: the shortest of late, for an answer that had to wait for a disk or a lost packet was not far away.
   *
   * @param heldMs how long it may hold the answer
   */
  asked(peer: NodeId, heldMs: number): void {
    const link = this.#link(peer, 'http');
    const patienceMs = this.#options.suspicionMs - this.#suspectMs(peer);
    const [first = 0, ...others] = link.recentRttMs;
    const answerMs = Math.max(patienceMs, ROUND_TRIPS_FOR_AN_ANSWER * Math.min(first, ...others));
    link.dueAttentiveMs ??= this.#attentiveMs + heldMs + answerMs + this.#grantMs;
  }

  /** A probe of this peer failed. One failure proves little: age judges it; two in a row make the link dead. */
  failed(peer: NodeId, lung: LungName, reason: string): Transition | null {
    const link = this.#link(peer, lung);
    link.failures += 1;
    return link.failures >= FAILURES_TO_DEAD ? this.#move(peer, lung, link, 'dead', reason) : null;
  }

  /** Failed probes since the last evidence. */
  failures(peer: NodeId, lung: LungName): number {
    return this.#links[lung].get(peer)?.failures ?? 0;
  }

  /** The transport says for certain that nothing connects us (closed, reset, aborted). */
  lost(peer: NodeId, lung: LungName, reason: string): Transition | null {
    const link = this.#links[lung].get(peer);
    return link === undefined ? null : this.#move(peer, lung, link, 'dead', reason);
  }

  /** Ages the evidence. @returns every change, peers in order of first acquaintance */
  sweep(): readonly Transition[] {
    const transitions: Transition[] = [];
    for (const lung of ['p2p', 'http'] as const) {
      for (const [peer, link] of this.#links[lung]) {
        if (!isJudged(link)) continue;
        const silentMs = this.#silentMs(link);
        const aged = this.#judge(peer, lung, link, silentMs);
        if (aged === link.state) continue;
        const change = this.#move(peer, lung, link, aged, `silent_${Math.round(silentMs)}ms`);
        if (change !== null) transitions.push(change);
      }
    }
    return transitions;
  }

  /** In how many ms the next link would be doubted, or given up, if nothing more were heard. */
  get nextDoubtMs(): number {
    let nextMs = Infinity;
    for (const lung of ['p2p', 'http'] as const) {
      for (const [peer, link] of this.#links[lung])
        if (isJudged(link)) nextMs = Math.min(nextMs, this.#doubtMs(peer, lung, link));
    }
    return nextMs;
  }

  /** Whether this peer's HTTP evidence must be fresh because gossip does not reach it. */
  setEager(peer: NodeId, eager: boolean): void {
    if (eager) this.#eager.add(peer);
    else this.#eager.delete(peer);
  }

  /**
   * Whether this peer is a neighbour, which is heard all the time, or one of the others, which are heard now and then. Of a new neighbour
   * silence counts from now on.
   */
  setWatched(peer: NodeId, isWatched: boolean): void {
    if (!isWatched) {
      this.#unwatched.add(peer);
      this.#hasStrays = true;
      return;
    }
    if (!this.#unwatched.delete(peer)) return;
    for (const lung of ['p2p', 'http'] as const) {
      const link = this.#links[lung].get(peer);
      if (link !== undefined) link.judgedFromMs = this.#attentiveMs;
    }
  }

  /** Whether this peer's heartbeats are further apart now, as it says. */
  setResting(peer: NodeId, isResting: boolean): void {
    if (isResting) this.#resting.add(peer);
    else this.#resting.delete(peer);
  }

  setPatience(patience: StrayPatience): void {
    this.#patience = patience;
  }

  forget(peer: NodeId): void {
    for (const lung of ['p2p', 'http'] as const) {
      const link = this.#links[lung].get(peer);
      if (link !== undefined && isReaching(lung, link.state)) this.#reached[lung] -= 1;
      this.#links[lung].delete(peer);
    }
    this.#eager.delete(peer);
    this.#unwatched.delete(peer);
    this.#resting.delete(peer);
  }

  health(peer: NodeId, lung: LungName): LinkHealth {
    return this.#links[lung].get(peer) ?? NEVER;
  }

  /**
   * How many members this lung reaches by evidence. A P2P suspect still counts, it was heard within suspicionMs; an HTTP
   * suspect does not, its evidence is older than the window that eager polling promises. What was heard of a member before it became a
   * neighbour, or of one that is none, counts over P2P while it is as fresh as a neighbour's, and not over HTTP. Asked after every step:
   * where all are neighbours it is counted as links change.
   */
  reached(lung: LungName): number {
    if (!this.#hasStrays) return this.#reached[lung];
    let count = 0;
    for (const [peer, link] of this.#links[lung])
      if (isReaching(lung, link.state) && this.#isFresh(peer, lung, link)) count += 1;
    return count;
  }

  #isFresh(peer: NodeId, lung: LungName, link: Link): boolean {
    const silentMs = this.#attentiveMs - link.heardAttentiveMs;
    const isUnwatched = this.#unwatched.has(peer);
    switch (lung) {
      case 'p2p':
        return (
          (!isUnwatched && link.judgedFromMs === 0) || silentMs < this.#options.suspicionMs + this.#grantMs
        );
      case 'http':
        if (isUnwatched) return false;
        return (
          silentMs <
          this.#grantMs + (this.#isOnlyWarm(peer) ? this.#options.httpWarmMs : this.#options.httpFreshMs)
        );
    }
  }

  /**
   * Whether HTTP is kept warm for this peer and no more is asked of it: gossip reaches it. A new neighbour has a while to be heard by gossip, and
   * until it is, it counts over HTTP only if that was heard of late.
   */
  #isOnlyWarm(peer: NodeId): boolean {
    const link = this.#links.p2p.get(peer);
    const isReached = link !== undefined && isReaching('p2p', link.state) && this.#isFresh(peer, 'p2p', link);
    return isReached && !this.#eager.has(peer);
  }

  #judge(peer: NodeId, lung: LungName, link: Link, silentMs: number): LinkState {
    const patienceMs = this.#grantMs + (this.#unwatched.has(peer) ? this.#patience[lung] : 0);
    switch (lung) {
      case 'p2p':
        if (silentMs >= this.#options.suspicionMs + patienceMs) return 'dead';
        return silentMs >= this.#suspectMs(peer) + patienceMs ? 'suspect' : 'alive';
      case 'http':
        if (silentMs >= this.#options.httpWarmMs + patienceMs) return 'dead';
        return this.#eager.has(peer) && this.#isOpen(link, silentMs) ? 'suspect' : link.state;
    }
  }

  #suspectMs(peer: NodeId): number {
    return this.#resting.has(peer) ? this.#options.restingSuspectMs : this.#options.suspectMs;
  }

  /** Until silence makes this link worse than it is. Of an HTTP link that is only kept warm, and of members in turn, nobody waits to hear. */
  #doubtMs(peer: NodeId, lung: LungName, link: Link): number {
    if (this.#unwatched.has(peer)) return Infinity;
    const suspectMs = this.#suspectMs(peer);
    const silentMs = this.#silentMs(link);
    if (lung === 'p2p') {
      const doubtMs = suspectMs + this.#grantMs;
      return (silentMs < doubtMs ? doubtMs : this.#options.suspicionMs + this.#grantMs) - silentMs;
    }
    if (!this.#eager.has(peer) || link.state !== 'alive') return Infinity;
    return (link.dueAttentiveMs ?? Infinity) - this.#attentiveMs;
  }

  #silentMs({ heardAttentiveMs, judgedFromMs }: Link): number {
    return this.#attentiveMs - Math.max(heardAttentiveMs, judgedFromMs);
  }

  /** Whether HTTP owes an answer: to a question, or for longer than eager polls let pass. */
  #isOpen({ dueAttentiveMs }: Link, silentMs: number): boolean {
    if (silentMs >= this.#options.httpFreshMs + this.#grantMs) return true;
    return dueAttentiveMs !== null && this.#attentiveMs >= dueAttentiveMs;
  }

  #link(peer: NodeId, lung: LungName): Link {
    const known = this.#links[lung].get(peer);
    if (known !== undefined) return known;
    const link: Link = {
      state: 'unknown',
      heardAt: null,
      heardAttentiveMs: this.#attentiveMs,
      rttMs: null,
      recentRttMs: [],
      dueAttentiveMs: null,
      failures: 0,
      judgedFromMs: 0,
    };
    this.#links[lung].set(peer, link);
    return link;
  }

  #move(peer: NodeId, lung: LungName, link: Link, to: LinkState, reason: string): Transition | null {
    if (link.state === to) return null;
    const from = link.state;
    link.state = to;
    this.#reached[lung] += Number(isReaching(lung, to)) - Number(isReaching(lung, from));
    return { peer, lung, from, to, reason };
  }
}

function isJudged({ state }: Link): boolean {
  return state === 'alive' || state === 'suspect';
}

/**
 * A P2P suspect still counts, it was heard within suspicionMs; an HTTP suspect does not, its evidence is older than the window
 * that eager polling promises.
 */
function isReaching(lung: LungName, state: LinkState): boolean {
  return state === 'alive' || (lung === 'p2p' && state === 'suspect');
}
