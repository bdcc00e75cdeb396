/**
 * What may be shown while the store refuses commits. Readers see each key as it was before the changes that are not on
 * disk; members get everything but the records among those changes, and no claim to have seen anything: from a record
 * that is seen and not listed they conclude that it was replaced, which is not durable here. So nothing is shown that a
 * crash could take back, and nobody waits for a disk that may stay full for hours.
 */
import type { Effect } from '../protocol/border.ts';
import type { RecordId } from '../protocol/ids.ts';
import type { SignedRecord } from '../protocol/state/record.ts';
import { versionOf, viewOf, type KeyView } from '../protocol/state/replica.ts';
import { VersionVector } from '../protocol/state/version-vector.ts';
import { recordsOf } from '../protocol/sync/messages.ts';

/** A key at one moment. */
export interface Seen {
  readonly view: KeyView | null;
  readonly version: string | null;
}

/** @param live of the key, as the replica had it then */
export function seenOf(key: string, live: readonly SignedRecord[]): Seen {
  return { view: viewOf(key, live), version: versionOf(live) };
}

/** Effects that carry records, or wait for them. */
export type Telling = Extract<Effect, { readonly type: 'publish' | 'ask' | 'answer' }>;

/** The effect without the records that are not durable; null where nothing is left to tell. */
export function withoutUndurable(effect: Telling, undurable: ReadonlySet<RecordId>): Telling | null {
  const durable = <R extends SignedRecord>(records: readonly R[]): readonly R[] =>
    records.filter(({ id }) => !undurable.has(id));
  switch (effect.type) {
    case 'publish': {
      const records = durable(effect.records);
      return records.length === 0 ? null : { ...effect, records };
    }
    case 'ask': {
      const { message } = effect;
      if (message.type === 'delta')
        return { ...effect, message: { ...message, records: durable(message.records) } };
      // Asked without its records it would be answered as if they had been taken.
      const offered = recordsOf(message);
      return durable(offered).length < offered.length ? null : effect;
    }
    case 'answer': {
      const { message } = effect;
      switch (message.type) {
        case 'missing': {
          const records = durable(message.records);
          return { ...effect, message: { ...message, vector: CLAIM_NOTHING, records } };
        }
        case 'transferred':
          return { ...effect, message: { ...message, records: durable(message.records) } };
        // Whoever is told what lives here takes the rest for replaced.
        case 'cells':
        case 'differences':
          return { ...effect, message: { type: 'refused', reason: 'not_durable' } };
        case 'refused':
          return effect;
      }
    }
  }
}

const CLAIM_NOTHING = new VersionVector();
