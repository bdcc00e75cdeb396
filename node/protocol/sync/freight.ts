/**
 * What may go in an exchange with one member over one lung, as of now: a session looks before each question, for sizes change and
 * records become acceptable while it lasts.
 */
import type { RecordId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';
import type { ShortId } from '../state/sketch/short-id.ts';
import { VersionVector } from '../state/version-vector.ts';
import { PULL_BYTES_MAX, PUSH_BYTES_MAX } from './messages.ts';

export interface Freight {
  /** bytes of records to ask for */
  readonly pull: number;
  /** bytes of records to send, one record at least */
  readonly push: number;
  /** whether this record of ours may be sent: it would arrive, and be taken */
  readonly mayPush: (record: SignedRecord) => boolean;
  /** dots of records that would be refused here */
  readonly unwanted: VersionVector;
  readonly isUnwanted: (id: RecordId) => boolean;
  readonly isUnwantedShort: (short: ShortId) => boolean;
}

/** Whatever a lung carries. */
export const ALL_FREIGHT: Freight = {
  pull: PULL_BYTES_MAX,
  push: PUSH_BYTES_MAX,
  mayPush: () => true,
  unwanted: new VersionVector(),
  isUnwanted: () => false,
  isUnwantedShort: () => false,
};
