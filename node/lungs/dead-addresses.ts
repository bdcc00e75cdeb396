/**
 * Configured addresses at which nobody answers: told once when that has lasted, and once when somebody answers again, so that a
 * member that moved, or a misspelt name, is a line in the log and not only a peer too few.
 */
import type { Clock, Logger } from '../ports.ts';

/** Longer than members take to start together on a machine that is not too small. */
const PATIENCE_MS = 15_000;

export class DeadAddresses {
  readonly #modules: { readonly clock: Clock; readonly logger: Logger };
  readonly #tag: string;
  readonly #failing = new Map<string, { readonly since: number; isTold: boolean }>();

  constructor(modules: { readonly clock: Clock; readonly logger: Logger }, tag: string) {
    this.#modules = modules;
    this.#tag = tag;
  }

  failed(address: string, reason: string): void {
    const now = this.#modules.clock.monotonicMs();
    const known = this.#failing.get(address);
    if (known === undefined) this.#failing.set(address, { since: now, isTold: false });
    else if (!known.isTold && now - known.since >= PATIENCE_MS) {
      known.isTold = true;
      const fields = { tag: this.#tag, address, reason };
      this.#modules.logger.warn('nobody answers at a configured address', fields);
    }
  }

  answered(address: string): void {
    const known = this.#failing.get(address);
    this.#failing.delete(address);
    if (known?.isTold === true)
      this.#modules.logger.info('a configured address answers again', { tag: this.#tag, address });
  }
}
