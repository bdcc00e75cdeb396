/**
 * The room's events to the pages that watch, as server-sent events: a snapshot, then what changes it, several events to a
 * message. A page that comes back names the last message it had (`Last-Event-ID`) and gets what it missed, or a snapshot.
 *
 * One ring of the latest events serves everybody: a page that reads slowly has no queue of its own that could grow. It is
 * passed over until its socket is free, continues from the ring, and starts anew from a snapshot when the ring has moved on.
 */
import { randomBytes } from 'node:crypto';
import type { RoomEvent, RoomView } from '../../../dashboard/room/model.ts';

/** Of a response, what the feed needs. */
export interface Listener {
  /** @returns false when the socket is full; `drain` follows when it is free again */
  write(text: string): boolean;
  on(event: 'drain' | 'close', heard: () => void): unknown;
  destroy(): void;
}

export interface FeedOptions {
  /** events kept for those that come back or read slowly */
  readonly kept?: number;
  /** events within this time go out together */
  readonly gatherMs?: number;
  readonly listenersMax?: number;
}

/** About four seconds of fifty nodes with twenty events a second each. */
const KEPT = 4096;
/** Three frames of a screen: nobody sees it, and a burst is one message. */
const GATHER_MS = 50;
const LISTENERS_MAX = 32;

interface Client {
  readonly listener: Listener;
  /** number of the last event it has; null: none, it needs a snapshot */
  has: number | null;
  blocked: boolean;
}

export class Feed {
  /** Numbers start anew with every start of the server: ids of another session mean nothing here. */
  readonly #session = randomBytes(6).toString('hex');
  readonly #view: () => RoomView;
  readonly #options: Required<FeedOptions>;
  readonly #clients = new Set<Client>();
  /** events as JSON; the last one has number `#last` */
  #ring: string[] = [];
  #last = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param view the room after every event that was appended */
  constructor(view: () => RoomView, options: FeedOptions = {}) {
    this.#view = view;
    this.#options = { kept: KEPT, gatherMs: GATHER_MS, listenersMax: LISTENERS_MAX, ...options };
  }

  append(event: RoomEvent): void {
    this.#last += 1;
    if (this.#clients.size === 0 && this.#ring.length === 0) return;
    this.#ring.push(JSON.stringify(event));
    if (this.#ring.length > 2 * this.#options.kept) this.#ring = this.#ring.slice(-this.#options.kept);
    this.#timer ??= setTimeout(() => this.flush(), this.#options.gatherMs).unref();
  }

  /** @returns false when there are already as many as there may be */
  connect(listener: Listener, lastEventId: string | undefined): boolean {
    if (this.#clients.size >= this.#options.listenersMax) return false;
    const client: Client = { listener, has: this.#numberOf(lastEventId), blocked: false };
    this.#clients.add(client);
    listener.on('close', () => this.#clients.delete(client));
    listener.on('drain', () => {
      client.blocked = false;
      this.#serve(client);
    });
    this.#serve(client);
    return true;
  }

  /** Sends what has gathered, now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const client of this.#clients) this.#serve(client);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { listener } of this.#clients) listener.destroy();
    this.#clients.clear();
  }

  #serve(client: Client): void {
    if (client.blocked || client.has === this.#last) return;
    const missed = client.has === null ? Number.POSITIVE_INFINITY : this.#last - client.has;
    const isKept = missed <= this.#ring.length && missed <= this.#options.kept;
    const [name, data] = isKept
      ? ['events', `[${this.#ring.slice(-missed).join(',')}]`]
      : ['snapshot', JSON.stringify(this.#view())];
    client.has = this.#last;
    client.blocked = !client.listener.write(
      `id: ${this.#session}-${this.#last}\nevent: ${name}\ndata: ${data}\n\n`,
    );
  }

  #numberOf(id: string | undefined): number | null {
    const [session, number] = (id ?? '').split('-');
    if (session !== this.#session || number === undefined || !/^\d{1,15}$/.test(number)) return null;
    return Number(number) <= this.#last ? Number(number) : null;
  }
}
