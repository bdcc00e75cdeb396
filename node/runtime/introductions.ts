/**
 * One lung introduces a member to the other: whoever was met over HTTP is asked where it listens for P2P, so that a list of HTTP
 * peers is enough to breathe through both. A member whose P2P is not up yet is asked again for a while.
 */
import type { Clock } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';

export interface IntroductionsModules {
  readonly clock: Clock;
  /** @returns multiaddrs, perhaps none yet; null when the member did not answer */
  readonly addressesOf: (peer: NodeId) => Promise<readonly string[] | null>;
  readonly introduce: (multiaddr: string) => void;
}

export interface IntroductionsOptions {
  /** Pause before a member without addresses is asked again, doubling, in ms. Default 500: P2P listens 0.4–1.5 s after HTTP. */
  readonly retryMinMs: number;
  /** How often one member is asked for one link. Default 8: about two minutes; a member that starts P2P later dials us itself. */
  readonly triesMax: number;
}

export const INTRODUCTIONS_DEFAULTS: IntroductionsOptions = { retryMinMs: 500, triesMax: 8 };

export class Introductions {
  readonly #modules: IntroductionsModules;
  readonly #options: IntroductionsOptions;
  readonly #waiting = new Map<NodeId, () => void>();
  #isStopped = false;

  constructor(modules: IntroductionsModules, options: IntroductionsOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** An HTTP way to this member has come up. */
  met(peer: NodeId): void {
    void this.#ask(peer, 1);
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  async #ask(peer: NodeId, tries: number): Promise<void> {
    this.#waiting.get(peer)?.();
    this.#waiting.delete(peer);
    const addresses = await this.#modules.addressesOf(peer);
    if (this.#isStopped) return;
    if (addresses !== null && addresses.length > 0) {
      for (const address of addresses) this.#modules.introduce(address);
      return;
    }
    if (tries >= this.#options.triesMax) return;
    const afterMs = this.#options.retryMinMs * 2 ** (tries - 1);
    this.#waiting.get(peer)?.();
    this.#waiting.set(
      peer,
      this.#modules.clock.after(afterMs, () => void this.#ask(peer, tries + 1)),
    );
  }
}
