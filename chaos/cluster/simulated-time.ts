/**
 * Virtual time for code that awaits: whoever waits is woken by an event of the world, and the world goes on only when all
 * that can be done in this moment is done. The same code thus plays in real and in virtual time, and the same seed gives
 * the same run.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { EPOCH_MS } from '../../sim/host.ts';
import type { World } from '../../sim/world.ts';
import type { Time } from './time.ts';

/** The world runs on for so long while nobody is woken, in virtual ms; then others get a turn. */
const STRETCH_MS = 1_000;

export class VirtualTime implements Time {
  readonly #world: World;
  #isEnded = false;
  #isWoken = false;

  constructor(world: World) {
    this.#world = world;
  }

  now(): number {
    return this.#world.now;
  }

  epochMs(): number {
    return EPOCH_MS + Math.floor(this.#world.now);
  }

  wait(ms: number): Promise<void> {
    return this.happening((done) => void this.#world.after(ms, done));
  }

  /** Resolves with what an event of the world brings. */
  happening<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve) =>
      begin((value) => {
        this.#isWoken = true;
        resolve(value);
      }),
    );
  }

  /** Lets time pass until the end. Rejects where an event throws. */
  async pass(): Promise<void> {
    while (!this.#isEnded) {
      // Every promise that was resolved is followed up before the next event.
      await turn();
      this.#isWoken = false;
      this.#world.runUntil(() => this.#isWoken || this.#isEnded, this.#world.now + STRETCH_MS);
    }
  }

  end(): void {
    this.#isEnded = true;
  }
}
