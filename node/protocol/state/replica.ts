/**
 * The state of one node: its live records by key and id, the trie over them, its clock and its sequence.
 *
 * Everything happens in memory and at once. What must become durable is gathered until `takeChanges` fetches it; the
 * caller commits that before it lets anybody know (DESIGN P1).
 *
 * A key whose winner is a tombstone has no value: it is in no listing, has no version, and is created anew by the
 * next write. `get` still shows it, with the siblings that lost to the tombstone, so that no conflict is swallowed.
 */
import { hash } from 'node:crypto';
import type { Digest, NodeId, RecordId } from '../ids.ts';
import { isTooFarAhead, observe, STAMP_ZERO, tick, type Stamp } from './clock.ts';
import { KeyIndex } from './key-index.ts';
import { contextOf, mergeKey } from './merge.ts';
import { MerkleTrie, pathOf } from './merkle.ts';
import { isFulfilled } from './precondition.ts';
import { signRecord, type Dot, type SignedRecord, type VerifiedRecord } from './record.ts';
import type { Precondition, StoredRecord, WriteEntry } from './write.ts';

export interface ReplicaModules {
  readonly self: NodeId;
  /** Ed25519 of `self` */
  sign(bytes: Uint8Array): Uint8Array;
}

export interface ReplicaOptions {
  /**
   * Stamps further ahead of the own clock are refused. 60 s: a guess that no NTP-kept clock reaches; raising it lets a
   * bad clock own a key for longer.
   */
  readonly aheadMaxMs: number;
}

export const REPLICA_DEFAULTS: ReplicaOptions = { aheadMaxMs: 60_000 };

/** A key with its live records; the winner may be a tombstone. */
export interface KeyView {
  readonly key: string;
  readonly winner: SignedRecord;
  /** concurrent records that lost, greatest first */
  readonly siblings: readonly SignedRecord[];
}

interface Written {
  readonly key: string;
  /** id of the new record, tombstones included */
  readonly version: string;
  /** the key had no value before */
  readonly created: boolean;
}

export type WriteResult =
  | { readonly ok: true; readonly records: readonly VerifiedRecord[]; readonly written: readonly Written[] }
  | { readonly ok: false; readonly reason: 'precondition'; readonly version: string | null }
  | { readonly ok: false; readonly reason: 'not-found' };

/** `ahead`: refused, its stamp is too far in this node's future */
export type MergeOutcome = 'fresh' | 'known' | 'covered' | 'ahead';

/** What must become durable together. */
export interface Changes {
  readonly put: readonly StoredRecord[];
  readonly remove: readonly number[];
  /** last sequence used by this node */
  readonly sequence: number;
  /** the clock: greatest stamp seen */
  readonly wallMs: number;
  readonly counter: number;
}

/** The trie, to be asked but not to be changed. */
export type TrieView = Pick<
  MerkleTrie,
  'root' | 'digest' | 'children' | 'entries' | 'ids' | 'count' | 'size'
>;

export class Replica {
  readonly #modules: ReplicaModules;
  readonly #options: ReplicaOptions;
  /** one record where there is no conflict, which saves an array per key */
  readonly #byKey = new Map<string, SignedRecord | readonly SignedRecord[]>();
  readonly #byId = new Map<RecordId, StoredRecord>();
  readonly #trie = new MerkleTrie();
  readonly #keys = new KeyIndex();
  #size = 0;
  #clock: Stamp = STAMP_ZERO;
  #sequence = 0;
  #slot = 0;
  readonly #put = new Map<number, StoredRecord>();
  readonly #removed = new Set<number>();
  #sequenceTaken = 0;

