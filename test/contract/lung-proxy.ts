/**
 * A TCP proxy that can fall silent: a cut that drops, without root or firewall. Bytes that meet a silent proxy are
 * lost with their connection; the connection itself stays open, so neither end is told. It can also be narrow, as a path that
 * loses packets above some size: small chunks pass, the first large one blocks its way for good, and new connections begin anew.
 */
import net from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';

export class SilentProxy {
  readonly #target: number;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #silent = false;
  #bytesPerSecond = Infinity;
  #chunkBytesMax = Infinity;

  constructor(targetPort: number) {
    this.#target = targetPort;
    this.#server = net.createServer((near) => this.#join(near));
  }

  /** @returns the port to dial instead of the target's */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing passes; connections of this time stay dead for good. */
  silence(): void {
    this.#silent = true;
    for (const socket of this.#sockets) socket.unpipe().removeAllListeners('end').pause();
  }

  /** A thin line, both ways, for what passes from now on. */
  slow(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** From now on a chunk above so many bytes blocks its way. */
  narrow(chunkBytesMax: number): void {
    this.#chunkBytesMax = chunkBytesMax;
  }

  /** New connections pass again. */
  heal(): void {
    this.#silent = false;
    this.#chunkBytesMax = Infinity;
  }

  /** What the kernel does for a killed process. */
  kill(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #join(near: net.Socket): void {
    this.#keep(near);
    if (this.#silent) return;
    const far = net.connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    this.#keep(far);
    near.setNoDelay(true);
    near.pipe(this.#line()).pipe(far);
    far.pipe(this.#line()).pipe(near);
    near.on('close', () => this.#closed(near, far));
    far.on('close', () => this.#closed(far, near));
  }

  #line(): Transform {
    let isBlocked = false;
    const pass = async (chunk: Buffer, done: (error: null, chunk?: Buffer) => void): Promise<void> => {
      isBlocked ||= chunk.length > this.#chunkBytesMax;
      if (isBlocked) return done(null);
      const ms = (chunk.length * 1_000) / this.#bytesPerSecond;
      if (ms > 0) await delay(ms);
      done(null, chunk);
    };
    return new Transform({ transform: (chunk: Buffer, _encoding, done) => void pass(chunk, done) });
  }

  #closed(socket: net.Socket, other: net.Socket): void {
    // a silent path swallows goodbyes too
    if (!socket.isPaused()) other.destroy();
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
