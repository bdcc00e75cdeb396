/**
 * Where members may be, and when to try each place next. Pure: the dialer brings time, dice and outcomes.
 *
 * An address is a place, not a member: behind it may be somebody unknown, a member with a new identity, or
 * ourselves. So the id is learned from every successful dial, and our own addresses are dropped for good.
 */
import { isNodeId } from '../../protocol/ids.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { CALM, headStartMs, pauseMs } from '../pace.ts';
import type { Strain } from '../pace.ts';

/**
 * `fixed` (bootstrap) is kept for ever, `found` (added, or said by a peer of itself) is forgotten when it leads nowhere, `told` (said by
 * another peer) after a few dials; once a member was met there it is a found one.
 */
export type AddressOrigin = 'fixed' | 'found' | 'told';

export interface Address {
  /** multiaddr as dialled; ends in `/p2p/…` only where it was given so */
  readonly text: string;
  readonly origin: AddressOrigin;
  /** who was last found there */
  readonly peer: NodeId | null;
}

/** An address to dial now. */
export interface DueAddress extends Address {
  /** ms until the dial must have an answer */
  readonly patienceMs: number;
}

export interface AddressOptions {
  /** as in options.ts */
  readonly dialTimeoutsMs: readonly [number, ...number[]];
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  readonly addressForgetMs: number;
  readonly addressesMax: number;
}

interface Entry {
  text: string;
  origin: AddressOrigin;
  peer: NodeId | null;
  delayMs: number;
  dueAt: number;
  /** dials in a row that had no answer in time */
  timeouts: number;
  /** ms that were enough for its last answer; null: it never answered */
  enoughMs: number | null;
  /** when it was last added or proven */
  freshAt: number;
  /** since when there is a reason to dial it: it was added, or lost */
  wantedAt: number;
  /** where it stands among those that are due at once: all nodes would dial the same one otherwise */
  readonly lot: number;
  dialing: boolean;
  /** since a member was met there, or it was added */
  failures: number;
}

const GROWTH = 1.5;
/** An answer may take half as long again as the last one. */
const ANSWER_MARGIN = 1.5;
/** Dials in vain, ten minutes of them, until a place that answered is thought to have moved far. */
const TIMEOUTS_TRUSTED = 600;
/** All patiences but the longest. */
const TOLD_DIALS_MAX = 3;
const OWN_KEPT_MAX = 1024;
const PLACE = /^(\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s]{1,253}\/tcp\/\d{1,5})(?:\/p2p\/([A-Za-z0-9]{40,60}))?$/;

/** @returns the place and the id of a dialable multiaddr, null when the text is none */
export function parseAddress(text: string): { readonly place: string; readonly peer: NodeId | null } | null {
  const match = PLACE.exec(text);
  const place = match?.[1];
  if (place === undefined) return null;
  const port = Number(place.slice(place.lastIndexOf('/') + 1));
  if (port < 1 || port > 65_535) return null;
  const id = match?.[2];
  if (id === undefined) return { place, peer: null };
  return isNodeId(id) ? { place, peer: id } : null;
}

export class AddressBook {
  readonly #own: NodeId;
  readonly #rng: () => number;
  readonly #options: AddressOptions;
  readonly #goesSecond: (place: string) => boolean;
  /** by place */
  readonly #entries = new Map<string, Entry>();
  readonly #ownPlaces = new Set<string>();

  /** @param goesSecond whether the node at this place dials this one first, where both are strained */
  constructor(
    own: NodeId,
    rng: () => number,
    options: AddressOptions,
    goesSecond: (place: string) => boolean = () => false,
  ) {
    this.#own = own;
    this.#rng = rng;
    this.#options = options;
    this.#goesSecond = goesSecond;
  }

