/**
 * One exchange is one stream: a frame there, a frame back, done. Whatever happens — an answer, a refusal, silence, a
 * lost connection — the stream ends and the asker hears exactly once of its exchange.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../ports.ts';
import { EXCHANGE_BYTES_MAX } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { isNodeId } from '../../protocol/ids.ts';
import { reasonOf } from './errors.ts';
import { FrameError, frameOf, readFrame } from './framing.ts';
import type { Connection, Stack, Stream } from './types.ts';

const EXCHANGE_PROTOCOL = '/aethel/sync/2.0.0';

/** libp2p's own limit per connection; ours per peer is below it, this one is the backstop */
const STREAMS_MAX = 64;

export interface ExchangesModules {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly connectionTo: (peer: NodeId) => Connection | null;
  readonly onAsked: (peer: NodeId, bytes: Uint8Array, answer: (bytes: Uint8Array | null) => void) => void;
  readonly onAnswered: (peer: NodeId, exchange: number, bytes: Uint8Array, rttMs: number) => void;
  readonly onUnanswered: (peer: NodeId, exchange: number, reason: string) => void;
  readonly onRefused: (peer: NodeId, reason: string) => void;
  /** a part of this peer's question or answer has come: it lives, though a long message may keep its heartbeats waiting behind it */
  readonly onProgress: (peer: NodeId) => void;
}

export interface ExchangesOptions {
  readonly exchangesPerPeerMax: number;
  readonly exchangeLimitMs: number;
}

export interface Question {
  readonly peer: NodeId;
  readonly exchange: number;
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
}

export class Exchanges {
  readonly #modules: ExchangesModules;
  readonly #options: ExchangesOptions;
  readonly #answering = new Map<NodeId, number>();
  /** ends everything under way */
  readonly #ends = new Set<AbortController>();

  constructor(modules: ExchangesModules, options: ExchangesOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#modules.stack.handle(
      EXCHANGE_PROTOCOL,
      (stream, connection) => this.#accept(stream, connection),
      {
        maxInboundStreams: STREAMS_MAX,
        maxOutboundStreams: STREAMS_MAX,
      },
    );
  }

  stop(): void {
    for (const end of this.#ends) end.abort(new Error('stopping'));
  }

  async ask(question: Question): Promise<void> {
    const { clock, connectionTo, onAnswered, onUnanswered } = this.#modules;
    const { peer, exchange, bytes, timeoutMs } = question;
    const unanswered = (reason: string): void => onUnanswered(peer, exchange, reason);
    const connection = connectionTo(peer);
    if (bytes.length > EXCHANGE_BYTES_MAX || connection === null) {
      // the asker does not hear of its exchange before `ask` returned
      await setImmediate();
      return unanswered(
        connection === null ? 'not connected' : `question of ${bytes.length} bytes is too large`,
      );
    }
    const startedMs = clock.monotonicMs();
    const limit = this.#limit(timeoutMs);
    let stream: Stream | null = null;
    try {
      stream = await connection.newStream(EXCHANGE_PROTOCOL, {
        signal: limit.signal,
        maxOutboundStreams: STREAMS_MAX,
      });
      const reply = readFrame(stream, EXCHANGE_BYTES_MAX, limit.signal, () => this.#modules.onProgress(peer));
      // sending may throw first, and nobody would wait for the reply
      reply.catch(() => undefined);
      stream.send(frameOf(bytes));
      const answer = await reply;
      onAnswered(peer, exchange, answer, clock.monotonicMs() - startedMs);
    } catch (error) {
      if (error instanceof FrameError) this.#modules.onRefused(peer, reasonOf(error));
      unanswered(reasonOf(limit.signal.aborted ? limit.signal.reason : error));
    } finally {
      limit.done();
      // the answer is whole, or never will be: nothing is left to wait for on this stream
      stream?.abort(new Error('exchange over'));
    }
  }

  #accept(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const underWay = isNodeId(peer) ? (this.#answering.get(peer) ?? 0) : 0;
    if (!isNodeId(peer) || underWay >= this.#options.exchangesPerPeerMax) {
      stream.abort(new Error('too many exchanges at once'));
      return;
    }
    this.#answering.set(peer, underWay + 1);
    void this.#answer(peer, stream).finally(() => {
      const left = (this.#answering.get(peer) ?? 1) - 1;
      if (left > 0) this.#answering.set(peer, left);
      else this.#answering.delete(peer);
    });
  }

  async #answer(peer: NodeId, stream: Stream): Promise<void> {
    const limit = this.#limit(this.#options.exchangeLimitMs);
    try {
      const onProgress = (): void => this.#modules.onProgress(peer);
      const question = await readFrame(stream, EXCHANGE_BYTES_MAX, limit.signal, onProgress);
      const answer = await this.#decide(peer, stream, question, limit.signal);
      if (answer === null) throw new Error('refused');
      if (answer.length > EXCHANGE_BYTES_MAX)
        throw new Error(`answer of ${answer.length} bytes is too large`);
      stream.send(frameOf(answer));
      await stream.close({ signal: limit.signal });
      await ended(stream, limit.signal);
    } catch (error) {
      if (error instanceof FrameError) this.#modules.onRefused(peer, reasonOf(error));
      stream.abort(error instanceof Error ? error : new Error(reasonOf(error)));
    } finally {
      limit.done();
    }
  }

  /** Resolves with the first call of the answer callback; rejects when the asker leaves or time is up. */
  #decide(
    peer: NodeId,
    stream: Stream,
    question: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('asker is gone'));
      stream.addEventListener('close', gone);
      signal.addEventListener('abort', () => reject(signal.reason));
      this.#modules.onAsked(peer, question, (answer) => {
        stream.removeEventListener('close', gone);
        resolve(answer);
      });
    });
  }

  #limit(ms: number): { readonly signal: AbortSignal; readonly done: () => void } {
    const end = new AbortController();
    this.#ends.add(end);
    const cancel = this.#modules.clock.after(ms, () => end.abort(new Error('timeout')));
    return {
      signal: end.signal,
      done: () => {
        cancel();
        this.#ends.delete(end);
      },
    };
  }
}

/** The asker resets the stream once it has the answer; until then its half is still open. */
function ended(stream: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.status !== 'open') return resolve();
    stream.addEventListener('close', () => resolve());
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}
