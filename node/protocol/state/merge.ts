/**
 * Which records of a key live: those that no other covers. Several are a conflict; all replicas show the same winner.
 *
 * A context says, per author, up to which of that author's writes of this key its record replaces. Since contexts are
 * transitively closed, a record that was replaced long ago stays replaced by whatever replaced its replacement, and
 * the live set is the same in whatever order, and however often, the records arrive.
 *
 * @see Preguiça, Baquero, Almeida, Fonte, Gonçalves: Dotted Version Vectors, 2010, arXiv:1011.5808
 */
import { compareStamps } from './clock.ts';
import type { Dot, SignedRecord } from './record.ts';

export interface Merged {
  /** `known`: it lives here already; `covered`: something here replaces it */
  readonly outcome: 'fresh' | 'known' | 'covered';
  /** greatest first, so the winner is the first */
  readonly live: readonly SignedRecord[];
  readonly removed: readonly SignedRecord[];
}

/** @param live the live records of the incoming record's key, in any order */
export function mergeKey(live: readonly SignedRecord[], incoming: SignedRecord): Merged {
  if (live.some((record) => record.id === incoming.id)) return { outcome: 'known', live, removed: [] };
  if (live.some((record) => isCovered(incoming, record))) return { outcome: 'covered', live, removed: [] };
  const removed = live.filter((record) => isCovered(record, incoming));
  const kept = live.filter((record) => !removed.includes(record));
  return { outcome: 'fresh', live: [...kept, incoming].sort((a, b) => compareRecords(b, a)), removed };
}

/**
 * Whether `by` replaces `record`. An honest writer's stamp is greater than all it had seen, so asking for that changes
 * nothing among honest nodes; it keeps a forged context from replacing writes that its author could not know, and two
 * records from covering each other.
 */
export function isCovered(record: SignedRecord, by: SignedRecord): boolean {
  return knows(by, record) && compareStamps(by.stamp, record.stamp) > 0;
}

/** Whether `by` says that it replaces `record`. */
export function knows({ context }: SignedRecord, { dot: { author, sequence } }: SignedRecord): boolean {
  const entry = context.find((dot) => dot.author === author);
  return entry !== undefined && entry.sequence >= sequence;
}

/** The record that every replica shows: the greatest by stamp, then author, then id. Null when there is none. */
export function winnerOf(live: readonly SignedRecord[]): SignedRecord | null {
  let winner: SignedRecord | null = null;
  for (const record of live) if (winner === null || compareRecords(record, winner) > 0) winner = record;
  return winner;
}

/** What a write that knows these records replaces: the join of their contexts and dots, sorted by author. */
export function contextOf(live: readonly SignedRecord[]): readonly Dot[] {
  const greatest = new Map<Dot['author'], Dot>();
  for (const record of live) {
    for (const dot of [...record.context, record.dot]) {
      const known = greatest.get(dot.author);
      if (known === undefined || known.sequence < dot.sequence) greatest.set(dot.author, dot);
    }
  }
  return [...greatest.values()].sort((a, b) => compareTexts(a.author, b.author));
}

export function compareRecords(a: SignedRecord, b: SignedRecord): number {
  return (
    compareStamps(a.stamp, b.stamp) || compareTexts(a.dot.author, b.dot.author) || compareTexts(a.id, b.id)
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