  /** @param peer who is said to be there; only a hint, the dial decides */
  add(
    text: string,
    origin: AddressOrigin,
    now: number,
    peer: NodeId | null = null,
  ): 'new' | 'known' | 'own' | 'full' | 'malformed' {
    const parsed = parseAddress(text);
    if (parsed === null) return 'malformed';
    if (parsed.peer === this.#own || this.#ownPlaces.has(parsed.place)) return 'own';
    const known = this.#entries.get(parsed.place);
    if (known !== undefined) {
      known.freshAt = now;
      if (known.origin === 'told') known.origin = origin;
      known.peer ??= parsed.peer ?? peer;
      return 'known';
    }
    const isFull = this.#entries.size >= this.#options.addressesMax;
    if (isFull && (origin === 'told' || !this.#evict())) return 'full';
    this.#entries.set(parsed.place, {
      text,
      origin,
      peer: parsed.peer ?? peer,
      delayMs: this.#options.redialMinMs,
      dueAt: now,
      timeouts: 0,
      enoughMs: null,
      freshAt: now,
      wantedAt: now,
      lot: this.#rng(),
      dialing: false,
      failures: 0,
    });
    return 'new';
  }

  /**
   * Addresses to dial now, at most `max`, never two of one peer at once. `connected` peers need no dial.
   *
   * @param strangersMax places under way at once where nobody has answered yet
   */
  takeDue(
    now: number,
    max: number,
    connected: (peer: NodeId) => boolean,
    strain: Strain = CALM,
    strangersMax = Infinity,
  ): readonly DueAddress[] {
    const busy = new Set<NodeId>();
    let strangers = 0;
    for (const entry of this.#entries.values()) {
      if (!entry.dialing) continue;
      if (entry.peer !== null) busy.add(entry.peer);
      if (entry.enoughMs === null) strangers += 1;
    }
    const due = [...this.#entries.values()]
      .filter(
        (entry) =>
          !entry.dialing &&
          this.#dueAt(entry, strain) <= now &&
          !(entry.peer !== null && connected(entry.peer)),
      )
      .sort((a, b) => a.dueAt - b.dueAt || a.lot - b.lot);
    const taken: Entry[] = [];
    for (const entry of due) {
      if (taken.length >= max) break;
      if (entry.peer !== null && busy.has(entry.peer)) continue;
      const isStranger = entry.enoughMs === null;
      if (isStranger && strangers >= strangersMax) continue;
      if (isStranger) strangers += 1;
      if (entry.peer !== null) busy.add(entry.peer);
      entry.dialing = true;
      entry.dueAt = now + this.#jittered(pauseMs(entry.delayMs, strain));
      taken.push(entry);
    }
    return taken.map((entry) => {
      const { text, origin, peer } = entry;
      return { text, origin, peer, patienceMs: this.#patienceMs(entry) };
    });
  }

  /** @returns the earliest time at which an address will be due, null when there is nothing to dial */
  nextDueAt(connected: (peer: NodeId) => boolean, strain: Strain = CALM): number | null {
    let next: number | null = null;
    for (const entry of this.#entries.values()) {
      if (entry.dialing || (entry.peer !== null && connected(entry.peer))) continue;
      const dueAt = this.#dueAt(entry, strain);
      if (next === null || dueAt < next) next = dueAt;
    }
    return next;
  }

  /**
   * This member answers there.
   * @param answeredMs how long its answer took; null where nobody measured
   */
  proven(text: string, peer: NodeId, now: number, answeredMs: number | null): void {
    const entry = this.#entryOf(text);
    if (entry === undefined) return;
    if (answeredMs !== null) entry.enoughMs = this.#enoughFor(answeredMs * ANSWER_MARGIN);
    entry.peer = peer;
    entry.dialing = false;
    entry.timeouts = 0;
    entry.failures = 0;
    if (entry.origin === 'told') entry.origin = 'found';
    entry.freshAt = now;
    entry.delayMs = this.#options.redialMinMs;
    entry.dueAt = now + this.#jittered(entry.delayMs);
  }

  /** @param isTimeout nobody answered; perhaps too far for so little patience */
  failed(text: string, now: number, isTimeout: boolean): void {
    const entry = this.#entryOf(text);
    if (entry === undefined) return;
    entry.dialing = false;
    entry.failures += 1;
    if (entry.origin === 'told' && entry.failures >= TOLD_DIALS_MAX) {
      const place = parseAddress(text)?.place;
      if (place !== undefined) this.#entries.delete(place);
      return;
    }
    if (isTimeout) entry.timeouts += 1;
    entry.delayMs = Math.min(entry.delayMs * GROWTH, this.#options.redialMaxMs);
    entry.dueAt = Math.max(entry.dueAt, now);
  }

  /** That was ourselves. */
  ownedByUs(text: string): void {
    const parsed = parseAddress(text);
    if (parsed === null) return;
    this.#entries.delete(parsed.place);
    if (this.#ownPlaces.size < OWN_KEPT_MAX) this.#ownPlaces.add(parsed.place);
  }

  /** The network may have healed: try this peer's addresses, or with null all of them, within `redialMinMs`, or later where this node is strained. */
  hurry(peer: NodeId | null, now: number, strain: Strain = CALM): void {
    for (const entry of this.#entries.values()) {
      if (peer !== null && entry.peer !== peer) continue;
      if (peer !== null) entry.wantedAt = now;
      entry.delayMs = this.#options.redialMinMs;
      entry.dueAt = Math.min(entry.dueAt, now + this.#jittered(pauseMs(entry.delayMs, strain)) / 2);
    }
  }

  forget(now: number, connected: (peer: NodeId) => boolean): void {
    for (const [place, entry] of this.#entries) {
      if (entry.peer !== null && connected(entry.peer)) entry.freshAt = now;
      else if (
        entry.origin !== 'fixed' &&
        !entry.dialing &&
        now - entry.freshAt > this.#options.addressForgetMs
      )
        this.#entries.delete(place);
    }
  }

  list(): readonly Address[] {
    return [...this.#entries.values()].map(({ text, origin, peer }) => ({ text, origin, peer }));
  }

  /** Whoever answered before is given what was enough then, as a cut is likelier than a move; others get all patiences in turn. */
  #patienceMs({ enoughMs, timeouts }: Entry): number {
    if (enoughMs !== null && timeouts < TIMEOUTS_TRUSTED) return enoughMs;
    const { dialTimeoutsMs } = this.#options;
    return dialTimeoutsMs[timeouts % dialTimeoutsMs.length] ?? dialTimeoutsMs[0];
  }

  /** One of a pair has a head start where both are strained. */
  #dueAt({ text, dueAt, wantedAt }: Entry, strain: Strain): number {
    const startMs = headStartMs(strain);
    if (startMs === 0 || wantedAt + startMs <= dueAt) return dueAt;
    return this.#goesSecond(parseAddress(text)?.place ?? text) ? wantedAt + startMs : dueAt;
  }

  #enoughFor(ms: number): number {
    const sorted = this.#options.dialTimeoutsMs.toSorted((a, b) => a - b);
    return sorted.find((patienceMs) => patienceMs >= ms) ?? Math.max(...sorted);
  }

  #entryOf(text: string): Entry | undefined {
    const parsed = parseAddress(text);
    return parsed === null ? undefined : this.#entries.get(parsed.place);
  }

  /** Half of the delay is fixed, half is dice, so that two nodes do not dial each other in step. */
  #jittered(delayMs: number): number {
    return delayMs * (0.5 + 0.5 * this.#rng());
  }

  #evict(): boolean {
    let oldest: string | null = null;
    let oldestAt = Infinity;
    for (const [place, entry] of this.#entries) {
      if (entry.origin !== 'fixed' && !entry.dialing && entry.freshAt < oldestAt) {
        oldest = place;
        oldestAt = entry.freshAt;
      }
    }
    return oldest !== null && this.#entries.delete(oldest);
  }
}
