/**
 * A world in virtual time: hosts, two networks between them, and rules that say what each packet's fate is. One thread, one
 * event heap, one seed: the same seed gives the same run.
 *
 * A cut is a black hole, as with dropped packets: nobody is told, links stay open until somebody gives them up.
 */
import { hash } from 'node:crypto';
import type { LungName } from '../node/protocol/events.ts';
import { EventHeap } from './heap.ts';
import { rngOf, type Rng } from './rng.ts';

type Fate = 'pass' | 'drop';
/** What happens to a packet now. Hosts are numbered from 0. */
export type Rule = (from: number, to: number, lung: LungName) => Fate;

export interface WorldOptions {
  readonly seed: number;
  /** one way, in ms: least and most */
  readonly latencyMs: Readonly<Record<LungName, readonly [number, number]>>;
}

export const WORLD_DEFAULTS: Omit<WorldOptions, 'seed'> = { latencyMs: { p2p: [0.3, 2], http: [0.5, 4] } };

export class World {
  readonly rng: Rng;
  readonly #options: WorldOptions;
  readonly #heap = new EventHeap();
  #now = 0;
  #steps = 0;
  #trace = '';
  rule: Rule = () => 'pass';

  constructor(options: WorldOptions) {
    this.#options = options;
    this.rng = rngOf(options.seed);
  }

  /** virtual ms since the world began */
  get now(): number {
    return this.#now;
  }

  get steps(): number {
    return this.#steps;
  }

  /** SHA-256 over everything noted so far: equal hashes, equal runs. */
  get traceHash(): string {
    return this.#trace;
  }

  note(what: string): void {
    this.#trace = hash('sha256', `${this.#trace}\n${this.#now.toFixed(3)} ${what}`, 'hex');
  }

  after(ms: number, run: () => void): () => void {
    let isCancelled = false;
    this.#heap.push(this.#now + Math.max(0, ms), () => {
      if (!isCancelled) run();
    });
    return () => {
      isCancelled = true;
    };
  }

  passes(from: number, to: number, lung: LungName): boolean {
    return this.rule(from, to, lung) === 'pass';
  }

  /** Delivers after the lung's latency, unless the rule drops it now. */
  send(from: number, to: number, lung: LungName, deliver: () => void): void {
    if (!this.passes(from, to, lung)) return;
    const [least, most] = this.#options.latencyMs[lung];
    this.after(least + (most - least) * this.rng(), deliver);
  }

  /** Runs until this virtual time. */
  runTo(at: number): void {
    this.runUntil(() => false, at);
  }

  /**
   * Runs until the condition holds, checked after every event, or the virtual time is over.
   * @returns whether it held
   */
  runUntil(condition: () => boolean, at: number): boolean {
    for (;;) {
      const event = this.#heap.pop();
      if (event === null) return condition();
      if (event.at > at) {
        this.#heap.push(event.at, event.run);
        this.#now = at;
        return condition();
      }
      this.#now = event.at;
      this.#steps += 1;
      event.run();
      if (condition()) return true;
    }
  }
}
