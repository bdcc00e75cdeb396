/**
 * How large the state may grow, so that nobody who writes or tells can take more memory than the node has. A crude bound over all
 * records, whoever their author is. What was stored before is never turned away: it is loaded whatever the bound.
 */

/** Beyond the bound, what replaces something may still grow by this share of it: new values of known keys are taken a little longer. */
const REPLACING_SHARE = 1 / 32;
/** What was refused is asked for again once this share is free, or each record that goes would bring all the others anew. */
const ROOMY_SHARE = 1 / 16;

export class Room {
  /** bytes; Infinity: no bound */
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** @param isReplacing whether it takes the place of something, by which the growth is less already */
  mayGrow(bytes: number, growth: number, isReplacing: boolean): boolean {
    if (growth <= 0) return true;
    return bytes + growth <= this.bytesMax * (isReplacing ? 1 + REPLACING_SHARE : 1);
  }

  isRoomy(bytes: number): boolean {
    return bytes <= this.bytesMax * (1 - ROOMY_SHARE);
  }
}
