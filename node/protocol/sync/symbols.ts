/**
 * The rung for what version vectors cannot explain (a hole, a restored backup, a damaged disk, an equivocating author): the peer
 * sends coded symbols of its set of records, as many as an estimate of the difference asks for, and what is left of them
 * when ours are taken out are the short ids of exactly the records that one side lacks. Some 15 bytes a difference, one round
 * trip, two when the estimate was low; undecodable now and then, so the descent stands behind it.
 *
 * @see Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024
 */
import type { Digest } from '../ids.ts';
import type { Replica } from '../state/replica.ts';
import { CELL_BYTES } from '../state/sketch/coded-symbols.ts';
import { Decoder } from '../state/sketch/decoder.ts';
import type { SyncReply, SyncRequest } from './messages.ts';
import type { Transfers } from './transfers.ts';

/** Cells asked for when the first ones did not decode: half as many again, at least so many. */
const MORE_MIN = 16;

export class Symbols {
  readonly #transfers: Transfers;
  #decoder: Decoder | null = null;
  #received = 0;
  /** of the peer, with the first cells: cells of another state would not fit to them */
  #root: Digest | null = null;
  /** cells asked for; 0 leaves it to the peer, null asks nothing */
  #asked: number | null = null;
  /** why the descent has to take over, once it is known */
  failure: string | null = null;
  isDecoded = false;

  constructor(transfers: Transfers) {
    this.#transfers = transfers;
  }

  next(replica: Replica): SyncRequest | null {
    if (this.isDecoded || this.failure !== null) return null;
    const { estimator, symbols } = replica.sketch;
    const more = Math.max(MORE_MIN, Math.ceil(this.#received / 2));
    const count = this.#received === 0 ? 0 : Math.min(more, symbols.cells - this.#received);
    if (this.#received > 0 && count === 0) {
      this.failure = 'symbols_exhausted';
      return null;
    }
    this.#asked = count;
    return {
      type: 'sketch',
      root: replica.root(),
      estimator: this.#received === 0 ? estimator.encode() : new Uint8Array(),
      from: this.#received,
      count,
    };
  }

  /** @returns what is wrong with the reply; null when nothing is */
  take(reply: SyncReply, replica: Replica): string | null {
    const asked = this.#asked;
    this.#asked = null;
    if (asked === null || reply.type !== 'cells') return 'wrong_reply_type';
    const { symbols } = replica.sketch;
    const count = reply.cells.length / CELL_BYTES;
    // Fewer than asked for, again and again, would cost us a pass over all that was found each time.
    if (reply.from !== this.#received || (asked > 0 && count > 0 && count !== asked)) return 'wrong_cells';
    if (count === 0 || reply.from + count > symbols.cells) {
      this.failure = 'too_many_differences';
      return null;
    }
    if (this.#root !== null && reply.root !== this.#root) {
      this.failure = 'symbols_moved';
      return null;
    }
    this.#root = reply.root;
    this.#decoder ??= new Decoder(symbols);
    this.#decoder.add(reply.cells);
    this.#received += count;
    if (this.#decoder.isDone) this.#sort(this.#decoder, replica);
    else if (this.#decoder.isStuck) this.failure = 'symbols_did_not_decode';
    return null;
  }

  #sort(decoder: Decoder, replica: Replica): void {
    const shorts = decoder.differences();
    this.isDecoded = true;
    // Equal symbols of unlike states: two records whose short ids are equal.
    if (shorts.length === 0) this.failure = 'symbols_show_nothing';
    for (const short of shorts) {
      const [ours] = replica.ofShort(short);
      if (ours === undefined) this.#transfers.listTheirsShort(short);
      else this.#transfers.listOurs(ours.id);
    }
  }
}
