/**
 * The redial loop. libp2p's own reconnecting backs off for tens of seconds; after a cut this one finds a peer again
 * within about a second, for as long as the node lives, with a bounded number of dials under way.
 */
import type { Clock } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Address, AddressBook, DueAddress } from './addresses.ts';

export type DialOutcome =
  /** connected now, or found to be connected already by another way */
  | { readonly kind: 'member'; readonly peer: NodeId }
  | { readonly kind: 'self' }
  | { readonly kind: 'failed'; readonly reason: string; readonly isTimeout: boolean };

export interface DialerModules {
  readonly clock: Clock;
  readonly book: AddressBook;
  /** Dials once; never rejects. */
  readonly dial: (address: DueAddress) => Promise<DialOutcome>;
  readonly connected: (peer: NodeId) => boolean;
  readonly onFailed: (address: Address, reason: string) => void;
}

export class Dialer {
  readonly #modules: DialerModules;
  readonly #dialsMax: number;
  #underWay = 0;
  #running = false;
  #cancelTimer: (() => void) | null = null;

  constructor(modules: DialerModules, options: { readonly dialsMax: number }) {
    this.#modules = modules;
    this.#dialsMax = options.dialsMax;
  }

  start(): void {
    this.#running = true;
    this.wake();
  }

  stop(): void {
    this.#running = false;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Something changed: an address came, a peer left, a dial ended. Dials what is due and sleeps until the next. */
  wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (!this.#running) return;
    const { book, clock, connected } = this.#modules;
    const now = clock.monotonicMs();
    book.forget(now, connected);
    for (const address of book.takeDue(now, this.#dialsMax - this.#underWay, connected))
      void this.#dial(address);
    if (this.#underWay >= this.#dialsMax) return;
    const next = book.nextDueAt(connected);
    if (next !== null)
      this.#cancelTimer = clock.after(Math.max(SHORTEST_NAP_MS, next - now), () => this.wake());
  }

  async #dial(address: DueAddress): Promise<void> {
    const { book, clock, dial, onFailed } = this.#modules;
    this.#underWay += 1;
    const outcome = await dial(address);
    this.#underWay -= 1;
    const now = clock.monotonicMs();
    switch (outcome.kind) {
      case 'member':
        book.proven(address.text, outcome.peer, now);
        break;
      case 'self':
        book.ownedByUs(address.text);
        break;
      case 'failed':
        book.failed(address.text, now, outcome.isTimeout);
        if (this.#running) onFailed(address, outcome.reason);
        break;
    }
    this.wake();
  }
}

/** An address may be due and yet wait for another dial of its peer: look again soon, not at once. */
const SHORTEST_NAP_MS = 10;
