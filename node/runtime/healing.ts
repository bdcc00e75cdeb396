/**
 * A node whose store lost records, and what it does until it has them again: it takes part in anti-entropy and in nothing
 * else. A read could show an older value, or none, and a write that does not know what it replaces could swallow it; so
 * both are refused until what was lost is made good (loss.ts). A member that is healing itself vouches for nothing: it may be damaged
 * in the same place. Until then the loss stays on record in the store, and is named to whoever asks.
 */
import type { Clock, Logger, StoreFault } from '../ports.ts';
import type { LatticeEvent, LinkState } from '../protocol/events.ts';
import type { Digest, NodeId } from '../protocol/ids.ts';
import type { Loss } from '../protocol/state/loss.ts';
import type { Replica } from '../protocol/state/replica.ts';
import type { VersionVector } from '../protocol/state/version-vector.ts';
import { describeFault } from './restore.ts';

/** How often members' roots are looked at, in ms. A guess: below the heartbeat that brings them. */
const LOOK_MS = 100;

export interface HealingModules {
  readonly replica: Replica;
  readonly peers: () => readonly {
    readonly id: NodeId;
    readonly root: Digest | null;
    readonly isHealing: boolean | null;
    readonly seen: VersionVector | null;
    readonly p2p: { readonly state: LinkState };
    readonly http: { readonly state: LinkState };
  }[];
  /** resolves with true once everything is durable */
  readonly settled: () => boolean | Promise<boolean>;
  /** the store forgets what it lost */
  readonly mend: () => Promise<void>;
  readonly healed: () => void;
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
  readonly #loss: Loss | null;
  #reason: string | null;
  #cancel: () => void = () => {};
  #isEnding = false;

  /** @param lost what the store lost; null: there is nothing to heal */
  constructor(
    modules: HealingModules,
    lost: { readonly loss: Loss; readonly faults: readonly StoreFault[] } | null,
  ) {
    this.#modules = modules;
    this.#loss = lost?.loss ?? null;
    this.#reason =
      lost === null
        ? null
        : `the store lost records (${told(lost.faults)}); waiting for who has them, or for a member that lost nothing and has the same root`;
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
      if (this.#isMadeGood(null)) void this.#end();
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
    this.#cancel = () => {};
  }

  /** A reconciliation that ends with equal roots is enough, even if the next write makes them unlike before anybody looks. */
  observe(event: LatticeEvent): void {
    if (this.#reason === null || event.type !== 'reconciliation' || event.outcome !== 'equal') return;
    if (this.#isMadeGood(event.peer)) void this.#end();
  }

  /** @param equal a member whose root was ours a moment ago */
  #isMadeGood(equal: NodeId | null): boolean {
    const { replica, peers } = this.#modules;
    const loss = this.#loss;
    if (loss === null || loss.isMadeGoodIn(replica)) return true;
    const root = replica.root();
    return peers().some(
      (peer) =>
        peer.isHealing === false &&
        (peer.id === equal ||
          (peer.root === root && (peer.p2p.state === 'alive' || peer.http.state === 'alive'))) &&
        loss.isVouchedFor(replica, peer.seen),
    );
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
      this.#modules.healed();
      this.#modules.logger.info('healed: what the store had lost is here again', { tag: 'RECONCILIATION' });
    } catch (error) {
      this.#modules.logger.warn('healing waits for the store', { error: String(error) });
    } finally {
      this.#isEnding = false;
    }
  }
}

/** Named in an answer; beyond, only counted: the log names all. */
const NAMED_MAX = 5;
const NAME_CHARS_MAX = 80;

function told(faults: readonly StoreFault[]): string {
  const named = faults.slice(0, NAMED_MAX).map((fault) => {
    const { slot, record_key: key, detail } = describeFault(fault);
    return key === null
      ? slot === null
        ? detail
        : `slot ${slot}`
      : `key ${JSON.stringify(key.slice(0, NAME_CHARS_MAX))}`;
  });
  const more = faults.length - named.length;
  return `${faults.length} faults: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
