/**
 * The answerer's half of anti-entropy: stateless, bounded in size, from the state of this moment.
 */
import type { RecordId } from '../ids.ts';
import type { Replica } from '../state/replica.ts';
import type { SignedRecord } from '../state/record.ts';
import { DifferenceEstimator } from '../state/sketch/estimator.ts';
import type { ShortId } from '../state/sketch/short-id.ts';
import { Sketch } from '../state/sketch/sketch.ts';
import { VersionVector } from '../state/version-vector.ts';
import { pageOf } from './delta.ts';
import {
  PULL_BYTES_MAX,
  type Difference,
  type Offered,
  type SyncReply,
  type SyncRequest,
} from './messages.ts';

export interface AnswerOptions {
  /** Below this many keys a subtree is answered with its record ids at once; default 32: two trie buckets, one round trip saved. */
  readonly idsBelowKeys: number;
  /** Ids and digests of one reply; default 8192, i.e. 256 KiB. */
  readonly hashesMax: number;
  /** Bytes of records in one reply; default 3.5 MiB, which leaves room for a long vector in what a lung carries. */
  readonly recordBytesMax: number;
  /** Ranges of the own vector above which it is not told; default 4096, some 20 KiB. */
  readonly rangesMax: number;
}

export const ANSWER_DEFAULTS: AnswerOptions = {
  idsBelowKeys: 32,
  hashesMax: 8_192,
  recordBytesMax: PULL_BYTES_MAX,
  rangesMax: 4_096,
};

/**
 * @param offered what became of the records that came with the request
 * @param onTheirWay dots of records that we are sending to the asker just now, in a question of our own: not sent again, nor claimed
 */
export function answer(
  request: SyncRequest,
  offered: Offered,
  onTheirWay: VersionVector,
  replica: Replica,
  options: AnswerOptions,
): SyncReply {
  switch (request.type) {
    case 'delta':
      return missing(request, onTheirWay, replica, options);
    case 'sketch':
      return cells(request, replica);
    case 'compare':
      return compare(request, replica, options);
    case 'transfer': {
      const { want, wantShort } = request;
      const wanted = wantedRecords(want, wantShort, replica);
      const { taken, answered } = takeRecords(wanted, options.recordBytesMax);
      return { type: 'transferred', root: replica.root(), answered, ...offered, records: taken };
    }
  }
}

function* wantedRecords(
  ids: readonly RecordId[],
  shorts: readonly ShortId[],
  replica: Replica,
): Generator<SignedRecord | null, void, undefined> {
  for (const id of ids) yield replica.record(id);
  for (const short of shorts) yield replica.ofShort(short)[0] ?? null;
}

function missing(
  { vector, after, bytesMax }: SyncRequest & { type: 'delta' },
  onTheirWay: VersionVector,
  replica: Replica,
  options: AnswerOptions,
): SyncReply {
  const own = replica.vector.without(onTheirWay);
  const lacking = own.without(vector);
  const {
    records,
    after: end,
    left,
  } = pageOf(replica, lacking, after, Math.min(bytesMax, options.recordBytesMax));
  const seen = own.size <= options.rangesMax ? own : new VersionVector();
  return { type: 'missing', root: replica.root(), vector: seen, after: end, left, records };
}

/** As many as were asked for, or as the estimated difference asks for; none where that is more than there are. */
function cells({ estimator, from, count }: SyncRequest & { type: 'sketch' }, replica: Replica): SyncReply {
  const { symbols, estimator: own } = replica.sketch;
  const theirs = count === 0 ? DifferenceEstimator.decode(estimator) : null;
  const asked = theirs === null ? count : Sketch.cellsFor(own.estimate(theirs));
  const isTooMany = from + asked > symbols.cells;
  const taken = isTooMany ? new Uint8Array() : symbols.slice(from, asked);
  return { type: 'cells', root: replica.root(), from, cells: taken };
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
  return { type: 'differences', root: replica.root(), answered, differences };
}

function describe(prefix: string, replica: Replica, options: AnswerOptions): Difference {
  const children = replica.trie.count(prefix) < options.idsBelowKeys ? null : replica.trie.children(prefix);
  if (children !== null) return { kind: 'children', prefix, digests: children };
  return { kind: 'entries', prefix, ids: replica.trie.ids(prefix, options.hashesMax) };
}

/**
 * @param wanted null where a record is gone
 * @returns records in the order wanted, as many as fit, at least one; `answered` counts those that are gone as well
 */
export function takeRecords(
  wanted: Iterable<SignedRecord | null>,
  bytesMax: number,
): { readonly taken: readonly SignedRecord[]; readonly answered: number } {
  const taken: SignedRecord[] = [];
  let bytes = 0;
  let answered = 0;
  for (const record of wanted) {
    if (record !== null) {
      if (taken.length > 0 && bytes + record.bytes.length > bytesMax) break;
      taken.push(record);
      bytes += record.bytes.length;
    }
    answered += 1;
  }
  return { taken, answered };
}
