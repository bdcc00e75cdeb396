/**
 * Who may hold a connection while more come than there is room for. Nobody is asked who he is before he has sent a
 * request, so room is made first and questions come later:
 *
 *   room        a connection beyond the limits takes the place of one that has been idle longest, of the address that has
 *               most of them: idle ones cost their owner nothing but a new connection
 *   reserve     where none is idle the newcomer gets a place of the reserve, and there only what keeps the node alive is
 *               served: health, readiness, status, and requests of members. All else is 503
 *   members     a connection on which a member was answered does not lose its place while it is idle
 *
 * An address has its own limit so that others always find room, however busy its connections are.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionsOptions {
  /** beside the reserve */
  readonly max: number;
  /** of one IPv4 address or one IPv6 /64, which a proxy's or a container gateway's clients share */
  readonly perAddressMax: number;
  readonly reserve: number;
}

/** A guess: a connection costs some 20 KB; a proxy keeps hundreds, a flood thousands. */
const MAX = 4096;
/** Guesses: a quarter of all is out of the reach of one address, and a few of many are enough to be heard in. */
const PER_ADDRESS_SHARE = 0.75;
const RESERVE_SHARE = 1 / 32;
const RESERVE_MIN = 4;

/** @param most how many the process can have open, the reserve included: MAX and its reserve where there is no limit */
export function limitsFor(most: number): ConnectionsOptions {
  const reserve = Math.max(RESERVE_MIN, Math.floor(Math.min(most, MAX) * RESERVE_SHARE));
  const max = Math.min(MAX, Math.max(1, most - reserve));
  return { max, perAddressMax: Math.ceil(max * PER_ADDRESS_SHARE), reserve };
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** to its latest request; it still says which that was */
  response: ServerResponse | null;
  /** in order of requests and openings */
  usedAt: number;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #isVital: (request: IncomingMessage) => boolean;
  readonly #isMembers: (request: IncomingMessage) => boolean;
  readonly #all = new Map<Socket, Connection>();
  /** those in their places */
  readonly #byAddress = new Map<string, Set<Connection>>();
  /** oldest first */
  readonly #reserve = new Set<Connection>();
  /** without those of the reserve */
  #placed = 0;
  #uses = 0;

  /** @param isMembers claims to be a member's; whether it is, its answer shows */
  constructor(
    options: ConnectionsOptions,
    asks: {
      readonly isVital: (request: IncomingMessage) => boolean;
      readonly isMembers: (request: IncomingMessage) => boolean;
    },
  ) {
    this.#options = options;
    this.#isVital = asks.isVital;
    this.#isMembers = asks.isMembers;
  }

  opened(socket: Socket): void {
    const address = addressGroup(socket.remoteAddress ?? '');
    const connection: Connection = { socket, address, response: null, usedAt: this.#nextUse() };
    socket.once('close', () => this.#remove(connection));
    if (this.#hasRoom(address) || this.#makeRoom(address)) this.#place(connection);
    else this.#placeInReserve(connection);
    this.#all.set(socket, connection);
  }

  /** A request has come. @returns whether it may be served; else it is told that there are too many connections */
  admits(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#all.get(request.socket);
    if (connection === undefined) return true;
    connection.response = response;
    connection.usedAt = this.#nextUse();
    if (this.#reserve.size === 0 || !this.#reserve.has(connection)) return true;
    if (this.#hasRoom(connection.address)) {
      this.#reserve.delete(connection);
      this.#place(connection);
      return true;
    }
    return this.#isVital(request) || this.#isMembers(request);
  }

  #nextUse(): number {
    this.#uses += 1;
    return this.#uses;
  }

  #hasRoom(address: string): boolean {
    const { max, perAddressMax } = this.#options;
    return this.#placed < max && (this.#byAddress.get(address)?.size ?? 0) < perAddressMax;
  }

  /** @returns false where nobody who could give way is idle */
  #makeRoom(address: string): boolean {
    const own = this.#byAddress.get(address);
    const isOwnLimit = own !== undefined && own.size >= this.#options.perAddressMax;
    const victim = isOwnLimit
      ? this.#idlest(own)
      : (this.#idlest(this.#largest()) ?? this.#idlest(this.#inPlaces()));
    if (victim === null) return false;
    this.#evict(victim);
    return true;
  }

  #place(connection: Connection): void {
    const { address } = connection;
    const group = this.#byAddress.get(address);
    if (group === undefined) this.#byAddress.set(address, new Set([connection]));
    else group.add(connection);
    this.#placed += 1;
  }

  /** Whoever comes there is heard, so that a flood which is busy, too, keeps nobody out for long. */
  #placeInReserve(connection: Connection): void {
    if (this.#reserve.size >= this.#options.reserve) {
      const [oldest] = this.#reserve;
      const victim = this.#idlest(this.#reserve) ?? oldest;
      if (victim !== undefined) this.#evict(victim);
    }
    this.#reserve.add(connection);
  }

  #evict(connection: Connection): void {
    this.#remove(connection);
    connection.socket.destroy();
  }

  #remove(connection: Connection): void {
    if (!this.#all.delete(connection.socket) || this.#reserve.delete(connection)) return;
    this.#placed -= 1;
    const group = this.#byAddress.get(connection.address);
    group?.delete(connection);
    if (group?.size === 0) this.#byAddress.delete(connection.address);
  }

  #largest(): ReadonlySet<Connection> {
    let largest: ReadonlySet<Connection> = new Set();
    for (const group of this.#byAddress.values()) if (group.size > largest.size) largest = group;
    return largest;
  }

  *#inPlaces(): Generator<Connection, void, undefined> {
    for (const group of this.#byAddress.values()) yield* group;
  }

  /** The one that was used longest ago, of those that wait for a request and are not a member's. */
  #idlest(connections: Iterable<Connection>): Connection | null {
    let idlest: Connection | null = null;
    for (const one of connections) {
      if ((idlest === null || one.usedAt < idlest.usedAt) && this.#isIdle(one)) idlest = one;
    }
    return idlest;
  }

  #isIdle({ response }: Connection): boolean {
    if (response === null) return true;
    if (!response.writableFinished && !response.destroyed) return false;
    return response.statusCode >= 400 || !this.#isMembers(response.req);
  }
}

/** What counts as one address: an IPv4 address, also where it comes inside IPv6, or the first 64 bits of an IPv6 one. */
export function addressGroup(address: string): string {
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1);
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? 0 : tail.split(':').length;
  if (tail !== undefined) while (groups.length + behind < 8) groups.push('0');
  return groups.slice(0, 4).join(':');
}
