/**
 * The asker's half of anti-entropy: climbs the ladder from the cheapest rung until both roots are equal, or it is clear why not.
 * One session with one peer over one lung; the state may move meanwhile.
 *
 *     delta ──▶ what the version vectors say, both ways, page by page (a snapshot, where that is most of the state)
 *       │ nothing moved, roots still unlike: vectors do not explain it
 *     sketch ─▶ coded symbols, then a transfer
 *       │ too many differences, or they do not decode
 *     descent ▶ the Merkle tries, then a transfer
 *
 * "Done" is equal roots, never "the session ended": whether they became equal is for the caller to see.
 */
import type { LungName, Rung } from '../events.ts';
import type { Digest, NodeId } from '../ids.ts';
import type { Dot } from '../state/record.ts';
import type { Replica } from '../state/replica.ts';
import type { VersionVector } from '../state/version-vector.ts';
import { ANSWER_DEFAULTS } from './answer.ts';
import { Delta, type DeltaLimits, type Settled } from './delta.ts';
import { Descent } from './descent.ts';
import type { Freight } from './freight.ts';
import { PUSH_BYTES_MAX, type SyncReply, type SyncRequest } from './messages.ts';
import { Symbols } from './symbols.ts';
import { Transfers, type TransferLimits } from './transfers.ts';

export interface SessionOptions extends DeltaLimits, TransferLimits {
  /** Subtrees in one question; default 256, a request of 10 KiB. */
  readonly subtreesMax: number;
  /** A delta beyond so many dots, and more than what lives here, is called a snapshot; default 1000. */
  readonly snapshotMin: number;
  /** Round trips after which a session ends, whatever is left; default 4096. Bounds what a lying peer can cost. */
  readonly roundTripsMax: number;
}

export const SESSION_DEFAULTS: SessionOptions = {
  pushBytesMax: PUSH_BYTES_MAX,
  passesMax: 3,
  rangesMax: ANSWER_DEFAULTS.rangesMax,
  wantMax: 8_192,
  subtreesMax: 256,
  snapshotMin: 1_000,
  roundTripsMax: 4_096,
};

/** What is known of the peer before the first question. */
export interface SessionStart {
  readonly peer: NodeId;
  readonly lung: LungName;
  /** ms, monotonic */
  readonly at: number;
  /** as they were then: the peer's by its last word */
  readonly roots: { readonly local: Digest; readonly remote: Digest };
  readonly settled: Settled;
  readonly freight: Freight;
  /** the last session moved nothing between the same two roots: neither vectors nor symbols explain the difference */
  readonly isStuck: boolean;
}

/** A rung taken, and why. */
interface Step {
  readonly rung: Rung;
  readonly reason: string;
}

export class Session {
  readonly start: SessionStart;
  readonly transfers: Transfers;
  readonly #options: SessionOptions;
  readonly #delta: Delta;
  #symbols: Symbols | null = null;
  #descent: Descent | null = null;
  #step: Step = { rung: 'equal', reason: 'roots_equal' };
  readonly #steps: Step[] = [];
  /** questions under way: one, and one asked ahead */
  #asked = 0;
  /** records of the page under way that were merged already */
  #arrived = 0;
  roundTrips = 0;
  /** the peer's root as of its last reply */
  peerRoot: Digest | null = null;

  constructor(start: SessionStart, options: SessionOptions) {
    this.start = start;
    this.#options = options;
    this.#delta = new Delta(options, start.settled, start.freight);
    this.transfers = new Transfers(options, start.freight);
  }

  /** The last one taken. */
  get rung(): Rung {
    return this.#step.rung;
  }

  get isAsking(): boolean {
    return this.#asked > 0;
  }

  /** Besides the answer that is being taken in, another one is waited for. */
  get isAhead(): boolean {
    return this.#asked > 1;
  }

  /** Dots of records that the question under way offers: told to nobody twice. */
  get onTheirWay(): VersionVector {
    return this.#delta.onTheirWay;
  }

  /** Records that came. */
  get pulled(): number {
    return this.#delta.pulled + this.transfers.pulled;
  }

