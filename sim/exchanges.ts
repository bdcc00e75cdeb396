/** Questions of anti-entropy and their answers, over either lung: each ends exactly once, answered or not. */
import type { LungName } from '../node/protocol/events.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import type { VerifiedRecord } from '../node/protocol/state/record.ts';
import { isPush, recordsOf, type SyncReply, type SyncRequest } from '../node/protocol/sync/messages.ts';
import type { Planned } from './heap.ts';
import type { P2pMachine } from './p2p.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

export interface ExchangeMachine extends P2pMachine {
  readonly exchanges: Exchanges;
}

export interface ExchangesModules {
  readonly world: World;
  readonly wire: Wire;
}

export interface ExchangesOptions {
  /** an exchange that is not answered ends after so long, in ms */
  readonly timeoutMs: number;
}

interface Asked {
  readonly peer: NodeId;
  readonly lung: LungName;
  readonly timeout: Planned;
}

/** One signature, in ms: what comes with records is asked of the core only when they are verified. */
const VERIFY_MS = 0.07;

export class Exchanges {
  readonly #modules: ExchangesModules;
  readonly #options: ExchangesOptions;
  readonly #self: ExchangeMachine;
  /** own questions under way */
  readonly #asked = new Map<number, Asked>();
  /** questions of others that the core has not answered yet */
  readonly #answers = new Map<number, (reply: SyncReply) => void>();
  #next = 1;

  constructor(modules: ExchangesModules, options: ExchangesOptions, self: ExchangeMachine) {
    this.#modules = modules;
    this.#options = options;
    this.#self = self;
  }

  stop(): void {
    this.#asked.clear();
    this.#answers.clear();
  }

  ask(peer: ExchangeMachine, lung: LungName, exchange: number, message: SyncRequest): void {
    const { world, wire } = this.#modules;
    const self = this.#self;
    const parcel = wire.request(message);
    world.traffic.count('ask', parcel.bytes);
    const timeout = self.later(this.#options.timeoutMs, () => this.#fail(exchange, 'timeout'));
    this.#asked.set(exchange, { peer: peer.id, lung, timeout });
    const { life } = self;
    const answer = (reply: SyncReply): void => {
      const back = wire.reply(reply);
      world.traffic.count('answer', back.bytes);
      const arrive = (): void => {
        if (self.life === life) this.#answered(exchange, back.open());
      };
      if (lung === 'p2p') peer.p2p.send(self, arrive);
      else world.send(peer.number, self.number, 'http', () => self.receive(arrive));
    };
    const arrive = (): void => peer.exchanges.#serve(self.id, lung, parcel.open(), answer);
    switch (lung) {
      case 'p2p':
        if (self.p2p.isLinked(peer.number)) return self.p2p.send(peer, arrive);
        self.later(0, () => this.#fail(exchange, 'not_connected'));
        return;
      case 'http':
        return world.request(self.number, peer.number, 'http', () => {
          if (peer.isUp) return peer.receive(arrive);
          world.send(peer.number, self.number, 'http', () => {
            if (self.life === life) self.receive(() => this.#fail(exchange, 'refused'));
          });
        });
    }
  }

  /** The core's answer to a question of another. */
  answer(exchange: number, reply: SyncReply): void {
    this.#answers.get(exchange)?.(reply);
    this.#answers.delete(exchange);
  }

  /** The connection that carried them has ended. */
  failAll(peer: NodeId, lung: LungName): void {
    for (const [exchange, asked] of this.#asked) {
      if (asked.peer === peer && asked.lung === lung) this.#fail(exchange, 'connection_closed');
    }
  }

  #serve(
    peer: NodeId,
    lung: LungName,
    message: SyncRequest<VerifiedRecord> | null,
    answer: (reply: SyncReply) => void,
  ): void {
    if (message === null) return;
    if (!isPush(message)) this.#self.step({ type: 'asking', peer, lung });
    const asked = (): void => {
      const exchange = this.#next++;
      this.#answers.set(exchange, answer);
      this.#self.step({ type: 'asked', peer, lung, exchange, message });
    };
    const verifyMs = recordsOf(message).length * VERIFY_MS;
    if (verifyMs === 0) asked();
    else this.#self.later(verifyMs, asked);
  }

  #answered(exchange: number, message: SyncReply<VerifiedRecord> | null): void {
    const asked = this.#asked.get(exchange);
    if (asked === undefined) return;
    if (message === null) return this.#fail(exchange, 'bad_signature');
    asked.timeout.cancel();
    this.#asked.delete(exchange);
    const { peer, lung } = asked;
    this.#self.step({ type: 'answered', peer, lung, exchange, message });
  }

  #fail(exchange: number, reason: string): void {
    const asked = this.#asked.get(exchange);
    if (asked === undefined) return;
    asked.timeout.cancel();
    this.#asked.delete(exchange);
    const { peer, lung } = asked;
    this.#self.step({ type: 'unanswered', peer, lung, exchange, reason });
  }
}
