/**
 * The demo's eyes: asks every node for its status a few times a second and listens to its events in between, so that a
 * change of lung is seen when it happens and not at the next look.
 */
import { parseDatedEvent } from '../../dashboard/wire.ts';
import { readSse } from '../../dashboard/sse.ts';
import type { ViewEvent } from '../../dashboard/view.ts';
import type { Cluster, ClusterNode } from '../cluster/port.ts';
import type { Clients } from './clients.ts';
import { pause } from './patience.ts';

/** As often as the table is drawn. */
const LOOK_EVERY_MS = 200;
const LISTEN_AGAIN_MS = 250;

export interface WatchModules {
  readonly cluster: Cluster;
  readonly clients: Clients;
  readonly apply: (event: ViewEvent) => void;
}

/** Resolves when the signal has ended every look and every stream. */
export async function watchCluster(modules: WatchModules, signal: AbortSignal): Promise<void> {
  const { nodes } = modules.cluster;
  for (const node of nodes) modules.apply({ type: 'node', at: Date.now(), node: node.name, url: node.url });
  await Promise.all(
    nodes.flatMap((node) => [lookAt(node, modules, signal), listenTo(node, modules, signal)]),
  );
}

async function lookAt(
  node: ClusterNode,
  { clients, apply }: WatchModules,
  signal: AbortSignal,
): Promise<void> {
  let url = node.url;
  let reach: 'up' | 'down' | null = null;
  while (!signal.aborted) {
    try {
      if (node.url !== url) {
        url = node.url;
        apply({ type: 'node', at: Date.now(), node: node.name, url });
      }
      const status = await clients.to(node).status();
      if (reach === 'down') apply({ type: 'reach', at: Date.now(), node: node.name, reach: 'up' });
      reach = 'up';
      apply({ type: 'status', at: Date.now(), node: node.name, status });
    } catch {
      if (signal.aborted) return;
      if (reach !== 'down') apply({ type: 'reach', at: Date.now(), node: node.name, reach: 'down' });
      reach = 'down';
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}

async function listenTo(node: ClusterNode, { apply }: WatchModules, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const stream = await fetch(`${node.url}/api/lattice/events`, { signal });
      if (stream.ok && stream.body !== null) {
        for await (const message of readSse(stream.body)) {
          const dated = parseDatedEvent(message.data);
          if (dated !== null) apply({ type: 'lattice', at: Date.now(), node: node.name, dated });
        }
      }
    } catch {
      // A stream ends with its node; the looks notice which nodes are down.
    }
    await pause(LISTEN_AGAIN_MS, signal);
  }
}
