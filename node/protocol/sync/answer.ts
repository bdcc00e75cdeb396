/**
 * The answerer's half of anti-entropy: stateless, bounded in size, from the state of this moment.
 */
import type { RecordId } from '../ids.ts';
import type { Replica } from '../state/replica.ts';
import type { SignedRecord } from '../state/record.ts';
import type { Difference, SyncReply, SyncRequest } from './messages.ts';

export interface AnswerOptions {
  /** Below this many keys a subtree is answered with its record ids at once; default 32: two trie buckets, one round trip saved. */
  readonly idsBelowKeys: number;
  /** Ids and digests of one reply; default 8192, i.e. 256 KiB. */
  readonly hashesMax: number;
  /** Bytes of records in one reply; default 512 KiB, half of what a lung carries in one message. */
  readonly recordBytesMax: number;
}

export const ANSWER_DEFAULTS: AnswerOptions = { idsBelowKeys: 32, hashesMax: 8192, recordBytesMax: 524_288 };

/** @param refused how many of the records that came with the request were not taken; the others have been merged */
export function answer(
  request: SyncRequest,
  refused: number,
  replica: Replica,
  options: AnswerOptions,
): SyncReply {
  switch (request.type) {
    case 'compare':
      return compare(request, replica, options);
    case 'transfer': {
      const { taken, answered } = takeRecords(request.want, replica, options.recordBytesMax);
      return { type: 'transferred', root: replica.root(), answered, refused, records: taken };
    }
  }
}

function compare(
  request: SyncRequest & { type: 'compare' },
  replica: Replica,
  options: AnswerOptions,
): SyncReply {
  const differences: Difference[] = [];
  let answered = 0;
  let hashes = 0;
  for (const { prefix, digest } of request.subtrees) {
    if (replica.trie.digest(prefix) !== digest) {
      const difference = describe(prefix, replica, options);
      const size = difference.kind === 'children' ? difference.digests.length : difference.ids.length;
      if (hashes + size > options.hashesMax && answered > 0) break;
      hashes += size;
      differences.push(difference);
    }
    answered += 1;
  }
  return { type: 'differences', root: replica.root(), answered, vector: replica.vector.clone(), differences };
}

function describe(prefix: string, replica: Replica, options: AnswerOptions): Difference {
  const children = replica.trie.count(prefix) < options.idsBelowKeys ? null : replica.trie.children(prefix);
  if (children !== null) return { kind: 'children', prefix, digests: children };
  return { kind: 'entries', prefix, ids: replica.trie.ids(prefix, options.hashesMax) };
}

/** @returns records in the order wanted, as many as fit, at least one; `answered` counts ids that are gone here as well */
export function takeRecords(
  want: readonly RecordId[],
  replica: Replica,
  bytesMax: number,
): { readonly taken: readonly SignedRecord[]; readonly answered: number } {
  const taken: SignedRecord[] = [];
  let bytes = 0;
  let answered = 0;
  for (const id of want) {
    const record = replica.record(id);
    if (record !== null) {
      if (taken.length > 0 && bytes + record.bytes.length > bytesMax) break;
      taken.push(record);
      bytes += record.bytes.length;
    }
    answered += 1;
  }
  return { taken, answered };
}
