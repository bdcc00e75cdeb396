/**
 * Every record that some disk of the world has, once: a thousand hosts that hold it packed show this one object instead of making
 * one each. What is shown is bit by bit what they hold, or they make their own (record-store.ts).
 */
import type { NodeId } from '../node/protocol/ids.ts';
import type { AtHand } from '../node/protocol/state/record-store.ts';
import type { SignedRecord } from '../node/protocol/state/record.ts';

export class RecordsAtHand {
  readonly #byAuthor = new Map<NodeId, Map<number, SignedRecord>>();

  /** Of two records of one dot the first stays. */
  add(record: SignedRecord): void {
    const { author, sequence } = record.dot;
    let own = this.#byAuthor.get(author);
    if (own === undefined) this.#byAuthor.set(author, (own = new Map()));
    if (!own.has(sequence)) own.set(sequence, record);
  }

  readonly find: AtHand = ({ author, sequence }) => this.#byAuthor.get(author)?.get(sequence) ?? null;
}
