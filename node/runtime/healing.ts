/**
 * A node whose store lost records, and what it does until it has them again: it takes part in anti-entropy and in nothing
 * else. A read could show an older value, or none, and a write that does not know what it replaces could swallow it; so
 * both are refused until the state is equal to a member's. Until then the loss stays on record in the store.
 */
import type { Clock, Logger, StoreFault } from '../ports.ts';
import type { LatticeEvent, LinkState } from '../protocol/events.ts';
import type { Digest } from '../protocol/ids.ts';

/** How often members' roots are looked at, in ms. A guess: below the heartbeat that brings them. */
const LOOK_MS = 100;

export interface HealingModules {
  /** what stands against our own root */
  readonly root: () => Digest;
  readonly peers: () => readonly {
    readonly root: Digest | null;
    readonly p2p: { readonly state: LinkState };
    readonly http: { readonly state: LinkState };
  }[];
  /** resolves with true once everything is durable */
  readonly settled: () => boolean | Promise<boolean>;
  /** the store forgets what it lost */
  readonly mend: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The node's store was damaged, and what it lost has not come back from the members yet. */
class NodeHealingError extends Error {
  override readonly name = 'NodeHealingError';
  readonly code = 'healing';
}

export class Healing {
  readonly #modules: HealingModules;
  #reason: string | null;
  #cancel: () => void = () => {};
  #isEnding = false;

  /** @param faults what the store lost; none: there is nothing to heal */
  constructor(modules: HealingModules, faults: readonly StoreFault[]) {
    this.#modules = modules;
    this.#reason =
      faults.length === 0
        ? null
        : `the store lost records (${faults.length} faults); waiting for a member with the same root`;
  }

  /** Why the node is of no use yet; null when it is. */
  get reason(): string | null {
    return this.#reason;
  }

  /** @throws NodeHealingError */
  assertOver(): void {
    const refusal = this.refusal();
    if (refusal !== null) throw refusal;
  }

  /** Why nothing is read or written now, or null. */
  refusal(): NodeHealingError | null {
    return this.#reason === null ? null : new NodeHealingError(this.#reason);
  }

  start(): void {
    if (this.#reason === null) return;
    this.#cancel();
    this.#cancel = this.#modules.clock.after(LOOK_MS, () => {
      if (this.#isLikeAMember()) void this.#end();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
    this.#cancel = () => {};
  }

  /** A reconciliation that ends with equal roots is enough, even if the next write makes them unlike before anybody looks. */
  observe(event: LatticeEvent): void {
    if (this.#reason !== null && event.type === 'reconciliation' && event.outcome === 'equal')
      void this.#end();
  }

  #isLikeAMember(): boolean {
    const root = this.#modules.root();
    return this.#modules
      .peers()
      .some((peer) => peer.root === root && (peer.p2p.state === 'alive' || peer.http.state === 'alive'));
  }

  /** What came back becomes durable first, then the loss is forgotten, then the node serves. */
  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    try {
      if (!(await this.#modules.settled())) return;
      await this.#modules.mend();
      this.#reason = null;
      this.stop();
      this.#modules.logger.info('healed: the state is equal to a member’s again', { tag: 'RECONCILIATION' });
    } catch (error) {
      this.#modules.logger.warn('healing waits for the store', { error: String(error) });
    } finally {
      this.#isEnding = false;
    }
  }
}
