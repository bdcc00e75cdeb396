/**
 * Writes that wait for members (`w=`). Each member has a lane: the records of all writes that wait, in order, one question under
 * way at a time. A lane whose question failed rests before it asks again, so a member that refuses costs a question now and then.
 */
import type { NodeId } from '../ids.ts';
import type { WriteOutcome } from '../border.ts';
import type { SignedRecord } from '../state/record.ts';
import { countThatFits } from './batch.ts';

export interface AcksOptions {
  /** Bytes of records in one question; default 512 KiB, half of what a lung carries in one message. */
  readonly batchBytesMax: number;
  /** Records waiting per member; default 20000. Beyond, the write is not asked for there, and its own time limit ends it. */
  readonly waitingMax: number;
  /** Rest after a question that failed, in ms; default 100, doubling to `restMaxMs`, default 2000. */
  readonly restMs: number;
  readonly restMaxMs: number;
}

export const ACKS_DEFAULTS: AcksOptions = {
  batchBytesMax: 524_288,
  waitingMax: 20_000,
  restMs: 100,
  restMaxMs: 2_000,
};

export interface Waiting {
  /** members that must have it, this one included */
  readonly need: number;
  readonly have: Set<NodeId>;
  /** for the reply */
  readonly written: Extract<WriteOutcome, { readonly ok: true }>['written'];
}

interface Asked {
  readonly record: SignedRecord;
  /** the write that is complete with this record; null within a write of several */
  readonly completes: number | null;
}

interface Lane {
  waiting: Asked[];
  underWay: readonly Asked[] | null;
  notBefore: number;
  /** the next rest, ms */
  restMs: number;
}

export class Acks {
  readonly #options: AcksOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #lanes = new Map<NodeId, Lane>();

  constructor(options: AcksOptions) {
    this.#options = options;
  }

  /** No write waits for a member. */
  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  open(request: number, need: number, self: NodeId, written: Waiting['written']): void {
    this.#waiting.set(request, { need, have: new Set([self]), written });
  }

  /** This member is to be asked for these records. */
  offer(member: NodeId, request: number, records: readonly SignedRecord[]): void {
    const lane = this.#lane(member);
    if (lane.waiting.length + records.length > this.#options.waitingMax) return;
    records.forEach((record, i) => {
      lane.waiting.push({ record, completes: i === records.length - 1 ? request : null });
    });
  }

  /**
   * @param freight what may go to this member in one question
   * @returns the records to ask this member for now, or null
   */
  next(
    member: NodeId,
    now: number,
    freight: { readonly push: number; readonly mayPush: (record: SignedRecord) => boolean },
  ): readonly SignedRecord[] | null {
    const lane = this.#lanes.get(member);
    if (lane === undefined || lane.underWay !== null || now < lane.notBefore) return null;
    // What would not arrive, or not be taken, is not asked for: that write ends by its own time limit, and holds up no other.
    while (lane.waiting[0] !== undefined && !freight.mayPush(lane.waiting[0].record))
      lane.waiting.splice(0, 1 + lane.waiting.findIndex(({ completes }) => completes !== null));
    const bytesMax = Math.min(this.#options.batchBytesMax, freight.push);
    const count = countThatFits(recordsOf(lane.waiting), bytesMax);
    if (count === 0) return null;
    lane.underWay = lane.waiting.splice(0, count);
    return [...recordsOf(lane.underWay)];
  }

  /** All records of the question under way are on that member's disk. @returns writes for which that was the last one needed */
  answered(member: NodeId): readonly { readonly request: number; readonly waiting: Waiting }[] {
    const lane = this.#lanes.get(member);
    const done: { request: number; waiting: Waiting }[] = [];
    for (const { completes } of lane?.underWay ?? []) {
      const waiting = completes === null ? undefined : this.#waiting.get(completes);
      if (completes === null || waiting === undefined) continue;
      waiting.have.add(member);
      if (waiting.have.size < waiting.need) continue;
      this.#waiting.delete(completes);
      done.push({ request: completes, waiting });
    }
    if (lane === undefined) return done;
    lane.underWay = null;
    lane.restMs = this.#options.restMs;
    return done;
  }

  /** The question under way failed, or some of its records were refused: what still waits is asked for again, after a rest. */
  failed(member: NodeId, now: number): void {
    const lane = this.#lanes.get(member);
    if (lane === undefined || lane.underWay === null) return;
    const again = [...lane.underWay, ...lane.waiting];
    lane.waiting = again.filter((_asked, i) => this.#isWaited(again, i));
    lane.underWay = null;
    lane.notBefore = now + lane.restMs;
    lane.restMs = Math.min(2 * lane.restMs, this.#options.restMaxMs);
  }

  /** The time is over. @returns the write, if it still waited */
  expire(request: number): Waiting | null {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    return waiting ?? null;
  }

  forget(member: NodeId): void {
    this.#lanes.delete(member);
  }

  /** Whether the write that this record belongs to still waits: the next one that completes a write says which that is. */
  #isWaited(asked: readonly Asked[], i: number): boolean {
    for (let j = i; j < asked.length; j += 1) {
      const completes = asked[j]?.completes ?? null;
      if (completes !== null) return this.#waiting.has(completes);
    }
    return false;
  }

  #lane(member: NodeId): Lane {
    let lane = this.#lanes.get(member);
    const { restMs } = this.#options;
    if (lane === undefined)
      this.#lanes.set(member, (lane = { waiting: [], underWay: null, notBefore: 0, restMs }));
    return lane;
  }
}

/** Lazily: a lane may be long, and a message takes its beginning. */
function* recordsOf(asked: readonly Asked[]): Generator<SignedRecord, void, undefined> {
  for (const { record } of asked) yield record;
}

/** @param members all that are known, this one included */
export function needOf(demand: number | 'majority' | 'all', members: number): number {
  switch (demand) {
    case 'majority':
      return Math.floor(members / 2) + 1;
    case 'all':
      return members;
    default:
      return demand;
  }
}
