/**
 * How long the lattice takes to get over a disturbance: from the fault, or from its end, to the moment at which writes made
 * after it, one on either side of it, are on every node that runs, and these have one root. A partition is over with
 * its heal, so its clock runs as long as it lasts: that is the figure that principle 17 of the PFMI bounds with two hours.
 */
import type { FaultDeed, FaultView, Recovery, RoomEvent } from '../../../dashboard/room/model.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import type { Clients } from '../clients.ts';
import { pause } from '../patience.ts';

const LOOK_EVERY_MS = 50;

interface Running {
  readonly recovery: Recovery;
  readonly struck: readonly string[];
  /** keys that were acknowledged after the disturbance, by the side on which they were written */
  readonly probes: Map<'struck' | 'spared', string>;
  tries: number;
}

export class Recoveries {
  readonly #cluster: Cluster;
  readonly #clients: Clients;
  readonly #apply: (event: RoomEvent) => void;
  readonly #running = new Map<number, Running>();
  #lastId = 0;

  constructor(cluster: Cluster, clients: Clients, apply: (event: RoomEvent) => void) {
    this.#cluster = cluster;
    this.#clients = clients;
    this.#apply = apply;
  }

  begin(fault: FaultView, after: Recovery['after'], from: number): void {
    this.#lastId += 1;
    const recovery: Recovery = { id: this.#lastId, fault: fault.id, after, from, until: null };
    this.#running.set(recovery.id, { recovery, struck: struckBy(fault.deed), probes: new Map(), tries: 0 });
    this.#apply({ type: 'recovery', at: from, recovery });
  }

  /** @returns null while it is not known */
  of(fault: number, after: Recovery['after']): 'running' | 'over' {
    return [...this.#running.values()].some(
      ({ recovery }) => recovery.fault === fault && recovery.after === after,
    )
      ? 'running'
      : 'over';
  }

  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const running of this.#running.values()) {
        const until = await this.#overSince(running).catch(() => null);
        if (until === null) continue;
        this.#running.delete(running.recovery.id);
        this.#apply({ type: 'recovery', at: until, recovery: { ...running.recovery, until } });
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  /** @returns null while it is not over */
  async #overSince(running: Running): Promise<number | null> {
    const up = this.#cluster.nodes.filter((node) => node.state === 'running');
    await this.#write(running, up);
    const keys = [...running.probes.values()];
    if (up.length === 0 || keys.length === 0) return null;
    const answers = await Promise.all(
      up.map(async (node) => {
        const client = this.#clients.to(node);
        const there = await Promise.all(keys.map(async (key) => (await client.get(key)) !== null));
        return there.every(Boolean);
      }),
    );
    return answers.every(Boolean) ? Date.now() : null;
  }

  /** One write on each side that has a node running; tried again with another key until one is acknowledged. */
  async #write(running: Running, up: readonly ClusterNode[]): Promise<void> {
    const sides = [
      ['struck', up.find(({ name }) => running.struck.includes(name))],
      ['spared', up.find(({ name }) => !running.struck.includes(name))],
    ] as const;
    await Promise.all(
      sides.map(async ([side, node]) => {
        if (node === undefined || running.probes.has(side)) return;
        running.tries += 1;
        const key = `room/probe/${running.recovery.id}/${side}/${running.tries}`;
        const { outcome } = await this.#clients.to(node).put(key, { at: new Date().toISOString() });
        if (outcome === 'ok') running.probes.set(side, key);
      }),
    );
  }
}

function struckBy(deed: FaultDeed): readonly string[] {
  switch (deed.kind) {
    case 'cut':
      return deed.nodes;
    case 'partition':
      return deed.groups[0] ?? [];
    case 'kill':
    case 'freeze':
      return [deed.node];
  }
}
