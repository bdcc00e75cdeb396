/**
 * Whether one lung reaches nobody although the other one does. Such a node serves, so it is ready; but its second lung would be found
 * dead on the day it is needed. So that is told once when it has lasted, and stands as a warning in `/ready` and in the status.
 * The usual reason: a container inherited HTTP_PROXY, and the proxy swallows what is for members.
 */
import type { Clock, Logger } from '../ports.ts';

export interface SecondLungModules {
  readonly clock: Clock;
  readonly logger: Logger;
  /** members that answer by this lung now; null: it is switched off */
  readonly p2pReached: () => number | null;
  readonly httpReached: () => number;
  /** proxies through which members are asked over HTTP, without credentials */
  readonly proxies: () => readonly string[];
}

/** How often it is looked at: an addition of a few numbers. */
const LOOK_MS = 5_000;
/** Longer than one lung takes to introduce a member to the other, thrice. */
const PATIENCE_MS = 30_000;

export class SecondLung {
  readonly #modules: SecondLungModules;
  /** what is wrong, and since when, monotonic ms */
  #dead: { readonly lung: 'HTTP' | 'P2P'; readonly since: number } | null = null;
  #told: 'HTTP' | 'P2P' | null = null;
  #cancel: (() => void) | null = null;

  constructor(modules: SecondLungModules) {
    this.#modules = modules;
  }

  start(): void {
    this.#cancel = this.#modules.clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  /** For operators; none while both lungs reach somebody, or neither does. */
  warnings(): readonly string[] {
    return this.#told === null ? [] : [this.#sentence(this.#told)];
  }

  #look(): void {
    const { clock, logger, p2pReached, httpReached } = this.#modules;
    const lung = deadOf(p2pReached(), httpReached());
    const now = clock.monotonicMs();
    if (this.#dead?.lung !== lung) this.#dead = lung === null ? null : { lung, since: now };
    if (this.#told !== null && this.#told !== lung) {
      logger.info('both lungs reach members again', { tag: 'HTTP_SYNC' });
      this.#told = null;
    }
    if (lung === null || this.#told === lung || now - (this.#dead?.since ?? now) < PATIENCE_MS) return;
    this.#told = lung;
    logger.warn(this.#sentence(lung), { tag: 'HTTP_SYNC' });
  }

  #sentence(lung: 'HTTP' | 'P2P'): string {
    const other = lung === 'HTTP' ? 'P2P' : 'HTTP';
    const proxies = lung === 'HTTP' ? this.#modules.proxies() : [];
    const through =
      proxies.length === 0
        ? ''
        : `; it goes through the proxy ${proxies.join(', ')}, and members on the own network belong into NO_PROXY`;
    return `${lung} reaches no member though ${other} does: without ${other} this node is alone${through}`;
  }
}

function deadOf(p2p: number | null, http: number): 'HTTP' | 'P2P' | null {
  if (p2p === null || p2p > 0 === http > 0) return null;
  return p2p > 0 ? 'HTTP' : 'P2P';
}
