/**
 * A line between two processes on loopback that counts what goes over it and can be cut: a TCP proxy in the measuring
 * process. It counts the bytes that TCP carries in both directions, handshakes and framing of whatever runs over it included,
 * headers of TCP and IP not.
 */
import { once } from 'node:events';
import net from 'node:net';

export class Wire {
  readonly #server = net.createServer({ noDelay: true }, (near) => this.#accept(near));
  readonly #sockets = new Set<net.Socket>();
  readonly #target: number;
  #isUp = true;
  #bytes = 0;

  private constructor(target: number) {
    this.#target = target;
  }

  /** @param target port on 127.0.0.1 */
  static async to(target: number): Promise<Wire> {
    const wire = new Wire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  /** On 127.0.0.1, for whoever dials. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the wire has no port');
    return address.port;
  }

  /** Since it was made, both directions. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Ends every connection and lets none through. */
  cut(): void {
    this.#isUp = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isUp = true;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: net.Socket): void {
    if (!this.#isUp) {
      near.destroy();
      return;
    }
    const far = net.connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    this.#join(near, far);
    this.#join(far, near);
  }

  #join(from: net.Socket, to: net.Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes: Buffer) => (this.#bytes += bytes.length));
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  }
}
