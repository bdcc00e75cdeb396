/**
 * Asks every running node for its status, often, and notes every change: the times of a failover are read off this.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { StatusResponse } from '../../node/http/schemas.ts';
import type { LatticeClient } from '../cluster/client.ts';
import type { ClusterNode } from '../cluster/port.ts';
import type { History } from '../history/history.ts';

export interface Member {
  readonly node: ClusterNode;
  readonly client: LatticeClient;
}

export interface Observation {
  readonly at: number;
  readonly status: StatusResponse;
  /** peers counted as alive, or suspected and still waited for */
  readonly p2pUp: number;
  readonly httpUp: number;
  /** peers counted as alive */
  readonly p2pAlive: number;
}

/** enough to tell any two roots of a run apart */
const ROOT_DIGITS = 16;

export class Observer {
  readonly #members: readonly Member[];
  readonly #history: History;
  readonly #everyMs: number;
  readonly #latest = new Map<string, Observation>();
  readonly #counts = new Map<string, number>();
  #running = false;
  #loops: readonly Promise<void>[] = [];

  constructor(members: readonly Member[], history: History, options: { readonly everyMs: number }) {
    this.#members = members;
    this.#history = history;
    this.#everyMs = options.everyMs;
  }

  start(): void {
    this.#running = true;
    this.#loops = this.#members.map((member) => this.#watch(member));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  /** The last answer of a node; null before the first, and while it does not answer. */
  latest(name: string): Observation | null {
    return this.#latest.get(name) ?? null;
  }

  /** answers taken so far */
  samples(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  async #watch({ node, client }: Member): Promise<void> {
    let noted = '';
    let notedRoot = '';
    while (this.#running) {
      const next = delay(this.#everyMs);
      const said = node.state === 'stopped' ? 'it is stopped' : await this.#ask(node.name, client);
      if (typeof said === 'string') this.#latest.delete(node.name);
      const text = typeof said === 'string' ? said : `${said.status.sync_mode} ${said.p2pUp} ${said.httpUp}`;
      if (text !== noted) {
        noted = text;
        if (typeof said === 'string')
          this.#history.add({ type: 'unreachable', node: node.name, reason: said });
        else {
          const { status, p2pUp, httpUp } = said;
          this.#history.add(
            { type: 'status', node: node.name, mode: status.sync_mode, p2pUp, httpUp },
            said.at,
          );
        }
      }
      const root = typeof said === 'string' ? '' : said.status.merkle_root.slice(0, ROOT_DIGITS);
      if (root !== notedRoot && typeof said !== 'string')
        this.#history.add({ type: 'root', node: node.name, root }, said.at);
      notedRoot = root;
      await next;
    }
  }

  async #ask(name: string, client: LatticeClient): Promise<Observation | string> {
    try {
      const status = await client.status();
      const observation: Observation = {
        at: this.#history.now(),
        status,
        p2pUp: status.peers.filter((peer) => isUp(peer.p2p.state)).length,
        httpUp: status.peers.filter((peer) => isUp(peer.http.state)).length,
        p2pAlive: status.peers.filter((peer) => peer.p2p.state === 'alive').length,
      };
      this.#latest.set(name, observation);
      this.#counts.set(name, this.samples(name) + 1);
      return observation;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

function isUp(state: string): boolean {
  return state === 'alive' || state === 'suspect';
}
