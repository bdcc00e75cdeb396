/**
 * One lung introduces a member to the other: whoever was met over HTTP is asked where it listens for P2P, and whoever was met
 * over P2P where it answers HTTP, so that either kind of address is enough to breathe through both. A member that does not
 * listen there yet is asked again for a while.
 */
import type { Clock } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';

export interface IntroductionsModules {
  readonly clock: Clock;
  /** the other lung knows a way to it already */
  readonly isKnown: (peer: NodeId) => boolean;
  /** @returns addresses for the other lung, perhaps none yet; null when the member did not answer */
  readonly addressesOf: (peer: NodeId) => Promise<readonly string[] | null>;
  readonly introduce: (address: string) => void;
  /** ms by which a question is put off, where this node is strained: it may be needless by then. Absent: none */
  readonly putOffMs?: () => number;
}

export interface IntroductionsOptions {
  /** Pause before a member is asked at all, in ms: time for the other lung to meet it by itself. Default 0. */
  readonly firstMs: number;
  /** Pause before a member without addresses is asked again, doubling, in ms. Default 500: P2P listens 0.4–1.5 s after HTTP. */
  readonly retryMinMs: number;
  /** How often one member is asked for one link. Default 8: about two minutes; a member that starts P2P later dials us itself. */
  readonly triesMax: number;
}

export const INTRODUCTIONS_DEFAULTS: IntroductionsOptions = { firstMs: 0, retryMinMs: 500, triesMax: 8 };

/** From P2P to HTTP: URLs that were configured are found in a second, and HTTP listens before P2P does. */
export const INTRODUCTIONS_TO_HTTP: IntroductionsOptions = { firstMs: 1_000, retryMinMs: 1_000, triesMax: 3 };

export class Introductions {
  readonly #modules: IntroductionsModules;
  readonly #options: IntroductionsOptions;
  readonly #waiting = new Map<NodeId, () => void>();
  #isStopped = false;

  constructor(modules: IntroductionsModules, options: IntroductionsOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** A way to this member has come up over the lung that introduces. */
  met(peer: NodeId): void {
    const firstMs = this.#options.firstMs + (this.#modules.putOffMs?.() ?? 0);
    if (firstMs === 0) void this.#ask(peer, 1);
    else this.#askLater(peer, 1, firstMs);
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  async #ask(peer: NodeId, tries: number): Promise<void> {
    this.#waiting.get(peer)?.();
    this.#waiting.delete(peer);
    if (this.#modules.isKnown(peer)) return;
    const addresses = await this.#modules.addressesOf(peer);
    if (this.#isStopped) return;
    if (addresses !== null && addresses.length > 0) {
      for (const address of addresses) this.#modules.introduce(address);
      return;
    }
    if (tries >= this.#options.triesMax) return;
    this.#askLater(peer, tries + 1, this.#options.retryMinMs * 2 ** (tries - 1));
  }

  #askLater(peer: NodeId, tries: number, afterMs: number): void {
    if (this.#isStopped) return;
    this.#waiting.get(peer)?.();
    this.#waiting.set(
      peer,
      this.#modules.clock.after(afterMs, () => void this.#ask(peer, tries)),
    );
  }
}
