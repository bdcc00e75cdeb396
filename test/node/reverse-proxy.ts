/**
 * A reverse proxy on loopback in front of one node, with the habits of those that people have: it takes bodies up to some size,
 * passes answers up to some size, and drops headers. Everything is buffered whole, as the strict ones do.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Habits {
  /** larger bodies are answered 413, or the connection is reset */
  readonly bodyBytesMax?: number;
  readonly tooLarge?: 'refused' | 'reset';
  /** larger answers are cut off */
  readonly answerBytesMax?: number;
  /** names of headers of questions and of answers that are dropped, lower case */
  readonly dropped?: readonly string[];
  /** tags of answers become weak ones, as compression makes them */
  readonly isWeakening?: boolean;
}

export class ReverseProxy {
  /** how often something was too large */
  tooLarge = 0;
  readonly #target: number;
  readonly #habits: Habits;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: number, habits: Habits) {
    this.#target = target;
    this.#habits = habits;
    this.#server = createServer((request, response) => {
      void this.#pass(request).then(
        (answer) => {
          if (answer === null) return request.socket.resetAndDestroy();
          response.writeHead(answer.status, answer.headers);
          response.end(answer.body);
          return undefined;
        },
        () => response.destroy(),
      );
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** @returns its base URL */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** @returns null where the connection is to be reset */
  async #pass(request: IncomingMessage): Promise<{
    readonly status: number;
    readonly headers: IncomingHttpHeaders;
    readonly body: Buffer;
  } | null> {
    const { bodyBytesMax = Infinity, answerBytesMax = Infinity, tooLarge = 'refused' } = this.#habits;
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) {
      this.tooLarge += 1;
      request.resume();
      if (tooLarge === 'reset') return null;
      return { status: 413, headers: { connection: 'close' }, body: Buffer.from('too large') };
    }
    const onward = httpRequest({
      host: '127.0.0.1',
      port: this.#target,
      path: request.url ?? '/',
      method: request.method ?? 'GET',
      headers: this.#kept(request.headers),
      agent: false,
    });
    onward.end(await whole(request));
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    const body = await whole(answer);
    if (body.length > answerBytesMax) {
      this.tooLarge += 1;
      return null;
    }
    const { etag } = answer.headers;
    const weak = this.#habits.isWeakening === true && etag !== undefined ? { etag: `W/${etag}` } : {};
    return { status: answer.statusCode ?? 502, headers: this.#kept({ ...answer.headers, ...weak }), body };
  }

  #kept(headers: IncomingHttpHeaders): IncomingHttpHeaders {
    const { dropped = [] } = this.#habits;
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.includes(name)));
  }
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
