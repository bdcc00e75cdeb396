/**
 * The redial loop. libp2p's own reconnecting backs off for tens of seconds; after a cut this one finds a peer again
 * within about a second, for as long as the node lives, with a bounded number of dials under way.
 */
import type { Clock } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Address, AddressBook, DueAddress } from './addresses.ts';
import { atOnce, pauseMs, strangersAtOnce } from '../pace.ts';
import type { Strain } from '../pace.ts';

export type DialOutcome =
  /** connected now, or found to be connected already by another way */
  | { readonly kind: 'member'; readonly peer: NodeId; readonly answeredMs: number | null }
  | { readonly kind: 'self' }
  | { readonly kind: 'failed'; readonly reason: string; readonly isTimeout: boolean };

export interface DialerModules {
  readonly clock: Clock;
  readonly book: AddressBook;
  /** Dials once; never rejects. Calls `accepted` when the other machine has taken the connection. */
  readonly dial: (address: DueAddress, accepted: () => void) => Promise<DialOutcome>;
  readonly connected: (peer: NodeId) => boolean;
  /** connections that are becoming links, dialled by others or through here */
  readonly becoming: () => number;
  /** those that are links */
  readonly links: () => number;
  readonly strain: () => Strain;
  /** @param answeredMs how long a member took to answer */
  readonly onAnswered: (answeredMs: number) => void;
  readonly onFailed: (address: Address, reason: string) => void;
  /** a member answers there */
  readonly onMet: (address: Address) => void;
}

export class Dialer {
  readonly #modules: DialerModules;
  readonly #dialsMax: number;
  #underWay = 0;
  /** those of them that the other machine has taken, or may take any moment: they are what costs */
  #costly = 0;
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
    const { book, clock, connected, links } = this.#modules;
    const strain = this.#modules.strain();
    const now = clock.monotonicMs();
    book.forget(now, connected);
    const strangersMax = strangersAtOnce(this.#dialsMax, links(), strain);
    const due = book.takeDue(now, this.#free(strain), connected, strain, strangersMax);
    for (const address of due) void this.#dial(address);
    if (this.#underWay >= this.#dialsMax) return;
    const next = book.nextDueAt(connected, strain);
    const isFree = this.#free(strain) > 0 && strangersMax === this.#dialsMax;
    const napMs = isFree ? SHORTEST_NAP_MS : pauseMs(FULL_NAP_MS, strain);
    if (next !== null) this.#cancelTimer = clock.after(Math.max(napMs, next - now), () => this.wake());
  }

  /** One dial may go on whatever else does: others might keep us busy for ever. */
  #free(strain: Strain): number {
    const busy = this.#costly + this.#modules.becoming();
    const free = atOnce(this.#dialsMax, strain) - busy;
    return Math.min(this.#dialsMax - this.#underWay, Math.max(free, this.#costly === 0 ? 1 : 0));
  }

  async #dial(address: DueAddress): Promise<void> {
    const { book, clock, dial, onAnswered, onFailed, onMet, strain } = this.#modules;
    this.#underWay += 1;
    this.#costly += 1;
    let cost = 1;
    const setCost = (to: 0 | 1): void => {
      this.#costly += to - cost;
      cost = to;
    };
    const cancel = clock.after(pauseMs(SILENT_MS, strain()), () => {
      setCost(0);
      this.wake();
    });
    const outcome = await dial(address, () => {
      cancel();
      setCost(1);
    });
    cancel();
    setCost(0);
    this.#underWay -= 1;
    const now = clock.monotonicMs();
    switch (outcome.kind) {
      case 'member':
        if (outcome.answeredMs !== null) onAnswered(outcome.answeredMs);
        book.proven(address.text, outcome.peer, now, outcome.answeredMs);
        onMet(address);
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

/** As long as a machine takes to accept a connection, and some: whoever has not by then is not there, and costs nothing to wait for. */
const SILENT_MS = 100;
/** Until it is looked again whether more may be dialled, where no dial ends before. */
const FULL_NAP_MS = 100;
/** An address may be due and yet wait for another dial of its peer: look again soon, not at once. */
const SHORTEST_NAP_MS = 10;
