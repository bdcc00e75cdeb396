/**
 * A world in virtual time: hosts, two networks between them, and rules that say what each packet's fate is. One thread, one
 * event heap, one seed: the same seed gives the same run.
 *
 * A cut is a black hole, as with dropped packets: nobody is told, links stay open until somebody gives them up.
 */
import type { LungName } from '../node/protocol/events.ts';
import { EventHeap, type Planned } from './heap.ts';
import { rngOf, type Rng } from './rng.ts';
import { Traffic } from './traffic.ts';
import { Trace } from './trace.ts';

/** `afterMs`: delivered so much later than the lung's own latency. */
export type Fate = 'pass' | 'drop' | { readonly afterMs: number };
/** What happens to a packet now. Hosts are numbered from 0. */
export type Rule = (from: number, to: number, lung: LungName) => Fate;

/** How good the links of one lung are, each packet on its own. */
export interface Quality {
  /** one way, in ms: least and most; what is between is jitter, by which packets overtake one another */
  readonly latencyMs: readonly [number, number];
  /** share of packets that never arrive */
  readonly loss: number;
  /** share of packets that arrive twice */
  readonly duplicate: number;
  /** share of packets that are held up by up to ten times the greatest latency, so that later ones arrive before them */
  readonly reorder: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly quality: Readonly<Record<LungName, Quality>>;
}

const GOOD = { loss: 0, duplicate: 0, reorder: 0 };

export const WORLD_DEFAULTS: Omit<WorldOptions, 'seed'> = {
  quality: { p2p: { latencyMs: [0.3, 2], ...GOOD }, http: { latencyMs: [0.5, 4], ...GOOD } },
};

const REORDER_FACTOR = 10;

export class World {
  readonly rng: Rng;
  readonly traffic = new Traffic();
  readonly trace = new Trace();
  readonly #quality: Readonly<Record<LungName, Quality>>;
  readonly #heap = new EventHeap();
  #now = 0;
  #steps = 0;
  #isHalted = false;
  rule: Rule = () => 'pass';
  /** a host to which nobody can open a connection; its own, and what comes back over them, pass */
  isDeaf: (host: number) => boolean = () => false;

  constructor(options: WorldOptions) {
    this.#quality = options.quality;
    this.rng = rngOf(options.seed);
  }

  /** virtual ms since the world began */
  get now(): number {
    return this.#now;
  }

  /** events that have happened */
  get steps(): number {
    return this.#steps;
  }

  /** Over everything noted so far: equal hashes, equal runs. */
  get traceHash(): string {
    return this.trace.hash();
  }

  /** Nothing happens any more: a check has failed, and what follows proves nothing. */
  get isHalted(): boolean {
    return this.#isHalted;
  }

  halt(): void {
    this.#isHalted = true;
  }

  note(what: string): void {
    this.trace.text(this.#now, what);
  }

  after(ms: number, run: () => void): Planned {
    return this.#heap.push(this.#now + (ms > 0 ? ms : 0), run);
  }

  passes(from: number, to: number, lung: LungName): boolean {
    return this.rule(from, to, lung) !== 'drop';
  }

  /** A question that opens a connection: answers go over it by `send`. */
  request(from: number, to: number, lung: LungName, deliver: () => void): void {
    if (!this.isDeaf(to)) this.send(from, to, lung, deliver);
  }

  /** Delivers after the lung's latency, once or twice or never, as the rule and the quality of the lung have it. */
  send(from: number, to: number, lung: LungName, deliver: () => void): void {
    const fate = this.rule(from, to, lung);
    if (fate === 'drop') return;
    const quality = this.#quality[lung];
    if (quality.loss > 0 && this.rng() < quality.loss) return;
    const extraMs = fate === 'pass' ? 0 : fate.afterMs;
    this.after(extraMs + this.#latency(quality), deliver);
    if (quality.duplicate > 0 && this.rng() < quality.duplicate)
      this.after(extraMs + this.#latency(quality), deliver);
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
    while (!this.#isHalted) {
      if (this.#heap.nextAt > at) {
        this.#now = Math.max(this.#now, at);
        return condition();
      }
      const event = this.#heap.pop();
      if (event === null) return condition();
      if (event.run === null) continue;
      this.#now = event.at;
      this.#steps += 1;
      event.run();
      if (condition()) return true;
    }
    return false;
  }

  /** The same with a condition that costs something, looked at every `everyMs` of virtual time. */
  pollUntil(condition: () => boolean, at: number, everyMs: number): boolean {
    while (!this.#isHalted) {
      if (condition()) return true;
      if (this.#now >= at) return false;
      this.runTo(Math.min(at, this.#now + everyMs));
    }
    return false;
  }

  #latency({ latencyMs: [least, most], reorder }: Quality): number {
    const ms = least + (most - least) * this.rng();
    return reorder > 0 && this.rng() < reorder ? ms + REORDER_FACTOR * most * this.rng() : ms;
  }
}
