/**
 * One connection through a forwarder: the socket that dialled (near) and the one that we dialled for it (far). It passes
 * on what each side says, in order, at once or later; while it is silent it keeps what it may not pass.
 */
import net from 'node:net';

/** Who hears nothing: the side that dialled, the side that was dialled, or both. */
export type Silence = 'both' | 'dialler' | 'target';

/** Whither something is on its way. */
export type Direction = 'toTarget' | 'toDialler';

/** What may be kept or under way per direction before the sender is made to wait; a socket buffer's usual order of size. */
const HELD_BYTES_MAX = 1_048_576;

export interface PipeEvents {
  /** so many bytes may not pass now */
  kept(bytes: number): void;
  /** when so many bytes shall arrive that are sent now, by the clock of `performance` */
  dueAt(direction: Direction, bytes: number, now: number): number;
  ended(): void;
}

type Said = Buffer | 'end' | 'close';

/** What one side has said and the other has not heard yet. */
interface Lane {
  readonly direction: Direction;
  /** said while silent */
  kept: Said[];
  /** on its way, each with the time of its arrival */
  flying: { readonly said: Said; readonly due: number }[];
  heldBytes: number;
  timer: NodeJS.Timeout | null;
}

export class Pipe {
  readonly #near: net.Socket;
  #far: net.Socket | null = null;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #events: PipeEvents;
  readonly #toTarget = laneTo('toTarget');
  readonly #toDialler = laneTo('toDialler');
  #silence: Silence | null = null;
  #ended = false;

  constructor(
    near: net.Socket,
    target: { readonly host: string; readonly port: number },
    events: PipeEvents,
  ) {
    this.#near = near;
    this.#target = target;
    this.#events = events;
    this.#listenTo(near, this.#toTarget);
  }

  get silent(): boolean {
    return this.#silence !== null;
  }

  connect(): void {
    this.#far = net.connect({ ...this.#target, noDelay: true, allowHalfOpen: true });
    this.#listenTo(this.#far, this.#toDialler);
  }

  /** A silence may widen; it ends as a whole, or what was kept would arrive after what was said later. */
  silence(silence: Silence): void {
    this.#silence = this.#silence === null || this.#silence === silence ? silence : 'both';
  }

  resume(): void {
    if (this.#silence === null) return;
    this.#silence = null;
    if (this.#far === null && !this.#near.destroyed) this.connect();
    for (const lane of [this.#toTarget, this.#toDialler]) {
      const { kept } = lane;
      lane.kept = [];
      for (const said of kept) {
        lane.heldBytes -= typeof said === 'string' ? 0 : said.length;
        this.#send(lane, said);
      }
      this.#wake(lane);
    }
  }

  reset(): void {
    this.#near.resetAndDestroy();
    this.#far?.resetAndDestroy();
    this.#end();
  }

  destroy(): void {
    this.#near.destroy();
    this.#far?.destroy();
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const lane of [this.#toTarget, this.#toDialler]) if (lane.timer !== null) clearTimeout(lane.timer);
    this.#events.ended();
  }

  #listenTo(socket: net.Socket, lane: Lane): void {
    const hear = (said: Said): void => {
      if (this.#ended) return;
      if (this.#mayPass(lane.direction)) this.#send(lane, said);
      else this.#keep(lane, said);
    };
    socket.on('data', hear);
    socket.on('end', () => hear('end'));
    socket.on('drain', () => this.#wake(lane === this.#toTarget ? this.#toDialler : this.#toTarget));
    // The 'close' that follows tells the other side.
    socket.on('error', () => undefined);
    socket.on('close', () => hear('close'));
  }

  #mayPass(direction: Direction): boolean {
    if (this.#silence === null) return true;
    return this.#silence !== 'both' && (this.#silence === 'dialler') === (direction === 'toTarget');
  }

  #keep(lane: Lane, said: Said): void {
    lane.kept.push(said);
    if (typeof said === 'string') return;
    this.#events.kept(said.length);
    this.#hold(lane, said.length);
  }

  #send(lane: Lane, said: Said): void {
    const now = performance.now();
    const last = lane.flying.at(-1)?.due ?? now;
    const bytes = typeof said === 'string' ? 0 : said.length;
    // Nothing overtakes what was said before it.
    const due = Math.max(last, this.#events.dueAt(lane.direction, bytes, now));
    if (due <= now) {
      this.#deliver(lane, said);
      return;
    }
    lane.flying.push({ said, due });
    this.#hold(lane, bytes);
    this.#schedule(lane);
  }

  #schedule(lane: Lane): void {
    const [first] = lane.flying;
    if (lane.timer !== null || first === undefined) return;
    lane.timer = setTimeout(
      () => {
        lane.timer = null;
        // Timers are up to a millisecond early.
        const now = performance.now() + 1;
        while (!this.#ended && lane.flying[0] !== undefined && lane.flying[0].due <= now) {
          const { said } = lane.flying[0];
          lane.flying.shift();
          lane.heldBytes -= typeof said === 'string' ? 0 : said.length;
          this.#deliver(lane, said);
        }
        this.#wake(lane);
        if (!this.#ended) this.#schedule(lane);
      },
      Math.max(0, first.due - performance.now()),
    );
  }

  #deliver(lane: Lane, said: Said): void {
    const to = lane.direction === 'toTarget' ? this.#far : this.#near;
    if (said === 'close') this.destroy();
    else if (to === null || to.destroyed) return;
    else if (said === 'end') to.end();
    else if (!to.write(said)) this.#sourceOf(lane)?.pause();
  }

  #hold(lane: Lane, bytes: number): void {
    lane.heldBytes += bytes;
    if (lane.heldBytes > HELD_BYTES_MAX) this.#sourceOf(lane)?.pause();
  }

  /** Lets the sender go on, where there is room again. */
  #wake(lane: Lane): void {
    if (lane.kept.length === 0 && lane.flying.length === 0) lane.heldBytes = 0;
    if (lane.heldBytes <= HELD_BYTES_MAX) this.#sourceOf(lane)?.resume();
  }

  #sourceOf(lane: Lane): net.Socket | null {
    return lane.direction === 'toTarget' ? this.#near : this.#far;
  }
}

function laneTo(direction: Direction): Lane {
  return { direction, kept: [], flying: [], heldBytes: 0, timer: null };
}
