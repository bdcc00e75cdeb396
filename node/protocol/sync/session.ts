/**
 * The asker's half of anti-entropy: walks both Merkle tries down to where they differ, then fetches what is missing here
 * and pushes what the peer lacks. One session with one peer over one lung; the state may move meanwhile.
 *
 *   compare '' → unlike children → … → ids of unlike buckets → transfer (want, push) → … → done
 *
 * A record of ours that the peer does not list although it has seen it was replaced there, by something that is listed, or by a
 * tombstone that was collected. It is not pushed; what still lives here when the session ends is for the caller to judge.
 *
 * "Done" is not success: whether the roots became equal is for the caller to see.
 */
import type { LungName } from '../events.ts';
import type { Digest, NodeId, RecordId } from '../ids.ts';
import type { Replica } from '../state/replica.ts';
import { takeRecords } from './answer.ts';
import type { Difference, SentVector, Subtree, SyncReply, SyncRequest } from './messages.ts';

export interface SessionOptions {
  /** Subtrees in one question; default 256, a request of 10 KiB. */
  readonly subtreesMax: number;
  /** Ids wanted in one transfer; default 2048, a request of 64 KiB. */
  readonly wantMax: number;
  /** Bytes of records pushed in one transfer; default 512 KiB. */
  readonly pushBytesMax: number;
  /** Round trips after which a session ends, whatever is left; default 4096. Bounds what a lying peer can cost. */
  readonly roundTripsMax: number;
}

export const SESSION_DEFAULTS: SessionOptions = {
  subtreesMax: 256,
  wantMax: 2048,
  pushBytesMax: 524_288,
  roundTripsMax: 4096,
};

/** SHA-256 has 64 nibbles; a peer that answers "children" below that is broken. */
const PREFIX_NIBBLES_MAX = 64;
const NIBBLES = '0123456789abcdef';

export class Session {
  readonly peer: NodeId;
  readonly lung: LungName;
  readonly startedAt: number;
  readonly #options: SessionOptions;
  /** subtrees still to be compared */
  #frontier: string[] = [''];
  #want: RecordId[] = [];
  #push: RecordId[] = [];
  readonly #seen = new Set<RecordId>();
  /** what the exchange under way asks for, to be cut off the lists by its reply */
  #asking:
    | { readonly prefixes: readonly string[] }
    | { readonly want: number; readonly push: number }
    | null = null;
  /** something wanted did not come, or was not taken: then what is absent may have a successor that we do not have */
  hasGaps = false;
  /** live here, seen by the peer, not listed by it */
  readonly absent: RecordId[] = [];
  roundTrips = 0;
  pulled = 0;
  pushed = 0;
  /** the peer's root as of its last reply */
  peerRoot: Digest | null = null;

  constructor(peer: NodeId, lung: LungName, startedAt: number, options: SessionOptions) {
    this.peer = peer;
    this.lung = lung;
    this.startedAt = startedAt;
    this.#options = options;
  }

  /** @returns the next question, or null when nothing is left to ask */
  next(replica: Replica): SyncRequest | null {
    if (this.roundTrips >= this.#options.roundTripsMax) return null;
    if (this.#frontier.length > 0) {
      const prefixes = this.#frontier.slice(0, this.#options.subtreesMax);
      this.#asking = { prefixes };
      const subtrees: Subtree[] = prefixes.map((prefix) => ({ prefix, digest: replica.trie.digest(prefix) }));
      return { type: 'compare', root: replica.root(), vector: replica.vector.clone(), subtrees };
    }
    if (this.#want.length > 0 || this.#push.length > 0) {
      const want = this.#want.slice(0, this.#options.wantMax);
      const push = takeRecords(this.#push, replica, this.#options.pushBytesMax);
      this.#asking = { want: want.length, push: push.answered };
      this.pushed += push.taken.length;
      return { type: 'transfer', root: replica.root(), want, records: push.taken };
    }
    return null;
  }

  /**
   * Takes the reply to the last question. Records in it must have been merged by the caller.
   * @returns why the session must end, or null to go on with `next`
   */
  take(reply: SyncReply, replica: Replica): string | null {
    const asking = this.#asking;
    if (asking === null) return 'unasked_reply';
    this.#asking = null;
    this.roundTrips += 1;
    switch (reply.type) {
      case 'refused':
        return `refused_${reply.reason}`;
      case 'differences': {
        if (!('prefixes' in asking)) return 'wrong_reply_type';
        if (reply.answered < 1 || reply.answered > asking.prefixes.length) return 'wrong_answered_count';
        this.peerRoot = reply.root;
        const covered = new Set(asking.prefixes.slice(0, reply.answered));
        this.#frontier.splice(0, reply.answered);
        for (const difference of reply.differences) {
          if (!covered.delete(difference.prefix)) return 'unasked_prefix';
          const wrong = this.#descend(difference, reply.vector, replica);
          if (wrong !== null) return wrong;
        }
        return null;
      }
      case 'transferred': {
        if (!('want' in asking)) return 'wrong_reply_type';
        if (reply.answered > asking.want || reply.records.length > reply.answered)
          return 'wrong_answered_count';
        if (asking.want > 0 && reply.answered === 0) return 'no_progress';
        this.peerRoot = reply.root;
        this.#want.splice(0, reply.answered);
        this.#push.splice(0, asking.push);
        this.pulled += reply.records.length;
        if (reply.records.length < reply.answered) this.hasGaps = true;
        return null;
      }
    }
  }

  #descend(difference: Difference, vector: SentVector, replica: Replica): string | null {
    const { prefix } = difference;
    switch (difference.kind) {
      case 'children':
        if (prefix.length >= PREFIX_NIBBLES_MAX) return 'prefix_too_deep';
        difference.digests.forEach((digest, i) => {
          const child = prefix + NIBBLES.charAt(i);
          if (replica.trie.digest(child) !== digest) this.#frontier.push(child);
        });
        return null;
      case 'entries': {
        const theirs = new Set(difference.ids);
        const ours = new Set(replica.trie.ids(prefix, Number.MAX_SAFE_INTEGER));
        for (const id of theirs) {
          if (ours.has(id) || this.#seen.has(id)) continue;
          this.#seen.add(id);
          this.#want.push(id);
        }
        for (const id of ours) {
          if (theirs.has(id) || this.#seen.has(id)) continue;
          this.#seen.add(id);
          const record = replica.record(id);
          const wasSeen = record !== null && vector.has(record.dot) && !replica.isDoubled(record);
          if (wasSeen) this.absent.push(id);
          else this.#push.push(id);
        }
        return null;
      }
    }
  }
}
