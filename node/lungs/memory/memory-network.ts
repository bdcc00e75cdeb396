/**
 * An in-process network for tests: lungs that meet by id, with one delay, and cuts that swallow what is sent, as a
 * firewall that drops does. Time comes from the injected clock, so a test with a manual clock is exact and repeatable.
 */
import type { Clock } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';

export interface MemoryNetworkOptions {
  /** ms one way. Default 1 */
  readonly latencyMs?: number;
  /** ms between two attempts to connect a pair that is not linked. Default 20 */
  readonly redialMs?: number;
}

/** @typeParam Member what joins: MemoryLung, which this file does not know */
export class MemoryNetwork<Member extends { readonly id: NodeId }> {
  readonly clock: Clock;
  readonly latencyMs: number;
  readonly redialMs: number;
  readonly #lungs = new Map<NodeId, Member>();
  readonly #cuts = new Set<string>();

  constructor(clock: Clock, options: MemoryNetworkOptions = {}) {
    this.clock = clock;
    this.latencyMs = options.latencyMs ?? 1;
    this.redialMs = options.redialMs ?? 20;
  }

  /** Swallows everything between the two from now on, both ways; neither is told. */
  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(pairOf(a, b));
  }

  heal(): void {
    this.#cuts.clear();
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return this.#cuts.has(pairOf(a, b));
  }

  join(lung: Member): void {
    this.#lungs.set(lung.id, lung);
  }

  leave(lung: Member): void {
    if (this.#lungs.get(lung.id) === lung) this.#lungs.delete(lung.id);
  }

  /** In the order they joined. */
  others(id: NodeId): readonly Member[] {
    return [...this.#lungs.values()].filter((lung) => lung.id !== id);
  }

  /** Runs `arrive` with the receiver after the delay, unless the way is cut or the receiver is gone by then. */
  send(from: NodeId, to: NodeId, arrive: (receiver: Member) => void): void {
    if (this.isCut(from, to)) return;
    this.clock.after(this.latencyMs, () => {
      const receiver = this.#lungs.get(to);
      if (receiver !== undefined && !this.isCut(from, to)) arrive(receiver);
    });
  }
}

function pairOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
