/**
 * Asks every running node for its status, often, and notes every change: the times of a failover are read off this.
 */
import type { StatusResponse } from '../../node/http/schemas.ts';
import type { NodeClient } from '../cluster/client.ts';
import type { Time } from '../cluster/time.ts';
import type { History } from '../history/history.ts';
import type { Member } from './member.ts';

export interface Observation {
  readonly at: number;
  readonly status: StatusResponse;
  /** peers counted as alive, or suspected and still waited for */
  readonly p2pUp: number;
  readonly httpUp: number;
  /** peers counted as alive */
  readonly p2pAlive: number;
  /** when it was first seen to say this mode */
  readonly modeSince: number;
}

interface ObserverOptions {
  readonly everyMs: number;
  readonly time: Time;
}

/** enough to tell any two roots of a run apart */
const ROOT_DIGITS = 16;

export class Observer {
  readonly #members: readonly Member[];
  readonly #history: History;
  readonly #options: ObserverOptions;
  #everyMs: number;
  readonly #latest = new Map<string, Observation>();
  #running = false;
  #loops: readonly Promise<void>[] = [];

  constructor(members: readonly Member[], history: History, options: ObserverOptions) {
    this.#members = members;
    this.#history = history;
    this.#options = options;
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

  /** From now on so often. */
  look(everyMs: number): void {
    this.#everyMs = everyMs;
  }

  /** The last answer of a node; null before the first, and while it does not answer. */
  latest(name: string): Observation | null {
    return this.#latest.get(name) ?? null;
  }

  async #watch({ node, client }: Member): Promise<void> {
    let noted = '';
    let notedRoot = '';
    while (this.#running) {
      const next = this.#options.time.wait(this.#everyMs);
      const said = node.state === 'stopped' ? 'it is stopped' : await this.#ask(node.name, client);
      if (typeof said === 'string') this.#latest.delete(node.name);
      const text =
        typeof said === 'string'
          ? said
          : `${said.status.sync_mode} ${said.status.forced_mode} ${said.p2pUp} ${said.httpUp}`;
      if (text !== noted) {
        noted = text;
        if (typeof said === 'string')
          this.#history.add({ type: 'unreachable', node: node.name, reason: said });
        else {
          const { status, p2pUp, httpUp } = said;
          this.#history.add(
            {
              type: 'status',
              node: node.name,
              mode: status.sync_mode,
              forced: status.forced_mode,
              p2pUp,
              httpUp,
            },
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

  async #ask(name: string, client: NodeClient): Promise<Observation | string> {
    try {
      const status = await client.status();
      const at = this.#history.now();
      const before = this.#latest.get(name);
      const observation: Observation = {
        at,
        status,
        modeSince: before?.status.sync_mode === status.sync_mode ? before.modeSince : at,
        p2pUp: status.peers.filter((peer) => isUp(peer.p2p.state)).length,
        httpUp: status.peers.filter((peer) => isUp(peer.http.state)).length,
        p2pAlive: status.peers.filter((peer) => peer.p2p.state === 'alive').length,
      };
      this.#latest.set(name, observation);
      return observation;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

function isUp(state: string): boolean {
  return state === 'alive' || state === 'suspect';
}
