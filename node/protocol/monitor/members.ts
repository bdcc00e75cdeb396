/**
 * Every member ever met, and for how long each has been silent. Kept over restarts: `w=majority` and `w=all` count the members that
 * were heard within the absence time, whether or not this node remembers them otherwise, and a tombstone waits for those within the
 * grace time.
 *
 * Silence is counted in this node's own waking time: while it runs, in steps that are no longer than `AWAKE_STEP_MAX_MS`. So no wall
 * clock, no night with everything switched off, no frozen process makes anybody absent; too late is the safe side, for who is
 * forgotten too early lets a minority answer for a majority (ADR 28).
 */
import type { NodeId } from '../ids.ts';

/** As the store keeps it. */
export interface KnownMember {
  readonly id: NodeId;
  /** how long it has been silent, ms of this node's waking time */
  readonly silentMs: number;
  /** when it was heard last, ms since the epoch by this node's clock, only to be shown; 0: not known */
  readonly heardAtMs: number;
}

export interface MembersOptions {
  /** A member silent for longer does not count for `w=`, ms. */
  readonly absenceMs: number;
  /** A member silent for longer holds back no tombstone, ms. */
  readonly graceMs: number;
}

/** A member begins to count, or stops. */
export interface Counting {
  readonly id: NodeId;
  readonly counts: boolean;
}

interface Entry {
  /** when it was heard last, in waking time; below 0: before the start */
  heardAt: number;
  heardAtMs: number;
  counts: boolean;
  /** its silence when the store was last told */
  notedMs: number;
}

export class Members {
  readonly #options: MembersOptions;
  readonly #entries = new Map<NodeId, Entry>();
  #awakeMs = 0;
  #advancedAt: number | null = null;
  #counting = 0;
  #sweptAt = 0;
  #notedAt = 0;
  #isDue = false;
  #changes: Counting[] = [];

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** Once, before the first `advance`. */
  load(known: Iterable<KnownMember>): void {
    for (const { id, silentMs, heardAtMs } of known) {
      const counts = silentMs <= this.#options.absenceMs;
      this.#entries.set(id, { heardAt: -silentMs, heardAtMs, counts, notedMs: silentMs });
      this.#counting += Number(counts);
    }
  }

  advance(monotonicMs: number): void {
    const passedMs = monotonicMs - (this.#advancedAt ?? monotonicMs);
    this.#awakeMs += Math.min(Math.max(0, passedMs), AWAKE_STEP_MAX_MS);
    this.#advancedAt = monotonicMs;
  }

  heard(id: NodeId, wallMs: number): void {
    const known = this.#entries.get(id);
    if (known === undefined) return this.#meet(id, wallMs);
    known.heardAt = this.#awakeMs;
    known.heardAtMs = wallMs;
    if (!known.counts) this.#setCounts(id, known, true);
  }

  /** Who is silent for too long stops counting. */
  sweep(): void {
    const everyMs = Math.min(SWEEP_EVERY_MS, this.#options.absenceMs / 16);
    if (this.#awakeMs - this.#sweptAt < everyMs) return;
    this.#sweptAt = this.#awakeMs;
    for (const [id, entry] of this.#entries) {
      if (entry.counts && this.#silentMs(entry) > this.#options.absenceMs) this.#setCounts(id, entry, false);
    }
    this.#noteSilence();
  }

  /** Whether the store must be told before anybody is told what counts here; asked for, it counts as told. */
  takeDue(): boolean {
    const isDue = this.#isDue;
    this.#isDue = false;
    return isDue;
  }

  takeChanges(): readonly Counting[] {
    const changes = this.#changes;
    if (changes.length > 0) this.#changes = [];
    return changes;
  }

  /** Members met, whether they count or not; without this node. */
  get size(): number {
    return this.#entries.size;
  }

  /** Of those, how many count. */
  get counting(): number {
    return this.#counting;
  }

  /** In order of first acquaintance. */
  *known(): Iterable<KnownMember & { readonly counts: boolean }> {
    for (const [id, entry] of this.#entries) {
      const { heardAtMs, counts } = entry;
      yield { id, silentMs: Math.round(this.#silentMs(entry)), heardAtMs, counts };
    }
  }

  /** Whom a tombstone waits for. */
  *graced(): Iterable<NodeId> {
    for (const [id, entry] of this.#entries) if (this.#silentMs(entry) <= this.#options.graceMs) yield id;
  }

  #meet(id: NodeId, wallMs: number): void {
    if (this.#entries.size >= MEMBERS_MAX && !this.#makeRoom()) return;
    const entry: Entry = { heardAt: this.#awakeMs, heardAtMs: wallMs, counts: false, notedMs: 0 };
    this.#entries.set(id, entry);
    this.#setCounts(id, entry, true);
  }

  /** The one that is silent for longest goes, of those that do not count. */
  #makeRoom(): boolean {
    let longest: { readonly id: NodeId; readonly silentMs: number } | null = null;
    for (const { id, silentMs, counts } of this.known())
      if (!counts && silentMs > (longest?.silentMs ?? -1)) longest = { id, silentMs };
    return longest !== null && this.#entries.delete(longest.id);
  }

  #setCounts(id: NodeId, entry: Entry, counts: boolean): void {
    entry.counts = counts;
    this.#counting += counts ? 1 : -1;
    this.#isDue = true;
    this.#changes.push({ id, counts });
  }

  /** A restart must not begin to count anew, so the store hears now and then how long who is silent has been so. */
  #noteSilence(): void {
    const { absenceMs, graceMs } = this.#options;
    const everyMs = Math.min(NOTE_EVERY_MS, absenceMs / 8);
    if (this.#awakeMs - this.#notedAt < everyMs) return;
    this.#notedAt = this.#awakeMs;
    const endMs = Math.max(absenceMs, graceMs) + everyMs;
    for (const entry of this.#entries.values()) {
      const silentMs = Math.min(this.#silentMs(entry), endMs);
      if (Math.abs(silentMs - entry.notedMs) >= everyMs) this.#isDue = true;
    }
    if (!this.#isDue) return;
    for (const entry of this.#entries.values()) entry.notedMs = Math.min(this.#silentMs(entry), endMs);
  }

  #silentMs({ heardAt }: Entry): number {
    return this.#awakeMs - heardAt;
  }
}

/**
 * Time between two steps of the core that counts as waking, ms. One minute, above the longest heartbeat interval of a configuration:
 * a node that was stopped for longer was not awake.
 */
const AWAKE_STEP_MAX_MS = 60_000;

/** Silence is looked at so often at most, ms. A guess: a second is nothing among minutes. */
const SWEEP_EVERY_MS = 1_000;

/** The store hears of silence so often at most, ms; a flush a minute, and only while somebody is silent. A restart forgets that much of it. */
const NOTE_EVERY_MS = 60_000;

/** Members remembered, silent ones included: as many as a store keeps (knowledge.ts), 16 times as many as the largest cluster tried. */
export const MEMBERS_MAX = 4_096;
