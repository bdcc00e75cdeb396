/** A node, and the lab's client of it. */
import type { NodeClient } from '../cluster/client.ts';
import type { ClusterNode } from '../cluster/port.ts';

export interface Member {
  readonly node: ClusterNode;
  readonly client: NodeClient;
}
