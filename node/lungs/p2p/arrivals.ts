/**
 * Connections that others dialled, some at a time: twenty handshakes in one turn of the event loop keep heartbeats and HTTP waiting behind
 * them, and come all too late. Whoever waits has been answered already, by the private network's nonce, so that it knows to be patient.
 *
 * A turn ends with the handshake, or without it after a while: a stranger that says nothing more keeps nobody waiting for long.
 */
import type { Clock } from '../../ports.ts';

export interface ArrivalsModules {
  readonly clock: Clock;
  /** at least 1 */
  readonly atOnce: () => number;
  /** ms until a turn ends by itself */
  readonly turnMs: () => number;
}

/** Told by who it is; ends with an event. */
export interface Arrival {
  readonly status: string;
  addEventListener(type: 'close', listener: () => void): void;
}

export class Arrivals {
  readonly #modules: ArrivalsModules;
  /** with what ends each turn's time */
  readonly #admitted = new Map<Arrival, () => void>();
  readonly #waiting = new Map<Arrival, () => void>();

  constructor(modules: ArrivalsModules) {
    this.#modules = modules;
  }

  get underWay(): number {
    return this.#admitted.size;
  }

  /** Resolves when it is its turn, or when it is over. */
  async enter(arrival: Arrival): Promise<void> {
    if (arrival.status !== 'open') return;
    arrival.addEventListener('close', () => this.leave(arrival));
    if (this.#admitted.size < this.#modules.atOnce()) return this.#admit(arrival);
    await new Promise<void>((resolve) => this.#waiting.set(arrival, resolve));
  }

  /** Its handshake is over, one way or the other. */
  leave(arrival: Arrival): void {
    this.#waiting.get(arrival)?.();
    this.#waiting.delete(arrival);
    this.#admitted.get(arrival)?.();
    if (!this.#admitted.delete(arrival)) return;
    for (const [next, go] of this.#waiting) {
      if (this.#admitted.size >= this.#modules.atOnce()) return;
      this.#waiting.delete(next);
      this.#admit(next);
      go();
    }
  }

  #admit(arrival: Arrival): void {
    const { clock, turnMs } = this.#modules;
    this.#admitted.set(
      arrival,
      clock.after(turnMs(), () => this.leave(arrival)),
    );
  }
}
