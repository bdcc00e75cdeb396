/**
 * A history as a reader sees it: per node what it said of itself and which root it had, when which fault was on, and how
 * long each acknowledged write took to be readable everywhere. Taken line by line, so that a long run fits.
 */

/** `down`: it did not answer */
export type LaneMode = 'P2P' | 'HTTP' | 'NONE' | 'down';

/** From here on, until the next one. */
export interface Change<T> {
  readonly at: number;
  readonly value: T;
}

export interface Lane {
  readonly node: string;
  readonly modes: readonly Change<LaneMode>[];
  /** '' while nobody knows */
  readonly roots: readonly Change<string>[];
}

/** A fault while it is on. */
export interface Band {
  readonly from: number;
  /** null: it was never lifted */
  readonly to: number | null;
  readonly label: string;
  /** whom it strikes; empty: everybody */
  readonly nodes: readonly string[];
}

export interface Write {
  readonly key: string;
  readonly node: string;
  readonly ackedAt: number;
  /** acknowledged → readable on every node that was asked; null: on some it never was */
  readonly tookMs: number | null;
}

export interface Mark {
  readonly at: number;
  readonly label: string;
  readonly node: string;
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly Lane[];
  readonly bands: readonly Band[];
  readonly marks: readonly Mark[];
  readonly writes: readonly Write[];
}

/** @returns the value that holds at this time; null before the first */
export function valueAt<T>(changes: readonly Change<T>[], at: number): T | null {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1]?.value ?? null;
}
