/**
 * The state of one node: its live records by key and id, the trie over them, its clock and its sequence.
 *
 * Everything happens in memory and at once. What must become durable is gathered until `takeChanges` fetches it; the
 * caller commits that before it lets anybody know (DESIGN P1).
 *
 * The version vector says which dots were ever seen. A dot that is in it and has no live record was replaced, so its record
 * is refused should it come again: a deleted value does not come back even after its tombstone was collected.
 *
 * A key whose winner is a tombstone has no value: it is in no listing, has no version, and is created anew by the
 * next write. `get` still shows it, with the siblings that lost to the tombstone, so that no conflict is swallowed.
 */
import { hash } from 'node:crypto';
import { CodecError } from '../codec.ts';
import type { Digest, NodeId, RecordId } from '../ids.ts';
import type { Pieces } from '../pieces.ts';
import { isTooFarAhead, observe, STAMP_ZERO, tick, type Stamp } from './clock.ts';
import { DIGEST_BYTES, KeptRecord } from './kept-record.ts';
import { contextOf, knows, mergeKey } from './merge.ts';
import { MerkleTrie } from './merkle.ts';
import { isFulfilled } from './precondition.ts';
import { recordCost, RecordStore, type AtHand } from './record-store.ts';
import { Room } from './room.ts';
import type { ShortId } from './sketch/short-id.ts';
import { Sketch, SKETCH_DEFAULTS, type SketchOptions, type SketchView } from './sketch/sketch.ts';
import { TrieLoad } from './trie-load.ts';
import { VersionVector } from './version-vector.ts';
import {
  draftRecord,
  signDraft,
  type Dot,
  type LatticeRecord,
  type SignedRecord,
  type VerifiedRecord,
} from './record.ts';
import type { Mismatch, Precondition, Standing, StoredRecord, WriteEntry, Written } from './write.ts';

export interface ReplicaModules {
  readonly self: NodeId;
  /** Ed25519 of `self` */
  sign(bytes: Uint8Array): Uint8Array;
  /** Own records are left without their signatures, which whoever takes the changes puts in (`Changes.drafts`). Default false. */
  readonly signsLater?: boolean;
  /** the cluster's own, at least 16 bytes; see `Sketch` */
  readonly sketchSalt: Uint8Array;
  /** Records that somebody has as objects, where many replicas are in one process. Default none. */
  readonly atHand?: AtHand;
}

export interface ReplicaOptions {
  /**
   * Stamps further ahead of the own clock are refused. 60 s: a guess that no NTP-kept clock reaches; raising it lets a
   * bad clock own a key for longer.
   */
  readonly aheadMaxMs: number;
  readonly sketch: SketchOptions;
  /** What the records may take in memory, see `Room`; default without end. What was stored before is loaded all the same. */
  readonly bytesMax?: number;
}

export const REPLICA_DEFAULTS: ReplicaOptions = { aheadMaxMs: 60_000, sketch: SKETCH_DEFAULTS };

/**
 * First sequence of a start: the time in µs, or one above the last one used. A store restored from a backup has forgotten
 * sequences that peers have seen; none of them is used again as long as the clock is past the time they were used at, and a node
 * may write a million records a second before it outruns it.
 */
function firstSequence(last: number, wallMs: number): number {
  return Math.max(last, wallMs * 1_000);
}

/** Loaded in one piece, half a millisecond: see restore.ts for what a long one costs. */
const PIECE_RECORDS = 128;

/** Its signature is known to nobody who does not have our key, and never leaves the process. */
const NO_RECORDS: readonly SignedRecord[] = [];
const NO_STANDING: readonly Standing[] = [];
const FINGERPRINT_SECRET = Buffer.from('aethel/fingerprints/v1\0', 'latin1');

/** A key with its live records; the winner may be a tombstone. */
export interface KeyView {
  readonly key: string;
  readonly winner: SignedRecord;
  /** concurrent records that lost, greatest first */
  readonly siblings: readonly SignedRecord[];
}