  constructor(modules: ReplicaModules, options: ReplicaOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** Restores what the store kept; once, before anything else. What no longer lives becomes a change at once. */
  load(
    meta: { readonly sequence: number; readonly wallMs: number; readonly counter: number } | null,
    records: Iterable<{ readonly slot: number; readonly record: VerifiedRecord }>,
  ): void {
    if (this.#slot > 0 || this.#sequence > 0) throw new Error('a replica loads once, before anything else');
    if (meta !== null) {
      this.#sequence = meta.sequence;
      this.#clock = { wallMs: meta.wallMs, counter: meta.counter };
    }
    this.#sequenceTaken = this.#sequence;
    for (const stored of records) {
      this.#slot = Math.max(this.#slot, stored.slot);
      this.#clock = observe(this.#clock, stored.record.stamp, 0);
      if (this.#integrate(stored) !== 'fresh') this.#removed.add(stored.slot);
    }
  }

  /**
   * Writes all entries or none. Of two entries for one key the later counts. Deleting a key without a value is
   * `not-found` when it is all that was asked for, and nothing in a batch of several.
   *
   * @param precondition on the one entry there is
   * @throws CodecError when a key or value is beyond the limits, or a key has had too many writers; nothing is changed
   */
  write(entries: readonly WriteEntry[], precondition: Precondition | null, wallMs: number): WriteResult {
    const [first] = entries;
    if (first === undefined) return { ok: true, records: [], written: [] };
    if (precondition !== null && entries.length > 1) throw new RangeError('a precondition is on one entry');
    const version = this.versionOf(first.key);
    if (entries.length === 1 && first.value === null && version === null)
      return { ok: false, reason: 'not-found' };
    if (precondition !== null && !isFulfilled(precondition, version)) {
      return { ok: false, reason: 'precondition', version };
    }

    let sequence = this.#sequence;
    let clock = this.#clock;
    const records: VerifiedRecord[] = [];
    const written: Written[] = [];
    for (const [key, value] of new Map(entries.map((entry) => [entry.key, entry.value]))) {
      const hasValue = this.#hasValue(key);
      if (value === null && !hasValue) continue;
      clock = tick(clock, wallMs);
      const context = this.#ownContext(key, sequence);
      sequence += 1;
      const dot: Dot = { author: this.#modules.self, sequence };
      const record = signRecord({ key, value, dot, context, stamp: clock }, (bytes) =>
        this.#modules.sign(bytes),
      );
      records.push(record);
      written.push({ key, version: record.id, created: !hasValue });
    }

    this.#sequence = sequence;
    this.#clock = clock;
    for (const record of records) this.#add(record);
    return { ok: true, records, written };
  }

  merge(record: VerifiedRecord, wallMs: number): MergeOutcome {
    if (this.#byId.has(record.id)) return 'known';
    if (isTooFarAhead(record.stamp, wallMs, this.#options.aheadMaxMs)) return 'ahead';
    const outcome = this.#add(record);
    if (outcome === 'fresh') this.#clock = observe(this.#clock, record.stamp, wallMs);
    return outcome;
  }

  /** Null when nothing is known of the key. The winner may be a tombstone. */
  get(key: string): KeyView | null {
    const [winner, ...siblings] = this.#live(key);
    return winner === undefined ? null : { key, winner, siblings };
  }

  record(id: RecordId): SignedRecord | null {
    return this.#byId.get(id)?.record ?? null;
  }

  get trie(): TrieView {
    return this.#trie;
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
    return this.#byId.size;
  }

  /**
   * Keys that have a value, in the order of their UTF-8 bytes.
   *
   * @param cursor the key after which to go on, whether or not it exists; null from the start
   */
  entriesAfter(cursor: string | null, limit: number): readonly KeyView[] {
    const views: KeyView[] = [];
    for (const key of this.#keys.after(cursor)) {
      if (views.length >= limit) break;
      const view = this.get(key);
      if (view !== null && view.winner.value !== null) views.push(view);
    }
    return views;
  }

  /**
   * The id of the one live record; of a conflict, a hash over all of them, so that a reader's version is stale as soon
   * as a sibling arrives. Null when the key has no value.
   */
  versionOf(key: string): string | null {
    const live = this.#live(key);
    const [winner] = live;
    if (winner === undefined || winner.value === null) return null;
    if (live.length === 1) return winner.id;
    const ids = live.map((record) => record.id).sort();
    return hash('sha256', `aethel/version/v1\0${ids.join('')}`, 'hex');
  }

  /** What changed since the last call; null when nothing did. A record that came and went in between is in no list. */
  takeChanges(): Changes | null {
    if (this.#put.size === 0 && this.#removed.size === 0 && this.#sequence === this.#sequenceTaken)
      return null;
    const changes: Changes = {
      put: [...this.#put.values()],
      remove: [...this.#removed],
      sequence: this.#sequence,
      wallMs: this.#clock.wallMs,
      counter: this.#clock.counter,
    };
    this.#put.clear();
    this.#removed.clear();
    this.#sequenceTaken = this.#sequence;
    return changes;
  }

  /** Adds a record under a slot of its own, to be kept. */
  #add(record: SignedRecord): Exclude<MergeOutcome, 'ahead'> {
    const stored: StoredRecord = { slot: this.#slot + 1, record };
    const outcome = this.#integrate(stored);
    if (outcome === 'fresh') {
      this.#slot = stored.slot;
      this.#put.set(stored.slot, stored);
    }
    return outcome;
  }

  #integrate(stored: StoredRecord): Exclude<MergeOutcome, 'ahead'> {
    const { record } = stored;
    // An own record from the future of our sequence: the store was restored from a backup. No sequence is used twice.
    if (record.dot.author === this.#modules.self)
      this.#sequence = Math.max(this.#sequence, record.dot.sequence);
    const before = this.#live(record.key);
    const { outcome, live, removed } = mergeKey(before, record);
    if (outcome !== 'fresh') return outcome;
    for (const gone of removed) this.#forget(gone.id);
    this.#byId.set(record.id, stored);
    const [only, ...others] = live;
    if (only !== undefined) this.#byKey.set(record.key, others.length === 0 ? only : live);
    this.#trie.set(
      pathOf(record.key),
      live.map(({ id }) => id),
    );
    if (before.length === 0) this.#keys.add(record.key);
    this.#size += Number(hasValue(live)) - Number(hasValue(before));
    return outcome;
  }

  #forget(id: RecordId): void {
    const stored = this.#byId.get(id);
    if (stored === undefined) return;
    this.#byId.delete(id);
    if (!this.#put.delete(stored.slot)) this.#removed.add(stored.slot);
  }

  /** What a write of ours replaces. A context that claims more of our own writes than there are is not believed. */
  #ownContext(key: string, sequence: number): readonly Dot[] {
    const { self } = this.#modules;
    return contextOf(this.#live(key))
      .map((dot) => (dot.author === self && dot.sequence > sequence ? { author: self, sequence } : dot))
      .filter((dot) => dot.sequence > 0);
  }

  #hasValue(key: string): boolean {
    return hasValue(this.#live(key));
  }

  /** Greatest first; empty when nothing is known of the key. */
  #live(key: string): readonly SignedRecord[] {
    const known = this.#byKey.get(key);
    if (known === undefined) return [];
    return isMany(known) ? known : [known];
  }
}

function hasValue([winner]: readonly SignedRecord[]): boolean {
  return winner !== undefined && winner.value !== null;
}

function isMany(known: SignedRecord | readonly SignedRecord[]): known is readonly SignedRecord[] {
  return Array.isArray(known);
}
