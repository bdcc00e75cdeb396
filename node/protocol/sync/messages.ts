/**
 * The one exchange of anti-entropy, carried alike by a libp2p stream and by HTTP. The asker keeps the session; the
 * answerer is stateless: every request is answered from the state of that moment.
 */
import type { Digest, RecordId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';
import type { VersionVector } from '../state/version-vector.ts';

/** A subtree: its path in hex nibbles from the root ('' is the whole state) and its digest. */
export interface Subtree {
  readonly prefix: string;
  readonly digest: Digest;
}

/** What the sender has seen, at the moment of its root: a record in it that the sender does not list was replaced there. */
export type SentVector = Pick<VersionVector, 'has' | 'last' | 'write'>;

/** What the answerer has below an unlike prefix: sixteen child digests, or, where few, the record ids themselves. */
export type Difference =
  | { readonly kind: 'children'; readonly prefix: string; readonly digests: readonly Digest[] }
  | { readonly kind: 'entries'; readonly prefix: string; readonly ids: readonly RecordId[] };

/** `R`: whether the records inside were verified. Lungs deliver SignedRecord; the core accepts VerifiedRecord only. */
export type SyncRequest<R extends SignedRecord = SignedRecord> =
  /** which of these subtrees are unlike yours? */
  | {
      readonly type: 'compare';
      readonly root: Digest;
      readonly vector: SentVector;
      readonly subtrees: readonly Subtree[];
    }
  /** here are records that you lack, send me those that I lack; with nothing wanted it is a push of fresh records */
  | {
      readonly type: 'transfer';
      readonly root: Digest;
      readonly want: readonly RecordId[];
      readonly records: readonly R[];
    };

export type SyncReply<R extends SignedRecord = SignedRecord> =
  /** `answered`: how many of the subtrees asked about, from the first, this reply covers; those without a difference are alike */
  | {
      readonly type: 'differences';
      readonly root: Digest;
      readonly answered: number;
      readonly vector: SentVector;
      readonly differences: readonly Difference[];
    }
  /**
   * `answered`: how many of the wanted records, from the first, this reply covers; those without a record are gone here
   * `refused`: how many of the offered records are not taken here; the others are durable
   */
  | {
      readonly type: 'transferred';
      readonly root: Digest;
      readonly answered: number;
      readonly refused: number;
      readonly records: readonly R[];
    }
  | { readonly type: 'refused'; readonly reason: string };
