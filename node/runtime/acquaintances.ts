/**
 * Members tell of members: one at a time is asked now and then whom it knows, and what it tells of those that this node does not reach
 * is dialled. So two members that both know a third find each other, wherever they came back.
 *
 * It is a hint and no more: whoever answers there must prove itself. What a liar can cost is bounded: so many addresses of one
 * answer, so many within a minute in all, each tried a few times. What asking costs is bounded too: one question every
 * few seconds while somebody is new or missing, one a minute else.
 */
import type { Clock, ToldMember } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';

export interface AcquaintancesModules {
  readonly clock: Clock;
  /** in [0, 1) */
  readonly rng: () => number;
  readonly self: NodeId;
  /** members that one lung or the other reaches now */
  readonly reached: () => readonly NodeId[];
  /** whether a member that was ever met is not reached */
  readonly isMissing: () => boolean;
  /** @returns null when the member did not answer */
  readonly ask: (peer: NodeId) => Promise<readonly ToldMember[] | null>;
  readonly introduce: (address: string) => void;
}

export interface AcquaintancesOptions {
  /** Between two questions while a member is new or one is missing, in ms, ±25 %. Default 5000. */
  readonly askEveryMs: number;
  /** The same else. Default 60000. */
  readonly restEveryMs: number;
  /** After a member was met, in ms, ±25 %: discovery has its turn first. Default 2000. */
  readonly firstMs: number;
  /** Addresses taken from one answer, and within a minute. Default 16 and 64: each costs three dials at most. */
  readonly addressesPerAnswerMax: number;
  readonly addressesPerMinuteMax: number;
}

export const ACQUAINTANCES_DEFAULTS: AcquaintancesOptions = {
  askEveryMs: 5_000,
  restEveryMs: 60_000,
  firstMs: 2_000,
  addressesPerAnswerMax: 16,
  addressesPerMinuteMax: 64,
};

export class Acquaintances {
  readonly #modules: AcquaintancesModules;
  readonly #options: AcquaintancesOptions;
  /** not asked since they were met */
  readonly #fresh = new Set<NodeId>();
  #cancel: (() => void) | null = null;
  #dueAt = Infinity;
  #askedAt = -Infinity;
  #isAsking = false;
  #isStopped = false;
  #taken = { addresses: 0, since: 0 };

  constructor(modules: AcquaintancesModules, options: AcquaintancesOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** A way to this member has come up. */
  met(peer: NodeId): void {
    this.#fresh.add(peer);
    const { askEveryMs, firstMs } = this.#options;
    const sinceMs = this.#modules.clock.monotonicMs() - this.#askedAt;
    this.#askIn(Math.max(firstMs, askEveryMs - sinceMs));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Sooner than it is due already, or not at all. */
  #askIn(ms: number): void {
    const { clock, rng } = this.#modules;
    const afterMs = ms * (0.75 + rng() / 2);
    const dueAt = clock.monotonicMs() + afterMs;
    if (this.#isStopped || this.#isAsking || dueAt >= this.#dueAt) return;
    this.#cancel?.();
    this.#dueAt = dueAt;
    this.#cancel = clock.after(afterMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    this.#dueAt = Infinity;
    this.#isAsking = true;
    this.#askedAt = this.#modules.clock.monotonicMs();
    const peer = this.#choose();
    const told = peer === null ? null : await this.#modules.ask(peer);
    this.#isAsking = false;
    if (this.#isStopped) return;
    if (told !== null) this.#take(told);
    const { askEveryMs, restEveryMs } = this.#options;
    this.#askIn(this.#fresh.size > 0 || this.#modules.isMissing() ? askEveryMs : restEveryMs);
  }

  /** Those that are new first, then anybody. */
  #choose(): NodeId | null {
    const reached = this.#modules.reached();
    for (const peer of this.#fresh) if (!reached.includes(peer)) this.#fresh.delete(peer);
    const [first] = this.#fresh;
    const peer = first ?? reached[Math.floor(this.#modules.rng() * reached.length)] ?? null;
    if (peer !== null) this.#fresh.delete(peer);
    return peer;
  }

  #take(told: readonly ToldMember[]): void {
    const known = new Set([this.#modules.self, ...this.#modules.reached()]);
    const addresses = told.flatMap((member) => (known.has(member.peer) ? [] : member.addresses));
    for (const address of addresses.slice(0, this.#options.addressesPerAnswerMax))
      if (this.#mayTake()) this.#modules.introduce(address);
  }

  #mayTake(): boolean {
    const now = this.#modules.clock.monotonicMs();
    if (now - this.#taken.since >= MINUTE_MS) this.#taken = { addresses: 0, since: now };
    this.#taken.addresses += 1;
    return this.#taken.addresses <= this.#options.addressesPerMinuteMax;
  }
}

const MINUTE_MS = 60_000;