export type WriteResult =
  | { readonly ok: true; readonly records: readonly VerifiedRecord[]; readonly written: readonly Written[] }
  | Mismatch
  | { readonly ok: false; readonly reason: 'full'; readonly bytes: number; readonly bytesMax: number };

/**
 * `fresh`: lives now; `known`: lived already; `covered`: replaced long ago, or by what lives here; `ahead`: refused, its stamp is
 * too far in this node's future; `full`: refused, there is no room for it
 */
export type MergeOutcome = 'fresh' | 'known' | 'covered' | 'ahead' | 'full';

/** Two records of one dot: their author signed twice. Both are kept, so that replicas still converge. */
export interface Equivocation {
  readonly one: SignedRecord;
  readonly other: SignedRecord;
}

/** `given`: by a member or by the store; `own`: written now, and signed; `draft`: written now, to be signed */
type Origin = 'given' | 'own' | 'draft';

/** What must become durable together. */
export interface Changes {
  readonly put: readonly StoredRecord[];
  readonly remove: readonly number[];
  /** each key of which a record came or went, with what lived of it before, greatest first */
  readonly before: ReadonlyMap<string, readonly SignedRecord[]>;
  /**
   * Own records, in `put` or gone already, that want their signatures before the changes are durable and before anybody is told:
   * put them into the very records, then call `signed`.
   */
  readonly drafts: readonly StoredRecord[];
  /** last sequence used by this node */
  readonly sequence: number;
  /** the clock: greatest stamp seen */
  readonly wallMs: number;
  readonly counter: number;
}

/** A record to be loaded, as the store keeps it; its bytes need not outlive the next one's. */
export interface LoadedRecord {
  readonly slot: number;
  /** see `keptForm` */
  readonly bytes: Uint8Array;
}

/** The trie, to be asked but not to be changed. */
export type TrieView = Pick<
  MerkleTrie,
  'root' | 'digest' | 'children' | 'entries' | 'ids' | 'count' | 'size'
>;

export class Replica {
  readonly #modules: ReplicaModules;
  readonly #options: ReplicaOptions;
  readonly #room: Room;
  readonly #store: RecordStore;
  /** of the ids of all live records */
  readonly #sketch: Sketch;
  readonly #trie = new MerkleTrie();
  #size = 0;
  #clock: Stamp = STAMP_ZERO;
  #sequence = 0;
  #slot = 0;
  readonly #vector = new VersionVector();
  /** live tombstones by slot, oldest first */
  readonly #tombstones = new Map<number, { readonly id: RecordId; readonly wallMs: number }>();
  /** a look for tombstones to collect that found none: until something lives, goes, or grows as old as that, there are none */
  #fruitless: { readonly slot: number; readonly stableSlot: number; readonly untilMs: number } | null = null;
  #equivocations: Equivocation[] = [];
  #put = new Map<number, StoredRecord>();
  #removed = new Set<number>();
  #before = new Map<string, readonly SignedRecord[]>();
  #drafts: StoredRecord[] = [];
  #sequenceTaken = 0;
  /** the greatest own sequence that a signature of ours speaks for */
  #sequenceSigned = 0;

