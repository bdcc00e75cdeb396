/** What a write asks for, and what a store keeps: the words that the state shares with the border. */
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

/** A record with the local number under which the store keeps it. */
export interface StoredRecord {
  readonly slot: number;
  readonly record: SignedRecord;
}
