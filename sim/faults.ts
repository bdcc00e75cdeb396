/**
 * Which packets pass now, while several faults are under way at once: a counter per (from, to, lung), so that a path is open again
 * when the last fault that closed it has ended.
 */
import type { LungName } from '../node/protocol/events.ts';
import type { Fate, Rule } from './world.ts';

/** A set of paths: from each of these to each of those, and back unless it is one-way. */
export interface Paths {
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly lungs: readonly LungName[];
  readonly oneWay: boolean;
}

interface Delay {
  readonly paths: Paths;
  readonly fate: Fate;
}

export class Faults {
  readonly #nodes: number;
  readonly #closed: Readonly<Record<LungName, Uint16Array>>;
  readonly #deaf = new Set<number>();
  #delays: readonly Delay[] = [];

  constructor(nodes: number) {
    this.#nodes = nodes;
    this.#closed = { p2p: new Uint16Array(nodes * nodes), http: new Uint16Array(nodes * nodes) };
  }

  readonly isDeaf = (host: number): boolean => this.#deaf.has(host);

  readonly rule: Rule = (from, to, lung) => {
    if ((this.#closed[lung][from * this.#nodes + to] ?? 0) > 0) return 'drop';
    if (this.#delays.length === 0) return 'pass';
    return this.#delays.find(({ paths }) => isOn(paths, from, to, lung))?.fate ?? 'pass';
  };

  /** @returns what ends it, once */
  cut(paths: Paths): () => void {
    this.#count(paths, 1);
    let isOver = false;
    return () => {
      if (!isOver) this.#count(paths, -1);
      isOver = true;
    };
  }

  /** @returns what ends it */
  delay(paths: Paths, afterMs: number): () => void {
    const delay: Delay = { paths, fate: { afterMs } };
    this.#delays = [...this.#delays, delay];
    return () => {
      this.#delays = this.#delays.filter((one) => one !== delay);
    };
  }

  /** This host cannot be asked. @returns what ends it */
  deafen(host: number): () => void {
    this.#deaf.add(host);
    return () => void this.#deaf.delete(host);
  }

  #count({ from, to, lungs, oneWay }: Paths, by: number): void {
    for (const lung of lungs) {
      const closed = this.#closed[lung];
      for (const a of from) {
        for (const b of to) {
          if (a === b) continue;
          const there = a * this.#nodes + b;
          const back = b * this.#nodes + a;
          closed[there] = (closed[there] ?? 0) + by;
          if (!oneWay) closed[back] = (closed[back] ?? 0) + by;
        }
      }
    }
  }
}

function isOn({ from, to, lungs, oneWay }: Paths, a: number, b: number, lung: LungName): boolean {
  if (!lungs.includes(lung)) return false;
  return (from.includes(a) && to.includes(b)) || (!oneWay && from.includes(b) && to.includes(a));
}