  constructor(modules: ReplicaModules, options: ReplicaOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#room = new Room(options.bytesMax ?? Infinity);
    this.#sketch = new Sketch(modules.sketchSalt, options.sketch);
    this.#store = new RecordStore(
      modules.sign(FINGERPRINT_SECRET),
      (id) => this.#sketch.shortOf(id),
      modules.atHand ?? null,
    );
  }

  /**
   * Restores what the store kept; once, before anything else, in pieces. What no longer lives becomes a change at once.
   *
   * @param vector what was seen beside the live records; null where that is not known, or cannot be trusted
   * @param wallMs ms since the epoch, from which the sequence goes on; 0 goes on from the last one used
   */
  *loading(
    meta: { readonly sequence: number; readonly wallMs: number; readonly counter: number } | null,
    records: Iterable<LoadedRecord>,
    vector: VersionVector | null,
    wallMs: number,
  ): Pieces<void> {
    if (this.#slot > 0 || this.#sequence > 0) throw new Error('a replica loads once, before anything else');
    if (meta !== null) {
      this.#sequence = meta.sequence;
      this.#clock = { wallMs: meta.wallMs, counter: meta.counter };
    }
    const trie = new TrieLoad(this.#trie);
    let loaded = 0;
    for (const { slot, bytes } of records) {
      this.#load(slot, new KeptRecord(bytes), trie);
      loaded += 1;
      if (loaded % PIECE_RECORDS === 0) yield;
    }
    const { left, doubled } = yield* this.#store.loaded();
    yield* trie.finishing();
    for (const record of doubled) this.#accuse(record);
    for (const stored of left) {
      this.#tombstones.delete(stored.slot);
      this.#sketch.remove(stored.record.id);
      this.#size -= Number(stored.record.value !== null);
      if (this.#integrate(stored, null) !== 'fresh') this.#removed.add(stored.slot);
    }
    if (vector !== null) this.#vector.join(vector);
    this.#sequence = firstSequence(this.#sequence, wallMs);
    this.#sequenceTaken = this.#sequence;
    // All of it is durable, the records of a conflict that came after the first one too.
    this.#before = new Map();
  }

  /**
   * A peer has seen our own writes up to this one. When we do not remember them, our store is a restored backup, and those
   * sequences must not be used again. What no clock could have reached is not believed, but for a clock that was ahead before: a
   * record of ours says so, under our signature.
   *
   * @returns whether that was news
   */
  noteOwnSequence(sequence: number, wallMs: number): boolean {
    const { aheadMaxMs } = this.#options;
    const credible = Math.max(
      firstSequence(0, wallMs + aheadMaxMs),
      this.#sequenceSigned + firstSequence(0, aheadMaxMs),
    );
    if (sequence <= this.#sequence || sequence > credible) return false;
    this.#sequence = sequence;
    return true;
  }

  /** Every dot ever seen here, or replaced by a tombstone that was collected; to be read and sent, not to be changed. */
  get vector(): VersionVector {
    return this.#vector;
  }

  /** The number under which the newest record is stored: what lives now came at or before it. */
  get lastSlot(): number {
    return this.#slot;
  }

  /** Pairs of records that share a dot, found since the last call. */
  takeEquivocations(): readonly Equivocation[] {
    const found = this.#equivocations;
    if (found.length === 0) return found;
    // Both signatures are the evidence.
    this.signNow();
    this.#equivocations = [];
    return found;
  }

  /** The drafts have their signatures. */
  signed(drafts: readonly StoredRecord[]): void {
    this.#store.signed(drafts);
  }

  /** Puts the signatures into what lives here without, for somebody who is shown the bytes at once. */
  signNow(): void {
    const drafts = this.#store.drafts();
    for (const { record } of drafts) signDraft(record, (bytes) => this.#modules.sign(bytes));
    this.#store.signed(drafts);
  }

  /**
   * Forgets a live record for good: it was replaced elsewhere, and what replaced it is gone as well. Its dot stays in the
   * vector, so it does not come back.
   */
  drop(id: RecordId): void {
    const record = this.#store.record(id);
    if (record === null) return;
    const before = this.#live(record.key);
    this.#noteBefore(record.key, before);
    this.#forget(id);
    this.#relive(record.key, before);
  }

  /**
   * Collects tombstones that every member has: keys under which nothing but such tombstones lives.
   *
   * @param stableSlot every member has what was stored at or before it
   * @param beforeMs stamps at or after are kept, so that members collect at about the same time
   * @returns how many were collected, at most `max`
   */
  collect(stableSlot: number, beforeMs: number, max: number): number {
    const last = this.#fruitless;
    if (last?.slot === this.#slot && last.stableSlot === stableSlot && beforeMs <= last.untilMs) return 0;
    let collected = 0;
    let untilMs = Infinity;
    for (const [slot, { id, wallMs }] of this.#tombstones) {
      if (slot > stableSlot || collected >= max) break;
      if (wallMs >= beforeMs) untilMs = Math.min(untilMs, wallMs);
      const record = wallMs < beforeMs ? this.record(id) : null;
      if (record === null) continue;
      const live = this.#live(record.key);
      const isDead = live.every(
        (one) => one.value === null && (this.#store.slotOf(one.id) ?? Infinity) <= stableSlot,
      );
      if (!isDead) continue;
      for (const one of live) {
        this.#keepOut(one);
        this.drop(one.id);
      }
      collected += live.length;
    }
    this.#fruitless = collected > 0 ? null : { slot: this.#slot, stableSlot, untilMs };
    return collected;
  }

  /**
   * What a collected tombstone had replaced may never have come here. As long as the tombstone lived it kept that out, and so it shall
   * be. A context is its author's claim: of authors that nobody has heard of, and of sequences beyond any clock, it is not believed.
   */
  #keepOut({ context, stamp }: SignedRecord): void {
    const credible = firstSequence(0, stamp.wallMs + this.#options.aheadMaxMs);
    for (const dot of context) {
      if (dot.sequence <= credible && this.#vector.last(dot.author) > 0) this.#vector.add(dot);
    }
  }

  /**
   * The clocks were far ahead and are right again, or the own one is behind: new stamps go on from the greatest that is not too far ahead.
   * What is ahead stays as it is. A write that knows it replaces it all the same, since contexts decide that and not stamps.
   *
   * @returns how many own live records have stamps that no peer takes now
   */
  comeBack(wallMs: number): number {
    let own = 0;
    let clock = STAMP_ZERO;
    for (const { dot, stamp } of this.#store.heads()) {
      if (!this.#isAhead(stamp, wallMs)) clock = observe(clock, stamp, 0);
      else if (dot.author === this.#modules.self) own += 1;
    }
    this.#clock = clock;
    return own;
  }

  /**
   * Own records with stamps that no peer takes now are written anew, oldest first. When they were written nobody knows, but not before what
   * was stored earlier, and their new stamp says no more than that: a write of now that did not know them wins.
   *
   * @param max so many at most
   * @returns the records written anew
   */
  restamp(wallMs: number, max: number): readonly VerifiedRecord[] {
    const ahead: StoredRecord[] = [];
    for (const { slot, dot, stamp, read } of this.#store.heads()) {
      if (dot.author === this.#modules.self && this.#isAhead(stamp, wallMs))
        ahead.push({ slot, record: read() });
    }
    const first = ahead.sort((a, b) => a.slot - b.slot).slice(0, max);
    const stamps = this.#stampsBefore(first, wallMs);
    const anew: VerifiedRecord[] = [];
    for (const [i, { record }] of first.entries()) {
      // What it replaced stays replaced, also for a peer that never took it.
      const replaced = contextOf([...this.#live(record.key).filter(({ id }) => id !== record.id), record]);
      const again = this.#signAgain(record, replaced, stamps[i] ?? STAMP_ZERO);
      if (again === null) continue;
      this.drop(record.id);
      this.#addOwn(again, wallMs);
      anew.push(again);
    }
    return anew;
  }

  #isAhead(stamp: Stamp, wallMs: number): boolean {
    return isTooFarAhead(stamp, wallMs, this.#options.aheadMaxMs);
  }

  /**
   * For each record the least stamp that it can have had: above the believable ones that were stored before it, and above the start of the
   * process that wrote it, which its sequence tells.
   *
   * @param written in the order of their slots
   */
  #stampsBefore(written: readonly StoredRecord[], wallMs: number): readonly Stamp[] {
    const last = written.at(-1)?.slot ?? 0;
    const earlier: { readonly slot: number; readonly stamp: Stamp }[] = [];
    for (const { slot, stamp } of this.#store.heads())
      if (slot < last && !this.#isAhead(stamp, wallMs)) earlier.push({ slot, stamp });
    earlier.sort((a, b) => a.slot - b.slot);
    let greatest = STAMP_ZERO;
    let at = 0;
    return written.map(({ slot, record }) => {
      for (let next = earlier[at]; next !== undefined && next.slot < slot; next = earlier[at]) {
        greatest = observe(greatest, next.stamp, 0);
        at += 1;
      }
      const startedMs = Math.floor(record.dot.sequence / 1_000);
      return tick(observe(greatest, STAMP_ZERO, startedMs <= wallMs ? startedMs : 0), 0);
    });
  }

  /** The wall part of the hybrid clock, ms since the epoch. */
  get clockMs(): number {
    return this.#clock.wallMs;
  }

  /** Live tombstones. */
  get tombstoneCount(): number {
    return this.#tombstones.size;
  }

  /**
   * Writes all entries or none. Of two entries for one key the later counts. Deleting a key without a value is
   * `not-found`, alone and in a batch alike.
   *
   * @param precondition on the one entry there is
   * @throws CodecError when a key or value is beyond the limits, or a key has had too many writers; nothing is changed
   */
  write(entries: readonly WriteEntry[], precondition: Precondition | null, wallMs: number): WriteResult {
    const [first] = entries;
    if (first === undefined) return { ok: true, records: [], written: [] };
    if (precondition !== null && entries.length > 1) throw new RangeError('a precondition is on one entry');
    const mismatch = this.#mismatch(entries) ?? this.#unfulfilled(first.key, precondition);
    if (mismatch !== null) return mismatch;

    let sequence = this.#sequence;
    let clock = this.#clock;
    const records: VerifiedRecord[] = [];
    const written: Written[] = [];
    for (const { key, value } of lastOfEach(entries)) {
      const live = this.#live(key);
      clock = tick(clock, wallMs);
      const context = this.#ownContext(key, sequence);
      sequence += 1;
      const record = this.#sign({ key, value, context, stamp: clock }, sequence);
      records.push(record);
      const replaced = live.length > 1 ? live.map(standingOf) : NO_STANDING;
      written.push({ key, version: record.id, created: !hasValue(live), replaced });
    }

    if (!this.#mayWrite(records)) return { ok: false, reason: 'full', ...this.room() };

    this.#sequence = sequence;
    this.#clock = clock;
    for (const record of records) this.#addOwn(record, wallMs);
    return { ok: true, records, written };
  }

  /** The first entry that would delete what has no value. */
  #mismatch(entries: readonly WriteEntry[]): Mismatch | null {
    for (const entry of lastOfEach(entries)) {
      const { key, value } = entry;
      if (value !== null || this.#hasValue(key)) continue;
      return {
        ok: false,
        reason: 'not-found',
        key,
        index: entries.indexOf(entry),
        winner: this.#winnerOf(key),
      };
    }
    return null;
  }

  #unfulfilled(key: string, precondition: Precondition | null): Mismatch | null {
    if (precondition === null) return null;
    const version = this.versionOf(key);
    if (isFulfilled(precondition, version)) return null;
    return { ok: false, reason: 'precondition', version, winner: this.#winnerOf(key) };
  }

  #winnerOf(key: string): Standing | null {
    const [winner] = this.#live(key);
    return winner === undefined ? null : standingOf(winner);
  }

  merge(record: VerifiedRecord, wallMs: number): MergeOutcome {
    if (this.#store.holds(record)) return 'known';
    if (this.#vector.has(record.dot) && !this.#isTaken(record.dot)) return 'covered';
    if (isTooFarAhead(record.stamp, wallMs, this.#options.aheadMaxMs)) return 'ahead';
    if (!this.#hasRoomFor(record)) return 'full';
    const outcome = this.#add(record, wallMs);
    if (outcome === 'fresh') this.#clock = observe(this.#clock, record.stamp, wallMs);
    return outcome;
  }

  /** Null when nothing is known of the key. The winner may be a tombstone. */
  get(key: string): KeyView | null {
    return viewOf(key, this.#live(key));
  }

  /** What lives of a key now, greatest first: a list that is never changed, for `viewOf` and `versionOf` of later. */
  live(key: string): readonly SignedRecord[] {
    return this.#live(key);
  }

  record(id: RecordId): SignedRecord | null {
    return this.#store.record(id);
  }

  /** Live records with this short id: one, none, or those that share it by chance. */
  ofShort(short: ShortId): readonly SignedRecord[] {
    return this.#store.ofShort(short);
  }

  /** Live records that were signed under this dot: one, none, or an equivocating author's several. */
  recordsOf(dot: Dot): readonly SignedRecord[] {
    return this.#store.ofDot(dot);
  }

  get trie(): TrieView {
    return this.#trie;
  }

  /** Of the ids of all live records. */
  get sketch(): SketchView {
    return this.#sketch;
  }

  root(): Digest {
    return this.#trie.root();
  }

  /** Keys that have a value. */
  size(): number {
    return this.#size;
  }

  /** Live records, tombstones and siblings included. */
  recordCount(): number {
    return this.#store.count;
  }

  /** What the records take in memory, about, and may take at most. */
  room(): { readonly bytes: number; readonly bytesMax: number } {
    return { bytes: this.#store.bytes, bytesMax: this.#room.bytesMax };
  }

  /** Whether what was refused for want of room may be asked for again. */
  isRoomy(): boolean {
    return this.#room.isRoomy(this.#store.bytes);
  }

  /**
   * Keys that have a value, in the order of their UTF-8 bytes.
   *
   * @param cursor the key after which to go on, whether or not it exists; null from the start
   */
  entriesAfter(cursor: string | null, limit: number): readonly KeyView[] {
    const views: KeyView[] = [];
    for (const key of this.#store.keysAfter(cursor)) {
      if (views.length >= limit) break;
      const view = this.get(key);
      if (view !== null && view.winner.value !== null) views.push(view);
    }
    return views;
  }

  /** Keys of which anything lives, tombstones too, in the order of their UTF-8 bytes. A change ends a walk under way. */
  keysAfter(cursor: string | null): Iterable<string> {
    return this.#store.keysAfter(cursor);
  }

  /** See the function of this name. */
  versionOf(key: string): string | null {
    return versionOf(this.#live(key));
  }

  /**
   * What changed since the last call; null when nothing did. A record that came and went in between is in no list.
   *
   * @param isDue something beside the records changed, so that what did not change is told as well
   */
  takeChanges(isDue = false): Changes | null {
    const hasChanged = this.#put.size > 0 || this.#removed.size > 0 || this.#sequence !== this.#sequenceTaken;
    if (!hasChanged && !isDue) return null;
    const changes: Changes = {
      put: [...this.#put.values()],
      remove: [...this.#removed],
      before: this.#before,
      drafts: this.#drafts,
      sequence: this.#sequence,
      wallMs: this.#clock.wallMs,
      counter: this.#clock.counter,
    };
    // A map that is emptied and filled for ever leads from each of its tables to the next, and an old one that died keeps all of them.
    this.#put = new Map();
    if (this.#removed.size > 0) this.#removed = new Set();
    if (this.#before.size > 0) this.#before = new Map();
    this.#drafts = [];
    this.#sequenceTaken = this.#sequence;
    return changes;
  }

  /** Deletes always may be written: they are how room is made. */
  #mayWrite(records: readonly SignedRecord[]): boolean {
    if (this.#room.bytesMax === Infinity || records.every(({ value }) => value === null)) return true;
    let growth = 0;
    let isReplacing = true;
    for (const record of records) {
      const live = this.#live(record.key);
      growth += recordCost(record) - costOf(live);
      isReplacing &&= live.length > 0;
    }
    return this.#room.mayGrow(this.#store.bytes, growth, isReplacing);
  }

  #hasRoomFor(record: SignedRecord): boolean {
    const cost = recordCost(record);
    if (this.#room.mayGrow(this.#store.bytes, cost, false)) return true;
    const { removed } = mergeKey(this.#live(record.key), record);
    return this.#room.mayGrow(this.#store.bytes, cost - costOf(removed), removed.length > 0);
  }

  #addOwn(record: SignedRecord, wallMs: number): void {
    const isDraft = this.#modules.signsLater === true;
    if (this.#add(record, wallMs, isDraft ? 'draft' : 'own') === 'fresh' && isDraft)
      this.#drafts.push({ slot: this.#slot, record });
  }

  /** Adds a record under a slot of its own, to be kept. */
  #add(record: SignedRecord, wallMs: number, origin: Origin = 'given'): Exclude<MergeOutcome, 'ahead'> {
    const stored: StoredRecord = { slot: this.#slot + 1, record };
    const outcome = this.#integrate(stored, wallMs, origin);
    if (outcome === 'fresh') {
      this.#slot = stored.slot;
      this.#put.set(stored.slot, stored);
    }
    return outcome;
  }

  /** @param wallMs null: what was stored is left as it is */
  #integrate(
    stored: StoredRecord,
    wallMs: number | null,
    origin: Origin = 'given',
  ): Exclude<MergeOutcome, 'ahead'> {
    const { record } = stored;
    this.#noteSequence(record.dot);
    this.#noteClaims(record);
    const before = this.#live(record.key);
    const { outcome, removed } = mergeKey(before, record);
    if (outcome !== 'fresh') return outcome;
    this.#noteBefore(record.key, before);
    this.#keep(stored, origin);
    for (const gone of removed) this.#forget(gone.id);
    if (wallMs !== null) this.#forgetFuture(before, record, wallMs);
    this.#relive(record.key, before);
    return outcome;
  }

  /**
   * What came while clocks were ahead, and would be refused now, has a greater stamp than any write of now. Its stamp is no reason to keep it
   * beside a write that replaces it.
   */
  #forgetFuture(before: readonly SignedRecord[], by: SignedRecord, wallMs: number): void {
    for (const one of before) if (this.#isAhead(one.stamp, wallMs) && knows(by, one)) this.#forget(one.id);
  }

  /** Notes what else there is to note of records that are loaded, as if each were the only one of its key. */
  #load(slot: number, kept: KeptRecord, trie: TrieLoad): void {
    this.#slot = Math.max(this.#slot, slot);
    this.#clock = observe(this.#clock, kept.stamp, 0);
    this.#noteSequence(kept.dot);
    this.#vector.add(kept.dot);
    if (kept.isTombstone) this.#bury(slot, kept);
    else this.#size += 1;
    trie.add(kept.digests, kept.digestsAt);
    const short = this.#sketch.shortIn(kept.digests, kept.digestsAt + DIGEST_BYTES);
    this.#sketch.addShort(short);
    this.#store.load(slot, kept, short);
  }

  /** An own record from the future of our sequence: the store was restored from a backup. No sequence is used twice. */
  #noteSequence({ author, sequence }: Dot): void {
    if (author !== this.#modules.self) return;
    this.#sequence = Math.max(this.#sequence, sequence);
    this.#sequenceSigned = Math.max(this.#sequenceSigned, sequence);
  }

  /** Who claims to have replaced a write of ours that we have not made yet keeps us from making it under that dot. */
  #noteClaims({ context, stamp }: SignedRecord): void {
    for (const { author, sequence } of context) {
      if (author === this.#modules.self) this.noteOwnSequence(sequence, stamp.wallMs);
    }
  }

  /** Stores a live record. A dot names one; a second one under it is its author's lie, or its author's restored backup. */
  #keep({ slot, record }: StoredRecord, origin: Origin): void {
    // The dot of a write that we make now was nobody's: our sequence is past every dot of ours that was seen.
    if (origin === 'given') this.#accuse(record);
    this.#vector.add(record.dot);
    this.#sketch.add(record.id);
    this.#store.put(slot, record, origin === 'draft');
    if (record.value === null) this.#bury(slot, record);
  }

  /** When another live record has its dot. */
  #accuse(record: SignedRecord): void {
    for (const one of this.#store.ofDot(record.dot)) {
      if (one.id === record.id) continue;
      this.#equivocations.push({ one, other: record });
    }
  }

  #noteBefore(key: string, live: readonly SignedRecord[]): void {
    if (!this.#before.has(key)) this.#before.set(key, live);
  }

  #bury(slot: number, { id, stamp }: Pick<SignedRecord, 'id' | 'stamp'>): void {
    this.#tombstones.set(slot, { id, wallMs: stamp.wallMs });
  }

  #forget(id: RecordId): void {
    const slot = this.#store.remove(id);
    if (slot === null) return;
    this.#fruitless = null;
    this.#sketch.remove(id);
    this.#tombstones.delete(slot);
    if (!this.#put.delete(slot)) this.#removed.add(slot);
  }

  /** Brings trie and size up to what lives of a key now. @param before what lived of it */
  #relive(key: string, before: readonly SignedRecord[]): void {
    const live = this.#live(key);
    this.#trie.set(
      this.#store.path(key),
      live.map(({ id }) => id),
    );
    this.#size += Number(hasValue(live)) - Number(hasValue(before));
  }

  /** Whether a record of this dot lives. */
  #isTaken(dot: Dot): boolean {
    return this.#store.ofDot(dot).length > 0;
  }

  /** What a write of ours replaces. A context that claims more of our own writes than there are is not believed. */
  #ownContext(key: string, sequence: number): readonly Dot[] {
    const { self } = this.#modules;
    return contextOf(this.#live(key))
      .map((dot) => (dot.author === self && dot.sequence > sequence ? { author: self, sequence } : dot))
      .filter((dot) => dot.sequence > 0);
  }

  #sign(fields: Omit<LatticeRecord, 'dot'>, sequence: number): VerifiedRecord {
    const dot: Dot = { author: this.#modules.self, sequence };
    const record = draftRecord({ ...fields, dot });
    if (this.#modules.signsLater !== true) signDraft(record, (bytes) => this.#modules.sign(bytes));
    return record;
  }

  /** @returns null where the record would be beyond the limits */
  #signAgain({ key, value }: SignedRecord, context: readonly Dot[], stamp: Stamp): VerifiedRecord | null {
    try {
      const record = this.#sign({ key, value, context, stamp }, this.#sequence + 1);
      this.#sequence = record.dot.sequence;
      return record;
    } catch (error) {
      if (error instanceof CodecError) return null;
      throw error;
    }
  }

  #hasValue(key: string): boolean {
    return hasValue(this.#live(key));
  }

  /** Greatest first; empty when nothing is known of the key. */
  #live(key: string): readonly SignedRecord[] {
    return this.#store.live(key);
  }
}

/** Null when nothing is known of the key. @param live of the key, greatest first */
export function viewOf(key: string, live: readonly SignedRecord[]): KeyView | null {
  const [winner] = live;
  if (winner === undefined) return null;
  return { key, winner, siblings: live.length === 1 ? NO_RECORDS : live.slice(1) };
}

/**
 * The id of the one live record; of a conflict, a hash over all of them, so that a reader's version is stale as soon
 * as a sibling arrives. Null when the key has no value.
 *
 * @param live of one key, greatest first
 */
export function versionOf(live: readonly SignedRecord[]): string | null {
  const [winner] = live;
  if (winner === undefined || winner.value === null) return null;
  if (live.length === 1) return winner.id;
  const ids = live.map((record) => record.id).sort();
  return hash('sha256', `aethel/version/v1\0${ids.join('')}`, 'hex');
}

/** Of several entries for one key the last, at the place of the first. */
function lastOfEach(entries: readonly WriteEntry[]): Iterable<WriteEntry> {
  return entries.length === 1 ? entries : new Map(entries.map((entry) => [entry.key, entry])).values();
}

function standingOf({ id, dot, stamp, value }: SignedRecord): Standing {
  return { version: id, author: dot.author, timestamp: stamp.wallMs, value };
}

function costOf(records: readonly SignedRecord[]): number {
  return records.reduce((sum, record) => sum + recordCost(record), 0);
}

function hasValue([winner]: readonly SignedRecord[]): boolean {
  return winner !== undefined && winner.value !== null;
}
