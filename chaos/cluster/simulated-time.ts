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
  #failure: Error | null = null;
  readonly #waiting = new Set<(reason: Error) => void>();

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

  /** Resolves with what an event of the world brings; rejects where the world has failed. */
  happening<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.add(reject);
      begin((value) => {
        this.#isWoken = true;
        this.#waiting.delete(reject);
        resolve(value);
      });
    });
  }

  /** As `happening`; null where nothing has happened in time. */
  async within<T>(ms: number, begin: (done: (value: T) => void) => void): Promise<T | null> {
    return this.happening<T | null>((done) => {
      begin(done);
      this.#world.after(ms, () => done(null));
    });
  }

  /** Lets time pass until the end. Where an event throws, all who wait are told. @returns what was thrown; null: nothing */
  async pass(): Promise<Error | null> {
    while (!this.#isEnded) {
      // Every promise that was resolved is followed up before the next event.
      await turn();
      this.#isWoken = false;
      try {
        this.#world.runUntil(() => this.#isWoken || this.#isEnded, this.#world.now + STRETCH_MS);
      } catch (error) {
        return this.#fail(
          error instanceof Error ? error : new Error('the simulator failed', { cause: error }),
        );
      }
    }
    return null;
  }

  #fail(failure: Error): Error {
    this.#failure = failure;
    for (const reject of this.#waiting) reject(failure);
    return failure;
  }

  end(): void {
    this.#isEnded = true;
  }
}
