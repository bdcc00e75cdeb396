/**
 * A lung without a network, for tests of everything above lungs. It plays either lung: all effects work under both
 * names. A link is up once both ends can hear each other; a cut leaves it up, as a real one does, until `reset`.
 */
import { EXCHANGE_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../ports.ts';
import type { Lung, LungEffect, LungEvent, LungSink } from '../../ports.ts';
import type { Beacon } from '../../protocol/border.ts';
import type { LungName } from '../../protocol/events.ts';
import type { Digest, NodeId } from '../../protocol/ids.ts';
import type { MemoryNetwork } from './memory-network.ts';

export interface MemoryLungModules {
  readonly id: NodeId;
  readonly network: MemoryNetwork<MemoryLung>;
  /** what this node says of itself when polled */
  readonly beacon: () => Beacon;
}

interface Link {
  /** the last beat heard, to be echoed */
  heard: { readonly sentMs: number; readonly atMs: number } | null;
}

interface HeldPoll {
  readonly root: Digest;
  readonly answer: () => void;
}

export class MemoryLung implements Lung {
  readonly name: LungName;
  readonly id: NodeId;
  readonly #network: MemoryNetwork<MemoryLung>;
  readonly #beacon: () => Beacon;
  readonly #links = new Map<NodeId, Link>();
  readonly #timers = new Set<() => void>();
  readonly #held = new Set<HeldPoll>();
  #sink: LungSink | null = null;

  constructor(name: LungName, modules: MemoryLungModules) {
    this.name = name;
    this.id = modules.id;
    this.#network = modules.network;
    this.#beacon = modules.beacon;
  }

  async start(sink: LungSink): Promise<void> {
    this.#sink = sink;
    this.#network.join(this);
    this.#redial();
  }

  async stop(): Promise<void> {
    if (this.#sink === null) return;
    this.#sink = null;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#held.clear();
    for (const peer of this.#links.keys())
      this.#network.send(this.id, peer, (other) => other.#drop(this.id, 'peer stopped'));
    this.#links.clear();
    this.#network.leave(this);
  }

  perform(effect: LungEffect): void {
    if (this.#sink === null) return;
    switch (effect.type) {
      case 'publish':
        this.#publish(effect.bytes);
        return;
      case 'beat':
        this.#beat(effect.peer, effect.beacon);
        return;
      case 'poll':
        this.#poll(effect.peer, effect.root, effect.waitMs);
        return;
      case 'ask':
        this.#ask(effect.peer, effect.exchange, effect.bytes, effect.timeoutMs);
        return;
      case 'reset':
        this.#network.send(this.id, effect.peer, (other) => other.#drop(this.id, 'reset by peer'));
        this.#after(0, () => this.#drop(effect.peer, 'reset'));
        return;
    }
  }

  /** Members meet by id here; addresses mean nothing. */
  addAddress(): void {}

  /** Answers the polls that waited for our root to change. */
  rootChanged(): void {
    const { root } = this.#beacon();
    for (const poll of this.#held) if (poll.root !== root) poll.answer();
  }

  #publish(bytes: Uint8Array): void {
    if (bytes.length > MESSAGE_BYTES_MAX) {
      const reason = `publish of ${bytes.length} bytes is too large`;
      this.#after(0, () => this.#emit({ type: 'refused', peer: null, what: 'message', reason }));
      return;
    }
    for (const peer of this.#links.keys()) {
      this.#network.send(this.id, peer, (other) => {
        if (!other.#links.has(this.id)) return;
        other.#emit({ type: 'heard', peer: this.id, rttMs: null, beacon: null });
        other.#emit({ type: 'gossip', peer: this.id, bytes: bytes.slice() });
      });
    }
  }

  #beat(peer: NodeId, beacon: Beacon): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    const sentMs = this.#network.clock.monotonicMs();
    const echo = link.heard === null ? null : { sentMs: link.heard.sentMs, holdMs: sentMs - link.heard.atMs };
    this.#network.send(this.id, peer, (other) => {
      const otherLink = other.#links.get(this.id);
      if (otherLink === undefined) return;
      const now = this.#network.clock.monotonicMs();
      otherLink.heard = { sentMs, atMs: now };
      const rttMs = echo === null ? null : Math.max(0, now - echo.sentMs - echo.holdMs);
      other.#emit({ type: 'heard', peer: this.id, rttMs, beacon });
    });
  }

  #poll(peer: NodeId, root: Digest, waitMs: number): void {
    const startedMs = this.#network.clock.monotonicMs();
    let settled = false;
    const cancel = this.#after(waitMs + this.#patienceMs(), () => {
      settled = true;
      this.#emit({ type: 'silent', peer, reason: 'timeout' });
    });
    this.#network.send(this.id, peer, (other) => {
      const answer = (): void => {
        other.#held.delete(poll);
        cancelWait();
        const beacon = other.#beacon();
        this.#network.send(peer, this.id, () => {
          if (settled) return;
          settled = true;
          cancel();
          this.#emit({ type: 'heard', peer, rttMs: this.#network.clock.monotonicMs() - startedMs, beacon });
        });
      };
      const poll: HeldPoll = { root, answer };
      other.#held.add(poll);
      const cancelWait = other.#after(waitMs, answer);
      if (other.#beacon().root !== root) answer();
    });
  }

  #ask(peer: NodeId, exchange: number, bytes: Uint8Array, timeoutMs: number): void {
    const startedMs = this.#network.clock.monotonicMs();
    let settled = false;
    const settle = (event: LungEvent): void => {
      if (settled) return;
      settled = true;
      cancel();
      this.#emit(event);
    };
    const unanswered = (reason: string): void => settle({ type: 'unanswered', peer, exchange, reason });
    const cancel = this.#after(timeoutMs, () => unanswered('timeout'));
    const failLater = (reason: string): void => void this.#after(0, () => unanswered(reason));
    if (bytes.length > EXCHANGE_BYTES_MAX) return failLater(`question of ${bytes.length} bytes is too large`);
    if (!this.#links.has(peer)) return failLater('not connected');
    this.#network.send(this.id, peer, (other) => {
      let answered = false;
      const answer = (reply: Uint8Array | null): void => {
        if (answered) return;
        answered = true;
        this.#network.send(peer, this.id, () => {
          if (reply === null || reply.length > EXCHANGE_BYTES_MAX) return unanswered('refused');
          settle({
            type: 'answered',
            peer,
            exchange,
            bytes: reply.slice(),
            rttMs: this.#network.clock.monotonicMs() - startedMs,
          });
        });
      };
      other.#emit({ type: 'asked', peer: this.id, bytes: bytes.slice(), answer });
    });
  }

  #drop(peer: NodeId, reason: string): void {
    if (this.#links.delete(peer)) this.#emit({ type: 'link', peer, state: 'down', reason });
  }

  #redial(): void {
    for (const other of this.#network.others(this.id)) {
      if (this.#links.has(other.id) || this.#network.isCut(this.id, other.id)) continue;
      other.#drop(this.id, 'replaced by a newer connection');
      this.#raise(other.id);
      other.#raise(this.id);
    }
    this.#after(this.#network.redialMs, () => this.#redial());
  }

  #raise(peer: NodeId): void {
    this.#links.set(peer, { heard: null });
    this.#emit({ type: 'link', peer, state: 'up', address: `/memory/${peer}` });
  }

  #patienceMs(): number {
    return 10 * this.#network.latencyMs;
  }

  #after(ms: number, run: () => void): () => void {
    const cancelTimer = this.#network.clock.after(ms, () => {
      this.#timers.delete(cancel);
      run();
    });
    const cancel = (): void => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  #emit(event: LungEvent): void {
    this.#sink?.(event);
  }
}
