/**
 * A record of ours that a peer has seen and no longer lists was replaced there. When the replacement itself was collected, nothing
 * signed tells us so: only that member's word. A tombstone is let go on one member's word, it is worth nothing any more; a value only
 * when a second member says the same, where there is a second one. A single broken member cannot empty the others.
 */
import type { NodeId, RecordId } from '../ids.ts';

const KEPT_MAX = 10_000;

export class Absences {
  readonly #firstTold = new Map<RecordId, NodeId>();

  /**
   * A member does not list this record although it has seen it.
   *
   * @param members all that are known, this one included
   * @returns whether it may be dropped
   */
  confirm(id: RecordId, by: NodeId, isTombstone: boolean, members: number): boolean {
    if (isTombstone || members < 3) return true;
    const first = this.#firstTold.get(id);
    if (first !== undefined && first !== by) {
      this.#firstTold.delete(id);
      return true;
    }
    if (this.#firstTold.size >= KEPT_MAX) this.#firstTold.clear();
    this.#firstTold.set(id, by);
    return false;
  }
}
