/**
 * What five nodes say of themselves, by their event streams: every change comes with the node's own time, so that nothing
 * is asked in between and the measuring costs next to nothing. A stream that ends with its node is taken up again.
 */
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../chaos/cluster/port.ts';
import { readSse } from '../dashboard/sse.ts';
import { parseDatedEvent } from '../dashboard/wire.ts';
import { StatusResponse } from '../node/http/schemas.ts';
import type { DatedEvent, LinkState, SyncMode } from '../node/protocol/events.ts';

/** A value, and since when: ms since the epoch, by the node's clock, which is the machine's. */
interface Since<T> {
  readonly value: T;
  readonly at: number;
}

const LISTEN_AGAIN_MS = 20;

export class Watch {
  readonly node: ClusterNode;
  /** peer id; empty until it was heard */
  id = '';
  mode: Since<SyncMode> = { value: 'NONE', at: 0 };
  root: Since<string> = { value: '', at: 0 };
  /** P2P links, by peer id */
  readonly links = new Map<string, Since<LinkState>>();
  /** oldest first, since the watch began */
  readonly events: DatedEvent[] = [];
  readonly #changed: (watch: Watch) => void;

  constructor(node: ClusterNode, changed: (watch: Watch) => void) {
    this.node = node;
    this.#changed = changed;
  }

  get name(): string {
    return this.node.name;
  }

  /** Those that came from `from` on. */
  eventsSince(from: number): readonly DatedEvent[] {
    return this.events.filter((dated) => dated.at >= from);
  }

  /** Resolves when the signal has ended it. */
  async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A broken stream is told by what follows: the next snapshot.
      if (this.node.state === 'running') await this.#read(signal).catch(() => undefined);
      await delay(LISTEN_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    for await (const message of readSse(await open(`${this.node.url}/api/lattice/events`, signal))) {
      const dated = parseDatedEvent(message.data);
      if (dated !== null) this.#take(dated);
      else if (message.name === 'snapshot') this.#start(StatusResponse.parse(JSON.parse(message.data)));
      this.#changed(this);
    }
  }

  #start(status: StatusResponse): void {
    const now = Date.now();
    this.id = status.peer_id;
    this.mode = { value: status.sync_mode, at: status.mode_since };
    this.root = { value: status.merkle_root, at: now };
    this.links.clear();
    for (const { peer_id: peer, p2p } of status.peers) this.links.set(peer, { value: p2p.state, at: now });
  }

  #take(dated: DatedEvent): void {
    this.events.push(dated);
    const { at, event } = dated;
    if (event.type === 'mode') this.mode = { value: event.to, at };
    if (event.type === 'root') this.root = { value: event.root, at };
    if (event.type === 'peer' && event.lung === 'p2p') this.links.set(event.peer, { value: event.to, at });
  }
}

async function open(url: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent: false, signal }, (response) => {
        if (response.statusCode === 200) resolve(response as AsyncIterable<Uint8Array>);
        else {
          response.destroy();
          reject(new Error(`${url}: ${response.statusCode}`));
        }
      })
      .on('error', reject);
  });
}

/** All watches, and who waits for what they say. */
export class Watches {
  readonly all: readonly Watch[];
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<(watch: Watch) => void>();
  readonly #signal: AbortSignal;

  constructor(nodes: readonly ClusterNode[], signal: AbortSignal) {
    this.#signal = signal;
    this.all = nodes.map((node) => new Watch(node, (watch) => this.#changed(watch)));
  }

  async listen(): Promise<void> {
    await Promise.all(this.all.map((watch) => watch.listen(this.#signal)));
  }

  /** Called at every event of every node. */
  onChange(listener: (watch: Watch) => void): void {
    this.#listeners.add(listener);
  }

  /** Something other than an event may have made a claim true. */
  look(): void {
    for (const ask of this.#waiting) ask();
  }

  /** Resolves whether it became true in time. Throws the signal's reason. */
  async until(claim: () => boolean, limitMs: number): Promise<boolean> {
    this.#signal.throwIfAborted();
    const held = await new Promise<boolean>((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(ask);
        this.#signal.removeEventListener('abort', giveUp);
        resolve(result);
      };
      const ask = (): void => {
        if (claim()) end(true);
      };
      const giveUp = (): void => end(false);
      const timer = setTimeout(giveUp, limitMs);
      this.#waiting.add(ask);
      this.#signal.addEventListener('abort', giveUp);
      ask();
    });
    this.#signal.throwIfAborted();
    return held;
  }

  #changed(watch: Watch): void {
    for (const listener of this.#listeners) listener(watch);
    this.look();
  }
}
