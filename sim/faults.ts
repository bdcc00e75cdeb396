/**
 * Which packets pass now, while several faults are under way at once: a path is open again when the last fault that closed it has
 * ended.
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

/** A cut under way: who is on which side, by host. */
interface Cut {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly oneWay: boolean;
}

interface Delay {
  readonly paths: Paths;
  readonly fate: Fate;
}

export class Faults {
  readonly #nodes: number;
  /** few at a time, and asked for every packet: what is asked is small, or a large world would wait for its memory */
  readonly #cuts: Record<LungName, readonly Cut[]> = { p2p: [], http: [] };
  readonly #deaf = new Set<number>();
  #delays: readonly Delay[] = [];

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  readonly isDeaf = (host: number): boolean => this.#deaf.has(host);

  readonly rule: Rule = (from, to, lung) => {
    for (const cut of this.#cuts[lung]) if (isClosed(cut, from, to)) return 'drop';
    for (const { paths, fate } of this.#delays) if (isOn(paths, from, to, lung)) return fate;
    return 'pass';
  };

  /** @returns what ends it, once */
  cut(paths: Paths): () => void {
    const { lungs, oneWay } = paths;
    const cut = { from: this.#members(paths.from), to: this.#members(paths.to), oneWay };
    for (const lung of lungs) this.#cuts[lung] = [...this.#cuts[lung], cut];
    return () => {
      for (const lung of lungs) this.#cuts[lung] = this.#cuts[lung].filter((one) => one !== cut);
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

  #members(hosts: readonly number[]): Uint8Array {
    const members = new Uint8Array(this.#nodes);
    for (const host of hosts) members[host] = 1;
    return members;
  }
}

function isClosed({ from, to, oneWay }: Cut, a: number, b: number): boolean {
  return (from[a] === 1 && to[b] === 1) || (!oneWay && from[b] === 1 && to[a] === 1);
}

function isOn({ from, to, lungs, oneWay }: Paths, a: number, b: number, lung: LungName): boolean {
  if (!lungs.includes(lung)) return false;
  return (from.includes(a) && to.includes(b)) || (!oneWay && from.includes(b) && to.includes(a));
}
