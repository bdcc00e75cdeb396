/**
 * The records that a rung of the ladder found on one side only: those of the peer are asked for, ours are pushed, as many in one
 * transfer as its limits allow.
 *
 * A record of ours that the peer had seen and has replaced (`covered`) was replaced by something that it lists, or by a tombstone that
 * was collected. What of it still lives here when the session ends is for the caller to judge.
 */
import type { RecordId } from '../ids.ts';
import type { Replica } from '../state/replica.ts';
import { RECORD_LIMITS, type SignedRecord } from '../state/record.ts';
import type { ShortId } from '../state/sketch/short-id.ts';
import { takeRecords } from './answer.ts';
import { ALL_FREIGHT, type Freight } from './freight.ts';
import type { SyncReply, SyncRequest } from './messages.ts';

export interface TransferLimits {
  /** Ids wanted in one transfer; default 8192, a request of 256 KiB. */
  readonly wantMax: number;
  /** Bytes of records pushed in one transfer; default 512 KiB, some 2,000 records: the peer verifies them before it answers. */
  readonly pushBytesMax: number;
}

export class Transfers {
  readonly #limits: TransferLimits;
  readonly #freight: Freight;
  #want: RecordId[] = [];
  #wantShort: ShortId[] = [];
  #push: RecordId[] = [];
  readonly #listed = new Set<RecordId>();
  /** what the transfer under way asks for, to be cut off the lists by its reply */
  #asking: {
    readonly want: number;
    readonly short: number;
    readonly push: number;
    readonly records: readonly SignedRecord[];
  } | null = null;
  /** something wanted did not come, or was not taken: then what is absent may have a successor that we do not have */
  hasGaps = false;
  /** live here, seen by the peer and replaced there */
  readonly absent: RecordId[] = [];
  pulled = 0;
  pushed = 0;

  constructor(limits: TransferLimits, freight: Freight) {
    this.#limits = limits;
    this.#freight = freight;
  }

  /** The peer lists a record that we do not have. */
  listTheirs(id: RecordId): void {
    if (this.#isNew(id)) this.#want.push(id);
  }

  /** The peer has a record of which only the short id is known. */
  listTheirsShort(short: ShortId): void {
    this.#wantShort.push(short);
  }

  /** The peer does not list a record that we have. */
  listOurs(id: RecordId): void {
    if (this.#isNew(id)) this.#push.push(id);
  }

  /** A transfer is under way. */
  get isAsking(): boolean {
    return this.#asking !== null;
  }

  get #isEmpty(): boolean {
    return this.#want.length + this.#wantShort.length + this.#push.length === 0;
  }

  /** @returns null when nothing is left to ask for or to send */
  next(replica: Replica): (SyncRequest & { type: 'transfer' }) | null {
    this.#withhold(replica);
    if (this.#isEmpty) return null;
    const { pull, push: pushMax } = this.#freight;
    // How long the wanted records are nobody knows: where replies are kept short, each may be of the longest.
    const isShort = pull < ALL_FREIGHT.pull;
    const wantMax = isShort
      ? Math.max(1, Math.min(this.#limits.wantMax, Math.floor(pull / RECORD_LIMITS.valueBytesMax)))
      : this.#limits.wantMax;
    const want = this.#want.slice(0, wantMax);
    const wantShort = this.#wantShort.slice(0, wantMax - want.length);
    const bytesMax = Math.min(this.#limits.pushBytesMax, pushMax);
    const { taken: records, answered: push } = takeRecords(recordsIn(this.#push, replica), bytesMax);
    this.#asking = { want: want.length, short: wantShort.length, push, records };
    return { type: 'transfer', root: replica.root(), want, wantShort, records };
  }

  /** @returns what is wrong with the reply; null when nothing is */
  take(reply: SyncReply): string | null {
    const asking = this.#asking;
    this.#asking = null;
    if (asking === null || reply.type !== 'transferred') return 'wrong_reply_type';
    const { answered, records, covered } = reply;
    const wanted = asking.want + asking.short;
    if (answered > wanted || records.length > answered) return 'wrong_answered_count';
    if (wanted > 0 && answered === 0) return 'no_progress';
    const ofIds = Math.min(answered, asking.want);
    this.#want.splice(0, ofIds);
    this.#wantShort.splice(0, answered - ofIds);
    this.#push.splice(0, asking.push);
    this.pulled += records.length;
    this.pushed += asking.records.length - covered.length;
    if (records.length < answered) this.hasGaps = true;
    for (const position of covered) {
      const record = asking.records[position];
      if (record === undefined) return 'wrong_covered_position';
      this.absent.push(record.id);
    }
    return null;
  }

  /** What would not arrive, or not be taken, is left for another session. */
  #withhold(replica: Replica): void {
    const { isUnwanted, isUnwantedShort, mayPush } = this.#freight;
    const before = this.#want.length + this.#wantShort.length + this.#push.length;
    this.#want = this.#want.filter((id) => !isUnwanted(id));
    this.#wantShort = this.#wantShort.filter((short) => !isUnwantedShort(short));
    this.#push = this.#push.filter((id) => {
      const record = replica.record(id);
      return record === null || mayPush(record);
    });
    if (this.#want.length + this.#wantShort.length + this.#push.length < before) this.hasGaps = true;
  }

  #isNew(id: RecordId): boolean {
    if (this.#listed.has(id)) return false;
    this.#listed.add(id);
    return true;
  }
}

function* recordsIn(
  ids: readonly RecordId[],
  replica: Replica,
): Generator<SignedRecord | null, void, undefined> {
  for (const id of ids) yield replica.record(id);
}
