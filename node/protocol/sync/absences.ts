/**
 * A record of ours that a peer has seen and no longer lists was replaced there. When the replacement itself was collected, nothing
 * signed tells us so: only that member's word. Enough is
 *
 *   for a tombstone                    one word: it is worth nothing any more
 *   for the teller's own record        one word: who could write it anew may let it go
 *   where there is no second witness   one word
 *   else                               a second member's word, or the same member's for a whole minute
 *
 * so a single broken member cannot empty the others at a stroke, and two restored ones cannot keep a deleted value for ever.
 */
import type { NodeId, RecordId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';

export interface AbsencesOptions {
  /** How long one member must say the same, in ms. Default 60000. */
  readonly patienceMs: number;
  /** Records remembered; default 100000, some 20 MB. Beyond, the rest has to wait for its turn. */
  readonly keptMax: number;
}

export const ABSENCES_DEFAULTS: AbsencesOptions = { patienceMs: 60_000, keptMax: 100_000 };

/** After this many times the patience without a word nobody says it any more. */
const STALE = 10;

export class Absences {
  readonly #options: AbsencesOptions;
  readonly #told = new Map<RecordId, { readonly by: NodeId; readonly since: number }>();

  constructor(options: AbsencesOptions) {
    this.#options = options;
  }

  /**
   * A member does not list this record although it has seen it.
   *
   * @param members all that are known, this one included
   * @param now ms, monotonic
   * @returns whether it may be dropped
   */
  confirm(record: SignedRecord, by: NodeId, members: number, now: number): boolean {
    if (record.value === null || record.dot.author === by || members < 3) return true;
    const told = this.#told.get(record.id);
    if (told !== undefined && (told.by !== by || now - told.since >= this.#options.patienceMs)) {
      this.#told.delete(record.id);
      return true;
    }
    if (told === undefined && this.#hasRoom(now)) this.#told.set(record.id, { by, since: now });
    return false;
  }

  /** Entries come in the order of their time, so the stale ones are in front. */
  #hasRoom(now: number): boolean {
    for (const [id, { since }] of this.#told) {
      if (now - since < STALE * this.#options.patienceMs) break;
      this.#told.delete(id);
    }
    return this.#told.size < this.#options.keptMax;
  }
}
