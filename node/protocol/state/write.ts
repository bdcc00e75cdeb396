/** What a write asks for, and what a store keeps: the words that the state shares with the border. */
import type { NodeId } from '../ids.ts';
import type { SignedRecord } from './record.ts';

export interface WriteEntry {
  readonly key: string;
  /** JSON text; null deletes */
  readonly value: string | null;
}

/** HTTP's conditional requests (RFC 9110 section 13) on one key: `*` or a list of versions. */
export interface Precondition {
  readonly ifMatch?: readonly string[] | '*';
  readonly ifNoneMatch?: readonly string[] | '*';
}

/** What a writer is told of a record that lives, or lived until now: enough to know an own write again. */
export interface Standing {
  /** its id, which is the key's version where nothing is beside it */
  readonly version: string;
  readonly author: NodeId;
  /** ms since the epoch, from its stamp */
  readonly timestamp: number;
  /** JSON text; null: a tombstone */
  readonly value: string | null;
}

export interface Written {
  readonly key: string;
  /** id of the new record, tombstones included */
  readonly version: string;
  /** the key had no value before */
  readonly created: boolean;
  /** where the key was in conflict: all that lived of it, greatest first; else empty */
  readonly replaced: readonly Standing[];
}

/** Nothing was written, for what lives of a key. `winner`: the greatest of its records, a tombstone too; null: nothing is known of it */
export type Mismatch =
  | {
      readonly ok: false;
      readonly reason: 'precondition';
      readonly version: string | null;
      readonly winner: Standing | null;
    }
  /** `index`: which of the entries wanted to delete what has no value */
  | {
      readonly ok: false;
      readonly reason: 'not-found';
      readonly key: string;
      readonly index: number;
      readonly winner: Standing | null;
    };

/** A record with the local number under which the store keeps it. */
export interface StoredRecord {
  readonly slot: number;
  readonly record: SignedRecord;
}
