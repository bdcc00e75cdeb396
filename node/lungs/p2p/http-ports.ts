/**
 * Where a member met over P2P answers HTTP, asked of itself, so that the other lung can serve it too. The answer is a port and
 * nothing more: the host is where its connection is seen, so a member can point at nobody but itself. Whoever answers at
 * the URL must sign there before anything is believed.
 *
 *   frame: nothing ──▶      ◀── frame: u16 port; 0: nowhere that you could reach
 */
import type { NodeId } from '../../protocol/ids.ts';
import { frameOf, readFrame } from './framing.ts';
import { hostOf, isLoopback } from './places.ts';
import type { Connection, Stack, Stream } from './types.ts';

const HTTP_PROTOCOL = '/aethel/http/1.0.0';
const PORT_BYTES = 2;
const STREAMS_MAX = 4;

/** Where this node listens for HTTP. */
export interface HttpListen {
  readonly host: string;
  readonly port: number;
}

export interface HttpPortsModules {
  readonly stack: Stack;
  readonly connectionTo: (peer: NodeId) => Connection | null;
  /** null while nothing listens */
  readonly listen: () => HttpListen | null;
}

export class HttpPorts {
  readonly #modules: HttpPortsModules;
  readonly #streamTimeoutMs: number;

  constructor(modules: HttpPortsModules, options: { readonly streamTimeoutMs: number }) {
    this.#modules = modules;
    this.#streamTimeoutMs = options.streamTimeoutMs;
  }

  async start(): Promise<void> {
    await this.#modules.stack.handle(
      HTTP_PROTOCOL,
      (stream, connection) => void this.#answer(stream, connection),
      {
        maxInboundStreams: STREAMS_MAX,
        maxOutboundStreams: STREAMS_MAX,
      },
    );
  }

  /** @returns a base URL, none when the member has nothing for us, null when it did not answer */
  async ask(peer: NodeId): Promise<readonly string[] | null> {
    const connection = this.#modules.connectionTo(peer);
    if (connection === null) return null;
    const signal = AbortSignal.timeout(this.#streamTimeoutMs);
    let stream: Stream | null = null;
    try {
      stream = await connection.newStream(HTTP_PROTOCOL, { signal, maxOutboundStreams: STREAMS_MAX });
      const answer = readFrame(stream, PORT_BYTES, signal);
      // sending may throw first, and nobody would wait for the answer
      answer.catch(() => undefined);
      stream.send(frameOf(new Uint8Array(0)));
      const body = await answer;
      const url = body.length === PORT_BYTES ? urlAt(connection.remoteAddr.toString(), body) : null;
      return url === null ? [] : [url];
    } catch {
      return null;
    } finally {
      stream?.abort(new Error('asked'));
    }
  }

  async #answer(stream: Stream, connection: Connection): Promise<void> {
    const listen = this.#modules.listen();
    const isReachable =
      listen !== null && (!isLoopback(listen.host) || isLoopback(connection.remoteAddr.toString()));
    const body = new Uint8Array(PORT_BYTES);
    new DataView(body.buffer).setUint16(0, isReachable ? listen.port : 0);
    const signal = AbortSignal.timeout(this.#streamTimeoutMs);
    try {
      await readFrame(stream, 0, signal);
      stream.send(frameOf(body));
      await stream.close({ signal });
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('not answered'));
    }
  }
}

/** @returns null for no port, and for a place that has no address of its own */
export function urlAt(seenAt: string, body: Uint8Array): string | null {
  const port = new DataView(body.buffer, body.byteOffset, body.length).getUint16(0);
  const host = hostOf(seenAt);
  if (port === 0 || !/^\/(?:ip4|ip6)\//.test(seenAt)) return null;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
