/**
 * One directed link between two processes, as a TCP forwarder that can be made worse: the network fault of machines
 * without Docker. Any number of conditions may stand at a time; together they are as bad as the worst of each. What a
 * firewall's drop does to a connection is imitated from outside both processes:
 *
 *   silence     nothing is passed on and no close either; what was sent is kept, as the sender's kernel would keep it
 *   new ones    are accepted (a userspace listener cannot help it) and then hear nothing, so that dialling times out
 *   healed      new connections pass at once; old ones stay silent for as long as the silence lasted, since TCP's back-off
 *               doubles its pause (measured: silent for 24 s after 30 s), then deliver what was kept, or close
 */
import net from 'node:net';
import { once } from 'node:events';
import { Pipe } from './pipe.ts';
import type { Direction, Silence } from './pipe.ts';

interface Delay {
  readonly ms: number;
  readonly jitterMs: number;
}

/** What stands on a link; everything is optional, and all of it holds. */
export interface Condition {
  readonly silence?: Silence;
  /** every connection is broken with a reset, and so is every new one */
  readonly reset?: boolean;
  /** of each way */
  readonly delays?: readonly Delay[];
  /** through which what goes this way has to pass; shared with other links */
  readonly meters?: Readonly<Record<Direction, readonly Meter[]>>;
}

/** What happened because of conditions, since the link was made. */
export interface ForwarderCounts {
  /** chunks and bytes that were kept back */
  readonly chunks: number;
  readonly bytes: number;
  /** connections that were refused an answer */
  readonly dials: number;
  /** connections that were reset */
  readonly resets: number;
  /** chunks that came later than they were sent */
  readonly delayed: number;
}

export class Forwarder {
  readonly #target: () => { readonly host: string; readonly port: number };
  readonly #server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    this.#accept(socket),
  );
  readonly #pipes = new Set<Pipe>();
  readonly #conditions = new Set<Condition>();
  /** since when nothing passes one way or both; null: everything may */
  #silentAt: number | null = null;
  #counts = { chunks: 0, bytes: 0, dials: 0, resets: 0, delayed: 0 };
  #timers = new Set<NodeJS.Timeout>();
  #port = 0;

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
    this.#port = address.port;
    return this.#port;
  }

  get port(): number {
    return this.#port;
  }

  get counts(): ForwarderCounts {
    return { ...this.#counts };
  }

  get conditions(): readonly Condition[] {
    return [...this.#conditions];
  }

  impose(condition: Condition): void {
    this.#conditions.add(condition);
    this.#apply();
  }

  lift(condition: Condition): void {
    if (this.#conditions.delete(condition)) this.#apply();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const pipe of this.#pipes) pipe.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #apply(): void {
    if ([...this.#conditions].some(({ reset }) => reset)) {
      for (const pipe of this.#pipes) this.#reset(pipe);
    }
    const silence = silenceOf(this.#conditions);
    if (silence !== null) {
      this.#silentAt ??= performance.now();
      for (const pipe of this.#pipes) pipe.silence(silence);
    } else if (this.#silentAt !== null) {
      this.#endSilence(performance.now() - this.#silentAt);
      this.#silentAt = null;
    }
  }

  #endSilence(silentMs: number): void {
    const old = [...this.#pipes].filter((pipe) => pipe.silent);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#silentAt === null) for (const pipe of old) pipe.resume();
    }, silentMs);
    timer.unref();
    this.#timers.add(timer);
  }

  #reset(pipe: Pipe): void {
    this.#counts.resets += 1;
    pipe.reset();
  }

  /** A new connection needs both ways, so it hears nothing whoever of the two shall hear nothing. */
  #accept(near: net.Socket): void {
    const pipe = new Pipe(near, this.#target(), {
      kept: (bytes) => {
        this.#counts.chunks += 1;
        this.#counts.bytes += bytes;
      },
      dueAt: (direction, bytes, now) => this.#dueAt(direction, bytes, now),
      ended: () => this.#pipes.delete(pipe),
    });
    this.#pipes.add(pipe);
    if ([...this.#conditions].some(({ reset }) => reset)) {
      this.#reset(pipe);
    } else if (this.#silentAt !== null) {
      this.#counts.dials += 1;
      pipe.silence('both');
    } else {
      pipe.connect();
    }
  }

  /** @returns when so many bytes arrive that are sent now; `now` itself where nothing delays them */
  #dueAt(direction: Direction, bytes: number, now: number): number {
    let due = now;
    for (const { meters } of this.#conditions)
      for (const meter of meters?.[direction] ?? []) due = meter.take(bytes, due);
    for (const { delays = [] } of this.#conditions)
      for (const { ms, jitterMs } of delays) due += ms + (Math.random() * 2 - 1) * jitterMs;
    if (due > now) this.#counts.delayed += 1;
    return due;
  }
}

/** Lets so many bytes through in a time, whoever sends them: one after the other. */
export class Meter {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  /** @param kBps kilobytes per second, which are bytes per millisecond */
  constructor(kBps: number) {
    this.#bytesPerMs = kBps;
  }

  /** @returns when the last of these bytes is through */
  take(bytes: number, now: number): number {
    this.#freeAt = Math.max(now, this.#freeAt) + bytes / this.#bytesPerMs;
    return this.#freeAt;
  }
}

function silenceOf(conditions: Iterable<Condition>): Silence | null {
  const silences = new Set([...conditions].flatMap(({ silence }) => silence ?? []));
  const [one = null] = silences;
  return silences.size > 1 ? 'both' : one;
}
