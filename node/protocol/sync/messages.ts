/**
 * The one exchange of anti-entropy, carried alike by a libp2p stream and by HTTP. The asker keeps the session; the
 * answerer is stateless: every request is answered from the state of that moment. One request and one reply for each rung
 * of the ladder, and a transfer for what the last two found.
 *
 *     delta    → missing       what you have seen and I have not, and the other way round (version vectors)
 *     sketch   → cells         coded symbols of your set of records, as many as my estimate of the difference asks for
 *     compare  → differences   what differs below these subtrees
 *     transfer → transferred   these records, please; here are yours
 */
import type { Digest, RecordId } from '../ids.ts';
import type { Dot, SignedRecord } from '../state/record.ts';
import type { ShortId } from '../state/sketch/short-id.ts';
import type { VersionVector } from '../state/version-vector.ts';

/** One message, in bytes; every lung carries so much. 4 MiB: 10,000 records in one round trip. */
export const EXCHANGE_BYTES_MAX = 4_194_304;

/** Bytes of records in one reply, which leaves room for a long vector in one message: some 12,000 records of 300 bytes. */
export const PULL_BYTES_MAX = 3_670_016;
/** The same of one request: some 2,000 records, which the peer verifies before it answers. */
export const PUSH_BYTES_MAX = 524_288;

/** A subtree: its path in hex nibbles from the root ('' is the whole state) and its digest. */
export interface Subtree {
  readonly prefix: string;
  readonly digest: Digest;
}

/** What the answerer has below an unlike prefix: sixteen child digests, or, where few, the record ids themselves. */
export type Difference =
  | { readonly kind: 'children'; readonly prefix: string; readonly digests: readonly Digest[] }
  | { readonly kind: 'entries'; readonly prefix: string; readonly ids: readonly RecordId[] };

/** `R`: whether the records inside were verified. Lungs deliver SignedRecord; the core accepts VerifiedRecord only. */
export type SyncRequest<R extends SignedRecord = SignedRecord> =
  /** here is what I have seen: send me the live records beyond it, and take those that you seem to lack */
  | {
      readonly type: 'delta';
      readonly root: Digest;
      readonly vector: VersionVector;
      /** where the last reply stopped; null from the start */
      readonly after: Dot | null;
      /** bytes of records that the reply may hold; it may hold fewer */
      readonly bytesMax: number;
      readonly records: readonly R[];
    }
  /** send me coded symbols of your set */
  | {
      readonly type: 'sketch';
      readonly root: Digest;
      /** of the asker's set: from it and its own the answerer estimates the difference */
      readonly estimator: Uint8Array;
      readonly from: number;
      /** how many cells; 0 leaves it to the answerer's estimate */
      readonly count: number;
    }
  /** which of these subtrees are unlike yours? */
  | { readonly type: 'compare'; readonly root: Digest; readonly subtrees: readonly Subtree[] }
  /** here are records that you lack, send me those that I lack; with nothing wanted it is a push of fresh records */
  | {
      readonly type: 'transfer';
      readonly root: Digest;
      readonly want: readonly RecordId[];
      /** wanted as well, known by short id only */
      readonly wantShort: readonly ShortId[];
      readonly records: readonly R[];
    };

export type SyncReply<R extends SignedRecord = SignedRecord> =
  | {
      readonly type: 'missing';
      readonly root: Digest;
      /**
       * What the answerer has seen, the offered records included. Empty, with records at the root: it does not say, because its store
       * takes no commits, or because it is too long.
       */
      readonly vector: VersionVector;
      /** go on behind this dot; null when this was all */
      readonly after: Dot | null;
      /** dots behind `after` that the asker has not seen, dead or alive */
      readonly left: number;
      readonly records: readonly R[];
    }
  /** `count` cells from `from` on; none when the sets are too different for as many as there are */
  | { readonly type: 'cells'; readonly root: Digest; readonly from: number; readonly cells: Uint8Array }
  /** `answered`: how many of the subtrees asked about, from the first, this reply covers; those without a difference are alike */
  | {
      readonly type: 'differences';
      readonly root: Digest;
      readonly answered: number;
      readonly differences: readonly Difference[];
    }
  /**
   * `answered`: how many of the wanted records, from the first, this reply covers; those without a record are gone here
   * `refused`: how many of the offered records are not taken here; the others are durable
   * `covered`: which of them, counted from 0, had been replaced here before
   */
  | {
      readonly type: 'transferred';
      readonly root: Digest;
      readonly answered: number;
      readonly refused: number;
      readonly covered: readonly number[];
      readonly records: readonly R[];
    }
  | { readonly type: 'refused'; readonly reason: string };

/** What became of the records that came with a request; the rest was taken, or known. */
export interface Offered {
  readonly refused: number;
  /** positions, ascending */
  readonly covered: readonly number[];
}

/** The records that a message carries. */
export function recordsOf<R extends SignedRecord>(message: SyncRequest<R> | SyncReply<R>): readonly R[] {
  return 'records' in message ? message.records : [];
}

/** A transfer that wants nothing is a push of fresh records. */
export function isPush(message: SyncRequest): boolean {
  return message.type === 'transfer' && message.want.length + message.wantShort.length === 0;
}