  /** Records that were sent. */
  get pushed(): number {
    return this.#delta.pushed + this.transfers.pushed;
  }

  /** A record that came was not taken: then what is absent there may have a successor that is not here. */
  noteGap(): void {
    this.transfers.hasGaps = true;
    this.#delta.hasGaps = true;
  }

  /** So many records of a page were merged before `take` gets the rest of it. */
  noteArrived(count: number): void {
    this.#arrived += count;
    this.#delta.noteArrived(count);
  }

  /** Rungs taken since the last call. */
  takeSteps(): readonly Step[] {
    return this.#steps.splice(0);
  }

  /** @returns the next question, or null when nothing is left to ask */
  next(replica: Replica): SyncRequest | null {
    if (this.roundTrips >= this.#options.roundTripsMax || this.peerRoot === replica.root()) return null;
    const request = this.#climb(replica);
    if (request !== null) this.#asked += 1;
    return request;
  }

  /**
   * A page has come and is being verified; `take` gets it later, and the pages in their order.
   *
   * @param after where it says that it goes on
   * @returns the question for what follows; null where one is under way already, or there is more to say than that
   */
  nextAhead(after: Dot, replica: Replica): SyncRequest | null {
    const isPaging = this.#asked === 1 && this.#symbols === null && this.#descent === null;
    if (!isPaging || this.roundTrips + 2 > this.#options.roundTripsMax) return null;
    const request = this.#delta.nextAhead(after, replica);
    if (request !== null) this.#asked += 1;
    return request;
  }

  /** What was asked ahead stays unanswered: it is asked again in its turn. */
  forgetAhead(): void {
    this.#asked -= 1;
  }

  /**
   * Takes the reply to the last question. Records in it must have been merged by the caller.
   * @returns why the session must end, or null to go on with `next`
   */
  take(reply: SyncReply, replica: Replica): string | null {
    if (this.#asked === 0) return 'unasked_reply';
    this.#asked -= 1;
    this.roundTrips += 1;
    if (reply.type === 'refused') return `refused_${reply.reason}`;
    this.peerRoot = reply.root;
    if (this.transfers.isAsking) return this.transfers.take(reply);
    if (this.#descent !== null) return this.#descent.take(reply, replica);
    if (this.#symbols !== null) return this.#symbols.take(reply, replica);
    if (reply.type === 'missing' && this.#step.rung === 'delta') {
      const came = reply.records.length + this.#arrived;
      const lacking = came + reply.left;
      const own = replica.recordCount() - came;
      if (lacking > Math.max(this.#options.snapshotMin, own)) this.#take('snapshot', 'far_behind');
    }
    return this.#delta.take(reply);
  }

  #climb(replica: Replica): SyncRequest | null {
    if (this.#step.rung === 'equal') this.#begin(replica);
    if (this.#symbols === null && this.#descent === null) {
      const question = this.#delta.next(replica);
      if (question !== null) return question;
      // What moved and left the roots unlike is what came meanwhile, most likely: the next session's matter.
      if (!this.#delta.isExhausted) return null;
      this.#explain('vectors_do_not_explain');
    }
    const question = this.#symbols?.next(replica) ?? null;
    if (question !== null) return question;
    const failure = this.#symbols?.failure ?? null;
    if (failure !== null && this.#descent === null) this.#descend(failure);
    return this.#descent?.next(replica) ?? this.transfers.next(replica);
  }

  #begin(replica: Replica): void {
    if (this.#delta.isSettled(replica)) this.#explain('vectors_settled');
    else if (this.#delta.isTooLong(replica)) this.#explain('vector_too_long');
    else this.#take('delta', 'roots_unlike');
  }

  /** Vectors have said what they can. */
  #explain(reason: string): void {
    if (this.start.isStuck) return this.#descend('stuck_before');
    this.#take('sketch', reason);
    this.#symbols = new Symbols(this.transfers);
  }

  #descend(reason: string): void {
    this.#take('descent', reason);
    this.#descent = new Descent(this.transfers, this.#options.subtreesMax);
  }

  #take(rung: Rung, reason: string): void {
    this.#step = { rung, reason };
    this.#steps.push(this.#step);
  }
}
