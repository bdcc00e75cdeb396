/** The HTTP lung of a simulated machine, as far as polls go: conditional, held by the other side until its root changes. */
import type { Beacon } from '../node/protocol/border.ts';
import type { Digest } from '../node/protocol/ids.ts';
import type { Planned } from './heap.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

export interface HttpMachine extends Machine {
  readonly http: HttpLung;
}

export interface HttpModules {
  readonly world: World;
  /** what it says of itself now */
  readonly beacon: () => Beacon;
  readonly root: () => Digest;
}

export interface HttpOptions {
  /** a poll that is not answered ends so long after it should have been, in ms */
  readonly timeoutMs: number;
}

interface HeldPoll {
  readonly root: Digest;
  readonly answer: () => void;
  readonly end: Planned;
}

/** A request and its answer with their headers, in bytes: measured on the HTTP lung, a signed poll and its 304 or short JSON. */
const POLL_BYTES = 700;

export class HttpLung {
  readonly #modules: HttpModules;
  readonly #options: HttpOptions;
  readonly #self: HttpMachine;
  #held: HeldPoll[] = [];

  constructor(modules: HttpModules, options: HttpOptions, self: HttpMachine) {
    this.#modules = modules;
    this.#options = options;
    this.#self = self;
  }

  stop(): void {
    this.#held = [];
  }

  poll(peer: HttpMachine, root: Digest, waitMs: number): void {
    const { world } = this.#modules;
    const self = this.#self;
    const sentAt = world.now;
    world.traffic.count('poll', POLL_BYTES);
    let isOver = false;
    const silent = (reason: string): void => {
      if (isOver) return;
      isOver = true;
      self.step({ type: 'silent', peer: peer.id, lung: 'http', reason });
    };
    const timeout = self.later(waitMs + this.#options.timeoutMs, () => silent('timeout'));
    world.request(self.number, peer.number, 'http', () => {
      if (!peer.isUp) return this.#refused(peer, () => silent('refused'));
      peer.receive(() => {
        peer.http.#serve(root, waitMs, () => {
          const beacon = peer.http.#modules.beacon();
          const { life } = self;
          world.send(peer.number, self.number, 'http', () => {
            self.receive(() => {
              if (isOver || self.life !== life) return;
              isOver = true;
              timeout.cancel();
              const rttMs = waitMs > 0 ? null : world.now - sentAt;
              self.step({ type: 'heard', peer: peer.id, lung: 'http', rttMs, beacon });
            });
          });
        });
      });
    });
  }

  /** The root may have changed: whoever waits for that is answered. */
  wake(root: Digest): void {
    if (this.#held.length === 0) return;
    const over = this.#held.filter((held) => held.root !== root);
    if (over.length === 0) return;
    this.#held = this.#held.filter((held) => held.root === root);
    for (const { answer, end } of over) {
      end.cancel();
      answer();
    }
  }

  #serve(root: Digest, waitMs: number, answer: () => void): void {
    if (waitMs <= 0 || this.#modules.root() !== root) return answer();
    const end = this.#self.later(waitMs, () => {
      this.#held = this.#held.filter((one) => one !== held);
      answer();
    });
    const held: HeldPoll = { root, answer, end };
    this.#held.push(held);
  }

  /** Nobody listens on that port: the machine says so, if its word arrives. */
  #refused(peer: HttpMachine, silent: () => void): void {
    const self = this.#self;
    const { life } = self;
    this.#modules.world.send(peer.number, self.number, 'http', () => {
      if (self.life === life) self.receive(silent);
    });
  }
}
