/**
 * What an exchange over HTTP cost on its socket: bytes since the last one there, heads included, since a poll is hardly
 * anything but its head. A kept-alive socket carries one exchange at a time.
 */
import type { CountBytes, TrafficKind } from '../../ports.ts';

/** A socket, as far as it counts. */
interface Counted {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export class SocketBytes {
  readonly #count: CountBytes;
  readonly #seen = new WeakMap<Counted, { readonly read: number; readonly written: number }>();

  constructor(count: CountBytes) {
    this.#count = count;
  }

  /** Counts what passed since the last call with this socket. */
  take(socket: Counted | null | undefined, kind: TrafficKind): void {
    if (socket === null || socket === undefined) return;
    const before = this.#seen.get(socket) ?? { read: 0, written: 0 };
    const now = { read: socket.bytesRead, written: socket.bytesWritten };
    this.#seen.set(socket, now);
    if (now.read > before.read) this.#count('in', kind, now.read - before.read);
    if (now.written > before.written) this.#count('out', kind, now.written - before.written);
  }
}
