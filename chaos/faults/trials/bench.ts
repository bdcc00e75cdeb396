/** A cluster that is being written to, on which one fault after the other is tried: steady, inject, evidence, heal, evidence. */
import { setTimeout as delay } from 'node:timers/promises';
import { LatticeClient } from '../../cluster/client.ts';
import { connectEngine } from '../../cluster/engine.ts';
import { poll } from '../../cluster/poll.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import type { Check, Evidence, Fault } from '../fault.ts';
import { isolate } from '../partition.ts';
import type { FaultSpec } from '../spec.ts';
import type { Trial } from './trials.ts';

export interface Phase {
  readonly ok: boolean;
  readonly tookMs: number;
  readonly checks: readonly Check[];
}

export interface Outcome {
  readonly state: 'proven' | 'failed' | 'unsupported';
  /** why it is unsupported, or what went wrong; else how it was done */
  readonly reason: string;
  readonly bites: Phase;
  readonly heals: Phase;
}

const WRITE_EVERY_MS = 100;
const LOOK_EVERY_MS = 500;
/** Evidence needs traffic: a node that has given up on a peer tries again only every few seconds. */
const BITE_BUDGET_MS = 25_000;
const HEAL_BUDGET_MS = 25_000;
const STEADY_BUDGET_MS = 90_000;
const NOT_TRIED: Phase = { ok: false, tookMs: 0, checks: [] };

export class Bench {
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal;
  readonly #ending = new AbortController();
  readonly #clients = new Map<ClusterNode, LatticeClient>();
  readonly #writing: Promise<void>;

  constructor(cluster: Cluster, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#signal = signal;
    this.#writing = this.#write();
  }

  async try({ spec }: Trial): Promise<Outcome> {
    return this.#tryWith(spec, async () => undefined);
  }

  /** @param meanwhile happens while the fault is in force, before its evidence */
  async #tryWith(spec: FaultSpec, meanwhile: () => Promise<void>): Promise<Outcome> {
    const reason = this.#cluster.supports(spec);
    if (reason !== null) return { state: 'unsupported', reason, bites: NOT_TRIED, heals: NOT_TRIED };
    if (!(await this.#isSteady()))
      return { state: 'failed', reason: 'no steady state before it', bites: NOT_TRIED, heals: NOT_TRIED };
    const fault = this.#cluster.fault(spec);
    let bites = NOT_TRIED;
    try {
      bites = await this.#prove(BITE_BUDGET_MS, async () => {
        await fault.inject();
        await meanwhile();
        return () => fault.evidence();
      });
      const heals = await this.#prove(HEAL_BUDGET_MS, async () => () => fault.heal());
      return { state: bites.ok && heals.ok ? 'proven' : 'failed', reason: fault.means, bites, heals };
    } catch (error) {
      await rescue(fault);
      return { state: 'failed', reason: messageOf(error), bites, heals: NOT_TRIED };
    }
  }

  /** Somebody else restarts the node's container while it is cut off: the cut must be there again. */
  async tryRestartUnderCut(): Promise<Outcome> {
    const { world, runId, nodes } = this.#cluster;
    const [victim] = nodes;
    if (world !== 'containers' || victim === undefined) {
      const reason = 'only an engine restarts what is not its own';
      return { state: 'unsupported', reason, bites: NOT_TRIED, heals: NOT_TRIED };
    }
    const names = nodes.map(({ name }) => name);
    const grudges = isolate(names, victim.name);
    const spec: FaultSpec = { kind: 'partition', grudges, scope: 'both', how: 'drop' };
    return this.#tryWith(spec, async () => {
      const engine = await connectEngine();
      const before = victim.url;
      await engine.container.dockerode.getContainer(`aethel-lab-${runId}-${victim.name}`).restart({ t: 5 });
      // The published port is another one after every start.
      await poll(async () => ([null, before].includes(urlOf(victim)) ? null : true), {
        everyMs: 50,
        budgetMs: BITE_BUDGET_MS,
        signal: this.#signal,
      });
    });
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#writing;
    for (const client of this.#clients.values()) client.close();
  }

  async #prove(budgetMs: number, begin: () => Promise<() => Promise<Evidence>>): Promise<Phase> {
    const startedAt = performance.now();
    const look = await begin();
    let checks: readonly Check[] = [];
    const ok = await poll(
      async () => {
        const evidence = await look();
        checks = evidence.checks;
        return evidence.ok ? true : null;
      },
      { everyMs: LOOK_EVERY_MS, budgetMs, signal: this.#signal },
    );
    return { ok: ok === true, tookMs: performance.now() - startedAt, checks };
  }

  /** Every node hears every other by P2P, and their roots are equal or nearly so: writes go on. */
  async #isSteady(): Promise<boolean> {
    const { nodes } = this.#cluster;
    const steady = await poll(
      async () => {
        const links = await Promise.all(
          nodes.map(async (node) => {
            const status = await this.#clientOf(node)
              .status()
              .catch(() => null);
            return (
              status?.sync_mode === 'P2P' &&
              status.peers.filter(({ p2p }) => p2p.state === 'alive').length >= nodes.length - 1
            );
          }),
        );
        return links.every(Boolean) ? true : null;
      },
      { everyMs: LOOK_EVERY_MS, budgetMs: STEADY_BUDGET_MS, signal: this.#signal },
    );
    return steady === true;
  }

  async #write(): Promise<void> {
    for (let count = 0; !this.#ending.signal.aborted; count += 1) {
      const node = this.#cluster.nodes[count % this.#cluster.nodes.length];
      // Whether it is taken is of no interest here; that there is traffic is.
      if (node?.state === 'running') void this.#clientOf(node).put(`trial/${count % 100}`, count);
      await delay(WRITE_EVERY_MS, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  #clientOf(node: ClusterNode): LatticeClient {
    const known = this.#clients.get(node);
    if (known !== undefined) return known;
    const client = new LatticeClient(() => node.url, this.#cluster.apiToken, { timeoutMs: 2_000 });
    this.#clients.set(node, client);
    return client;
  }
}

async function rescue(fault: Fault): Promise<void> {
  // What went wrong before is what will be told.
  await fault.lift().catch(() => undefined);
}

/** null: it has no place now */
function urlOf(node: ClusterNode): string | null {
  try {
    return node.url;
  } catch {
    return null;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
