/** One HTTP client per node of a cluster, for everything in the demo that talks to it. */
import { LatticeClient } from '../cluster/client.ts';
import type { Cluster, ClusterNode } from '../cluster/port.ts';

/** A node that takes longer to answer counts as out of reach. */
const ANSWER_TIMEOUT_MS = 2000;

export class Clients {
  readonly #clients: ReadonlyMap<string, LatticeClient>;

  constructor(cluster: Cluster) {
    this.#clients = new Map(
      cluster.nodes.map((node) => [
        node.name,
        new LatticeClient(() => node.url, cluster.apiToken, { timeoutMs: ANSWER_TIMEOUT_MS }),
      ]),
    );
  }

  to(node: ClusterNode): LatticeClient {
    const client = this.#clients.get(node.name);
    if (client === undefined) throw new RangeError(`${node.name} is not of this cluster`);
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}
