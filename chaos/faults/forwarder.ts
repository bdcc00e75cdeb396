/**
 * One directed link between two processes, as a TCP forwarder that can go silent: the network fault of machines
 * without Docker. What a firewall's drop does to a connection is imitated from outside both processes:
 *
 *   cut         nothing is passed on and no close either; what was sent is kept, as the sender's kernel would keep it
 *   new ones    are accepted (a userspace listener cannot help it) and then hear nothing, so that dialling times out
 *   healed      new connections pass at once; old ones stay silent for as long as the cut lasted, since TCP's back-off
 *               doubles its pause (measured: silent for 24 s after 30 s), then deliver what was kept, or close
 */
import net from 'node:net';
import { once } from 'node:events';

/** What a cut connection may keep per direction before it stops reading; a socket buffer's usual order of size. */
const KEPT_BYTES_MAX = 1_048_576;

/** Who hears nothing during a cut: the side that dialled, the side that was dialled, or both. */
export type Silence = 'both' | 'dialler' | 'target';

export interface ForwarderCounts {
  /** chunks and bytes that were kept back since the last cut began */
  readonly chunks: number;
  readonly bytes: number;
  /** connections that were refused an answer since then */
  readonly dials: number;
}

export class Forwarder {
  readonly #target: () => { readonly host: string; readonly port: number };
  readonly #server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    this.#accept(socket),
  );
  readonly #pipes = new Set<Pipe>();
  /** whom nothing may reach now; null: everything passes */
  #cut: Silence | null = null;
  #cutAt = 0;
  #counts = { chunks: 0, bytes: 0, dials: 0 };
  #timers = new Set<NodeJS.Timeout>();

  /** @param target asked for every connection: a restarted node may listen elsewhere */
  constructor(target: () => { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  /** @returns the port on 127.0.0.1 */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the forwarder has no port');
    return address.port;
  }

  get counts(): ForwarderCounts {
    return { ...this.#counts };
  }

  /** connections that pass data now */
  get passing(): number {
    return [...this.#pipes].filter((pipe) => !pipe.silent).length;
  }

  get isCut(): boolean {
    return this.#cut !== null;
  }

  /** A new connection needs both ways, so it hears nothing whoever of the two shall hear nothing. */
  cut(silence: Silence = 'both'): void {
    if (this.#cut !== null) return;
    this.#cut = silence;
    this.#cutAt = performance.now();
    this.#counts = { chunks: 0, bytes: 0, dials: 0 };
    for (const pipe of this.#pipes) pipe.silence(silence);
  }

  heal(): void {
    if (this.#cut === null) return;
    this.#cut = null;
    const silentMs = performance.now() - this.#cutAt;
    const old = [...this.#pipes].filter((pipe) => pipe.silent);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#cut === null) for (const pipe of old) pipe.resume();
    }, silentMs);
    timer.unref();
    this.#timers.add(timer);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const pipe of this.#pipes) pipe.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: net.Socket): void {
    const pipe = new Pipe(near, this.#target(), {
      kept: (bytes) => {
        this.#counts.chunks += 1;
        this.#counts.bytes += bytes;
      },
      ended: () => this.#pipes.delete(pipe),
    });
    this.#pipes.add(pipe);
    if (this.#cut !== null) {
      this.#counts.dials += 1;
      pipe.silence('both');
    } else {
      pipe.connect();
    }
  }
}

interface PipeEvents {
  kept(bytes: number): void;
  ended(): void;
}

/** One connection: the socket that dialled (near) and the one that we dialled for it (far). */
class Pipe {
  readonly #near: net.Socket;
  #far: net.Socket | null = null;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #events: PipeEvents;
  #silence: Silence | null = null;
  /** what each side said while silent, in order; `close` is that side's end */
  #kept: { readonly from: net.Socket; readonly said: Buffer | 'close' }[] = [];
  readonly #keptBytes = new Map<net.Socket, number>();

  constructor(
    near: net.Socket,
    target: { readonly host: string; readonly port: number },
    events: PipeEvents,
  ) {
    this.#near = near;
    this.#target = target;
    this.#events = events;
    this.#listenTo(near);
  }

  get silent(): boolean {
    return this.#silence !== null;
  }

  connect(): void {
    this.#far = net.connect({ ...this.#target, noDelay: true, allowHalfOpen: true });
    this.#listenTo(this.#far);
  }

  silence(silence: Silence): void {
    this.#silence = silence;
  }

  resume(): void {
    if (this.#silence === null) return;
    this.#silence = null;
    if (this.#far === null && !this.#near.destroyed) this.connect();
    const kept = this.#kept;
    this.#kept = [];
    this.#keptBytes.clear();
    for (const { from, said } of kept) {
      if (said === 'close') this.destroy();
      else this.#pass(from, said);
    }
    this.#near.resume();
    this.#far?.resume();
  }

  destroy(): void {
    this.#near.destroy();
    this.#far?.destroy();
    this.#events.ended();
  }

  #listenTo(socket: net.Socket): void {
    socket.on('data', (bytes) =>
      this.#mayPass(socket) ? this.#pass(socket, bytes) : this.#keep(socket, bytes),
    );
    socket.on('drain', () => this.#otherOf(socket)?.resume());
    socket.on('end', () => {
      if (this.#mayPass(socket)) this.#otherOf(socket)?.end();
      else this.#kept.push({ from: socket, said: 'close' });
    });
    // The 'close' that follows tells the other side.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#mayPass(socket)) this.destroy();
      else this.#kept.push({ from: socket, said: 'close' });
    });
  }

  #mayPass(from: net.Socket): boolean {
    switch (this.#silence) {
      case null:
        return true;
      case 'both':
        return false;
      case 'dialler':
        return from === this.#near;
      case 'target':
        return from !== this.#near;
    }
  }

  #pass(from: net.Socket, bytes: Buffer): void {
    const other = this.#otherOf(from);
    if (other === null || other.destroyed) return;
    if (!other.write(bytes)) from.pause();
  }

  #keep(from: net.Socket, bytes: Buffer): void {
    const sum = (this.#keptBytes.get(from) ?? 0) + bytes.length;
    this.#keptBytes.set(from, sum);
    this.#kept.push({ from, said: bytes });
    this.#events.kept(bytes.length);
    if (sum > KEPT_BYTES_MAX) from.pause();
  }

  #otherOf(socket: net.Socket): net.Socket | null {
    return socket === this.#near ? this.#far : this.#near;
  }
}
