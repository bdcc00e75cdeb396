/**
 * Pushes: fresh records for members that gossip does not reach, one message under way per member. What comes meanwhile
 * waits for the answer, so that a slow or dead member costs one exchange and a bounded queue; what overflows or fails is
 * left to anti-entropy.
 */
import type { NodeId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';
import { WaitingRecords } from './waiting.ts';

export interface PushesOptions {
  /** Bytes of records in one push; default 512 KiB, half of what a lung carries in one message. */
  readonly batchBytesMax: number;
  /** Records waiting per member; default 5000. */
  readonly waitingMax: number;
  /** Their bytes at most; default 4 MiB. */
  readonly waitingBytesMax: number;
}

export const PUSHES_DEFAULTS: PushesOptions = {
  batchBytesMax: 524_288,
  waitingMax: 5_000,
  waitingBytesMax: 4_194_304,
};

interface Lane {
  readonly waiting: WaitingRecords;
  underWay: boolean;
}

export class Pushes {
  readonly #options: PushesOptions;
  readonly #lanes = new Map<NodeId, Lane>();

  constructor(options: PushesOptions) {
    this.#options = options;
  }

  /**
   * @param bytesMax of records in one push to this member, if that is less than usual
   * @returns the records to push now, or null while an earlier push is under way
   */
  offer(peer: NodeId, records: readonly SignedRecord[], bytesMax: number): readonly SignedRecord[] | null {
    let lane = this.#lanes.get(peer);
    if (lane === undefined)
      this.#lanes.set(peer, (lane = { waiting: new WaitingRecords(this.#options), underWay: false }));
    lane.waiting.push(records);
    return lane.underWay ? null : this.#take(lane, bytesMax);
  }

  /** The push under way was answered. @returns the next one, or null when nothing waits */
  answered(peer: NodeId, bytesMax: number): readonly SignedRecord[] | null {
    const lane = this.#lanes.get(peer);
    if (lane === undefined) return null;
    lane.underWay = false;
    return this.#take(lane, bytesMax);
  }

  /** The push under way failed, or this member is served otherwise now. */
  drop(peer: NodeId): void {
    this.#lanes.delete(peer);
  }

  #take(lane: Lane, bytesMax: number): readonly SignedRecord[] | null {
    if (lane.waiting.length === 0) return null;
    lane.underWay = true;
    const { batchBytesMax } = this.#options;
    return lane.waiting.take(Math.min(batchBytesMax, bytesMax));
  }
}
