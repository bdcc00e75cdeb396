/**
 * Writes that wait for members (`w=`): who has each one on disk, how many are needed, and what to answer when the time is over.
 * Any number of writes may wait; each costs a set of names until it is answered.
 */
import type { NodeId } from '../ids.ts';
import type { SignedRecord } from '../state/record.ts';

export interface Waiting {
  readonly request: number;
  readonly records: readonly SignedRecord[];
  /** members that must have it, this one included */
  readonly need: number;
  readonly have: Set<NodeId>;
}

export class Acks {
  readonly #waiting = new Map<number, Waiting>();

  open(request: number, records: readonly SignedRecord[], need: number, self: NodeId): Waiting {
    const waiting = { request, records, need, have: new Set([self]) };
    this.#waiting.set(request, waiting);
    return waiting;
  }

  get(request: number): Waiting | null {
    return this.#waiting.get(request) ?? null;
  }

  /** This member has it on disk. @returns the write when that was the last one needed; it waits no more */
  acknowledge(request: number, member: NodeId): Waiting | null {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) return null;
    waiting.have.add(member);
    if (waiting.have.size < waiting.need) return null;
    this.#waiting.delete(request);
    return waiting;
  }

  /** The time is over. @returns the write, if it still waited */
  expire(request: number): Waiting | null {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    return waiting ?? null;
  }
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
