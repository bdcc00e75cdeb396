/**
 * What an operator should be told of members that are turned away for their key. Each refusal is a line of its own, and says what
 * was wrong with one message; three in a minute are somebody who keeps trying, most likely a member with another key, topic or
 * cluster name. That is said once, and again after ten minutes if it goes on.
 */
import type { LatticeEvent } from '../protocol/events.ts';

const REFUSALS = 3;
const WITHIN_MS = 60_000;
const QUIET_MS = 600_000;

export const STRANGERS_HINT =
  'somebody who keeps trying to reach this node has another cluster key, topic or cluster name. If it is a member, give it ours, ' +
  'or see "Changing the cluster key" in docs/OPERATIONS.md; here it is turned away';

export class Strangers {
  #refusedAt: readonly number[] = [];
  #toldAt: number | null = null;

  /** @returns whether it is time to say it */
  note(event: LatticeEvent, at: number): boolean {
    if (event.type !== 'refused' || event.what !== 'peer') return false;
    this.#refusedAt = [...this.#refusedAt, at].slice(-REFUSALS);
    const first = this.#refusedAt[0] ?? at;
    if (this.#refusedAt.length < REFUSALS || at - first > WITHIN_MS) return false;
    if (this.#toldAt !== null && at - this.#toldAt < QUIET_MS) return false;
    this.#toldAt = at;
    return true;
  }
}
