/**
 * The rung that knows exactly what is missing, whatever the size of the state: the asker says what it has seen, the peer sends the
 * live records beyond that and says what it has seen itself, and the asker sends what is beyond that. From nothing seen at
 * all the same rung carries a whole snapshot, page by page, and goes on after a cut where it stopped.
 *
 * Of a key that was written over and over while both were apart only the last record is sent, so what the two have seen stays unlike
 * for ever. What a pass has settled in this way is remembered (`Settled`), or it would be looked up in every session.
 */
import type { Digest } from '../ids.ts';
import { MerkleTrie } from '../state/merkle.ts';
import type { Replica } from '../state/replica.ts';
import type { Dot, SignedRecord } from '../state/record.ts';
import { VersionVector } from '../state/version-vector.ts';
import type { Freight } from './freight.ts';
import type { SyncReply, SyncRequest } from './messages.ts';

export interface DeltaLimits {
  /** Bytes of records pushed in one request; default 512 KiB, some 2,000 records: the peer verifies them before it answers. */
  readonly pushBytesMax: number;
  /**
   * Passes in one session. Default 3: both sides go on writing, and what comes meanwhile is the next session's matter, or a session
   * would last as long as the load.
   */
  readonly passesMax: number;
  /** Ranges above which the own vector is too long to be told: default 4096, some 20 KiB in every request. */
  readonly rangesMax: number;
}

/** What was settled with one peer since it was met; forgotten when one of the two restarts. */
export class Settled {
  #seen: VersionVector | null = null;
  /** the peer has seen it, and what of it lives was sent to us */
  pulled = new VersionVector();
  /** we have seen it, and what of it lives was taken by the peer */
  pushed = new VersionVector();

  /** What the peer has seen, by its last word; null while it does not say. */
  get seen(): VersionVector | null {
    return this.#seen;
  }

  /** Both roots are equal: what lives here lives there. @param vector what we have seen */
  hearEqual(vector: VersionVector): void {
    this.pushed = vector.clone();
  }

  /** @param seen the peer's word; less than it said before is a backup that came back, to which nothing was sent */
  hear(seen: VersionVector | null): void {
    if (seen !== null && this.#seen !== null && !this.#seen.isWithin(seen)) this.pushed = new VersionVector();
    this.#seen = seen;
  }
}

export interface Page {
  /** by author, then sequence */
  readonly records: readonly SignedRecord[];
  /** where to go on; null when this was all */
  readonly after: Dot | null;
  /** dots behind `after` that are lacking, dead or alive */
  readonly left: number;
  /** some records up to there may not be sent now */
  readonly isWithheld: boolean;
}

/** Dots looked up for one page: 50,000 take some 30 ms. */
const LOOKUPS_MAX = 50_000;

/**
 * One page of the live records whose dots are lacking.
 *
 * @param after the end of the page before, null for the first
 * @param bytesMax of records; the first one goes in any case
 * @param mayPush whether a record may be sent at all
 */
export function pageOf(
  replica: Replica,
  lacking: VersionVector,
  after: Dot | null,
  bytesMax: number,
  mayPush: Freight['mayPush'] = () => true,
): Page {
  const records: SignedRecord[] = [];
  let left = lacking.countAfter(after);
  let bytes = 0;
  let lookups = 0;
  let last = after;
  let isWithheld = false;
  for (const dot of lacking.dots(after)) {
    const all = replica.recordsOf(dot);
    const live = all.filter(mayPush);
    const size = live.reduce((sum, record) => sum + record.bytes.length, 0);
    if (lookups >= LOOKUPS_MAX || (records.length > 0 && bytes + size > bytesMax))
      return { records, after: last, left, isWithheld };
    records.push(...live);
    isWithheld ||= live.length < all.length;
    bytes += size;
    lookups += 1;
    left -= 1;
    last = dot;
  }
  return { records, after: null, left: 0, isWithheld };
}

const EMPTY_ROOT = new MerkleTrie().root();
const NOTHING: Page = { records: [], after: null, left: 0, isWithheld: false };

export class Delta {
  readonly #limits: DeltaLimits;
  readonly #settled: Settled;
  readonly #freight: Freight;
  #passes = 0;
  /** where the peer's pages of this pass go on */
  #pullAfter: Dot | null = null;
  #hasPulled = false;
  /** what the peer had seen when this pass began */
  #pullVector: VersionVector | null = null;
  /** our next page, once it is looked up */
  #page: Page | null = null;
  #pushAfter: Dot | null = null;
  #hasPushed = false;
  #pushVector: VersionVector | null = null;
  #pushing: readonly SignedRecord[] = [];
  /** this pass moved a record */
  #hasMoved = false;
  /** ours, when this pass began: what came and was known, or refused, leaves it as it is */
  #passRoot: Digest | null = null;
  /** a record was not taken, or not sent, here or there: nothing is settled */
  hasGaps = false;
  pushed = 0;
  pulled = 0;

  constructor(limits: DeltaLimits, settled: Settled, freight: Freight) {
    this.#limits = limits;
    this.#settled = settled;
    this.#freight = freight;
  }

