/**
 * The demo's workload: one small client per node that writes a new key again and again, and a ledger of what the nodes
 * acknowledged. What is in the ledger must be on every node in the end; what got no answer may or may not be.
 */
import type { ViewEvent } from '../../dashboard/view.ts';
import type { Cluster, ClusterNode } from '../cluster/port.ts';
import type { Clients } from './clients.ts';
import { pause } from './patience.ts';

/** A write every 100 ms over five nodes: enough to see, little beside what two slow cores carry. */
const WRITE_EVERY_MS = 500;

export class Ledger {
  readonly #clients: Clients;
  readonly #apply: (event: ViewEvent) => void;
  readonly #acknowledged = new Map<string, string>();

  constructor(clients: Clients, apply: (event: ViewEvent) => void) {
    this.#clients = clients;
    this.#apply = apply;
  }

  /** JSON text by key */
  get acknowledged(): ReadonlyMap<string, string> {
    return this.#acknowledged;
  }

  /** @returns whether the node acknowledged */
  async write(node: ClusterNode, key: string): Promise<boolean> {
    const value = { via: node.name, at: new Date().toISOString() };
    const { outcome } = await this.#clients.to(node).put(key, value);
    if (outcome === 'ok') this.#acknowledged.set(key, JSON.stringify(value));
    this.#apply({
      type: 'write',
      at: Date.now(),
      node: node.name,
      outcome: outcome === 'ok' ? 'acknowledged' : 'failed',
    });
    return outcome === 'ok';
  }
}

/** Resolves when the signal has ended the clients, each after its open write has its answer. */
export async function writeContinuously(
  cluster: Cluster,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    cluster.nodes.map(async (node, index) => {
      await pause((index * WRITE_EVERY_MS) / cluster.nodes.length, signal);
      for (let count = 1; !signal.aborted; count += 1) {
        await ledger.write(node, `demo/${node.name}/${String(count).padStart(5, '0')}`);
        await pause(WRITE_EVERY_MS, signal);
      }
    }),
  );
}
