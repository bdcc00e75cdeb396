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

export class EventHeap {
  readonly #entries: Planned[] = [];
  #sequence = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** When the next event is due; Infinity when there is none. */
  get nextAt(): number {
    return this.#entries[0]?.at ?? Infinity;
  }

  push(at: number, run: () => void): Planned {
    const entries = this.#entries;
    const planned = new Planned(at, this.#sequence++, run);
    let child = entries.length;
    entries.push(planned);
    while (child > 0) {
      const parent = (child - 1) >> 2;
      const above = entries[parent];
      if (above === undefined || isBefore(above, planned)) break;
      entries[child] = above;
      child = parent;
    }
    entries[child] = planned;
    return planned;
  }

  pop(): Planned | null {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first === undefined || last === undefined) return null;
    const { length } = entries;
    if (length === 0) return first;
    let hole = 0;
    for (;;) {
      let least = ARITY * hole + 1;
      let below = entries[least];
      if (below === undefined) break;
      const end = Math.min(least + ARITY, length);
      for (let other = least + 1; other < end; other += 1) {
        const candidate = entries[other];
        if (candidate !== undefined && isBefore(candidate, below)) {
          below = candidate;
          least = other;
        }
      }
      if (isBefore(last, below)) break;
      entries[hole] = below;
      hole = least;
    }
    entries[hole] = last;
    return first;
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
