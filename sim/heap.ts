/**
 * The world's future: events ordered by time, then by the order in which they were planned. A 4-ary heap: half the levels of a
 * binary one, and a pop compares neighbours in memory; a world of 2000 nodes takes some thirty million events.
 */

/** Something planned. What was cancelled stays in the heap, empty, until its time has come. */
export class Planned {
  readonly at: number;
  readonly sequence: number;
  run: (() => void) | null;

  constructor(at: number, sequence: number, run: () => void) {
    this.at = at;
    this.sequence = sequence;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }
}

const ARITY = 4;
const ROOM_MIN = 1_024;

export class EventHeap {
  readonly #entries: Planned[] = [];
  /** of the entries, in the same order: what is compared lies together, and the entries themselves may be anywhere */
  #times = new Float64Array(ROOM_MIN);
  #sequence = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** When the next event is due; Infinity when there is none. */
  get nextAt(): number {
    return this.#entries.length === 0 ? Infinity : (this.#times[0] ?? Infinity);
  }

  push(at: number, run: () => void): Planned {
    const entries = this.#entries;
    const planned = new Planned(at, this.#sequence++, run);
    let child = entries.length;
    entries.push(planned);
    if (child >= this.#times.length) this.#grow();
    const times = this.#times;
    while (child > 0) {
      const parent = (child - 1) >> 2;
      const above = times[parent] ?? 0;
      const entry = entries[parent];
      // The new one has the greatest sequence.
      if (entry === undefined || above <= at) break;
      entries[child] = entry;
      times[child] = above;
      child = parent;
    }
    entries[child] = planned;
    times[child] = at;
    return planned;
  }

  pop(): Planned | null {
    const entries = this.#entries;
    const times = this.#times;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined) return null;
    const { length } = entries;
    if (length === 0) return first;
    const { at } = last;
    let hole = 0;
    for (;;) {
      let least = ARITY * hole + 1;
      if (least >= length) break;
      let below = times[least] ?? 0;
      const end = Math.min(least + ARITY, length);
      for (let other = least + 1; other < end; other += 1) {
        const time = times[other] ?? 0;
        if (time < below || (time === below && this.#isBefore(other, least))) {
          below = time;
          least = other;
        }
      }
      const entry = entries[least];
      if (entry === undefined || at < below || (at === below && last.sequence < entry.sequence)) break;
      entries[hole] = entry;
      times[hole] = below;
      hole = least;
    }
    entries[hole] = last;
    times[hole] = at;
    return first;
  }

  /** Of two due at one time. */
  #isBefore(a: number, b: number): boolean {
    return (this.#entries[a]?.sequence ?? 0) < (this.#entries[b]?.sequence ?? 0);
  }

  #grow(): void {
    const grown = new Float64Array(2 * this.#times.length);
    grown.set(this.#times);
    this.#times = grown;
  }
}