  /** Of the records in the question under way; empty when there is none. */
  get onTheirWay(): VersionVector {
    const dots = new VersionVector();
    for (const { dot } of this.#pushing) dots.add(dot);
    return dots;
  }

  /** Going by what both have seen there is nothing to send, either way. */
  isSettled(replica: Replica): boolean {
    const { seen, pulled } = this.#settled;
    if (seen === null || !seen.without(replica.vector).without(this.#freight.unwanted).isWithin(pulled))
      return false;
    return this.#toPush(replica, seen).size === 0;
  }

  /** The own vector is too long to ask by. */
  isTooLong(replica: Replica): boolean {
    return replica.vector.size > this.#limits.rangesMax && this.#told(replica).size > this.#limits.rangesMax;
  }

  /** The last pass moved nothing: vectors do not explain why the roots are unlike. */
  get isExhausted(): boolean {
    return !this.#hasMoved;
  }

  /** @returns the next question; null when a whole pass moved nothing, or there were enough of them */
  next(replica: Replica): SyncRequest | null {
    if (this.#passes === 0) this.#beginPass(replica);
    else if (this.#isPassOver(replica)) {
      if (replica.root() !== this.#passRoot) this.#hasMoved = true;
      if (!this.#hasMoved || this.#passes >= this.#limits.passesMax) return null;
      this.#beginPass(replica);
    }
    const page = this.#nextPage(replica);
    if (page.isWithheld) this.hasGaps = true;
    this.#page = null;
    this.#pushAfter = page.after;
    this.#hasPushed = page.after === null && this.#settled.seen !== null;
    this.#pushing = page.records;
    return this.#question(replica, this.#pullAfter, page.records);
  }

  /**
   * The question behind a page that is not taken yet. What is not here yet of that page is before `after`, so it is not sent again.
   *
   * @returns null while there is something to push, which takes turns with the answers
   */
  nextAhead(after: Dot, replica: Replica): SyncRequest | null {
    if (this.#pushing.length > 0 || !isBehind(after, this.#pullAfter)) return null;
    const isPulling = this.#settled.seen === null || this.#isPushOver(replica);
    return isPulling ? this.#question(replica, after, []) : null;
  }

  noteArrived(count: number): void {
    this.pulled += count;
  }

  /** Records in the reply must have been merged. @returns what is wrong with it; null when nothing is */
  take(reply: SyncReply): string | null {
    if (reply.type !== 'missing') return 'wrong_reply_type';
    const { vector, records, after, root } = reply;
    if (after !== null && !isBehind(after, this.#pullAfter)) return 'no_progress';
    // Whoever does not say what it has seen has a store that takes no commits, or a vector that is too long.
    const seen = vector.size === 0 && root !== EMPTY_ROOT ? null : vector;
    this.#settled.hear(seen);
    const taken = this.#pushing.filter(({ dot }) => seen?.has(dot) === true).length;
    if (taken < this.#pushing.length) this.hasGaps = true;
    this.#pushing = [];
    this.noteArrived(records.length);
    this.pushed += taken;
    if (taken > 0) this.#hasMoved = true;
    this.#pullVector ??= vector;
    this.#pullAfter = after;
    this.#hasPulled = after === null;
    // Only the last word: a broken member's inventions shall not pile up.
    if (this.#hasPulled && !this.hasGaps) this.#settled.pulled = this.#pullVector;
    return null;
  }

  #question(replica: Replica, after: Dot | null, records: readonly SignedRecord[]): SyncRequest {
    const vector = this.#told(replica);
    const { pull: bytesMax } = this.#freight;
    return { type: 'delta', root: replica.root(), vector, after, bytesMax, records };
  }

  #beginPass(replica: Replica): void {
    this.#passes += 1;
    this.#pullAfter = null;
    this.#hasPulled = false;
    this.#pullVector = null;
    this.#page = null;
    this.#pushAfter = null;
    this.#hasPushed = false;
    this.#pushVector = replica.vector.clone();
    this.#passRoot = replica.root();
    this.#hasMoved = false;
  }

  /** Nothing is left to be asked for, nor to be sent. */
  #isPassOver(replica: Replica): boolean {
    if (!this.#hasPulled) return false;
    if (this.#settled.seen === null) return true;
    if (!this.#isPushOver(replica)) return false;
    if (!this.hasGaps && this.#pushVector !== null) this.#settled.pushed.join(this.#pushVector);
    return true;
  }

  /** Looks for what is left to push, where that is not known. */
  #isPushOver(replica: Replica): boolean {
    if (this.#hasPushed) return true;
    this.#page = this.#nextPage(replica);
    if (this.#page.records.length > 0 || this.#page.after !== null) return false;
    if (this.#page.isWithheld) this.hasGaps = true;
    this.#hasPushed = true;
    return true;
  }

  #nextPage(replica: Replica): Page {
    const { seen } = this.#settled;
    if (this.#page !== null) return this.#page;
    if (seen === null || this.#hasPushed) return NOTHING;
    const bytesMax = Math.min(this.#limits.pushBytesMax, this.#freight.push);
    return pageOf(replica, this.#toPush(replica, seen), this.#pushAfter, bytesMax, this.#freight.mayPush);
  }

  /** What we have seen, or would refuse, or the peer needs not look up. */
  #told(replica: Replica): VersionVector {
    const told = replica.vector.clone();
    told.join(this.#settled.pulled);
    told.join(this.#freight.unwanted);
    return told;
  }

  #toPush(replica: Replica, seen: VersionVector): VersionVector {
    return replica.vector.without(seen).without(this.#settled.pushed);
  }
}

/** In the order of a vector's dots. */
function isBehind(dot: Dot, before: Dot | null): boolean {
  if (before === null || dot.author > before.author) return true;
  return dot.author === before.author && dot.sequence > before.sequence;
}
