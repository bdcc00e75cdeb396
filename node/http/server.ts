/**
 * The listening socket of the API. It listens before there is an app, and says until then that the node is starting
 * (starting.ts); the app takes over between two requests, on the same connections. On close it stops accepting, tells
 * the app (which releases long polls and event streams), lets requests under way finish for `drainMs`, then cuts what is left.
 *
 * Loaded before anything else of the node: nothing heavy is imported here.
 */
import { IncomingMessage, ServerResponse, createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Express } from 'express';
import { Connections, limitsFor, type ConnectionsOptions } from './connections.ts';
import { HttpProblem, rawProblem, sendProblem } from './problems.ts';
import type { ShortWay } from './short-way.ts';
import { answerStarting } from './starting.ts';

/** An Express app, the way past it for its hot routes where it has one, and which requests claim to be a member's. */
export type ServedApp = Express & {
  readonly shortWay?: ShortWay;
  readonly isMembers?: (request: IncomingMessage) => boolean;
};

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one */
  readonly port: number;
  /** longest time requests under way get to finish on close; a guess below the 5 s in which a container must stop */
  readonly drainMs?: number;
  /** connections at a time, in which order they give way is told in connections.ts; default and at most 4224 */
  readonly connectionsMax?: number;
  /** a request must arrive whole in this time, its headers in a third of it: slow senders hold no socket; default 30000 */
  readonly requestTimeoutMs?: number;
  /** instead of what `limitsFor` makes of `connectionsMax` */
  readonly connections?: Partial<ConnectionsOptions>;
}

/** Emitted on the app when its server begins to close. */
export const CLOSING = 'closing';

const DRAIN_MS = 2000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
const REFUSED_TOLD_MS = 60_000;
/** Served whoever asks, and however many do: what keeps a node from being taken for dead. */
const VITAL: ReadonlySet<string> = new Set(['/health', '/ready', '/api/lattice/p2p/status']);
/** Of one connection, some 4 KB each: who sends more has it cut. */
const PIPELINED_MAX = 256;

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #Request = messageClass(IncomingMessage);
  readonly #Response = messageClass(ServerResponse);
  /** requests that wait for the answers before theirs */
  readonly #pipelined = new WeakMap<Socket, number>();
  readonly #connections: Connections;
  #app: ServedApp | null = null;
  #port = 0;
  /** at most once a minute, with how many connections the system would not let in since it was last called */
  onRefused: (error: Error, connections: number) => void = () => undefined;
  #refused = 0;
  #refusedTold = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const requestTimeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#server = createServer(
      {
        IncomingMessage: this.#Request,
        ServerResponse: this.#Response,
        requestTimeout,
        headersTimeout: requestTimeout / 3,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: requestTimeout / 6,
        noDelay: true,
        // Node would take the first of two Host headers; joined they are seen.
        joinDuplicateHeaders: true,
        // Node would refuse a request without one, but with an answer that says nothing.
        requireHostHeader: false,
      },
      (request, response) => {
        // Where its socket is still another answer's, it waits for that.
        if (response.socket !== null) this.#answer(request, response);
        else this.#queue(request, response);
      },
    );
    const connections = { ...limitsFor(options.connectionsMax ?? Infinity), ...options.connections };
    this.#connections = new Connections(connections, {
      isVital: ({ url }) => VITAL.has(url ?? ''),
      isMembers: (request) => this.#app?.isMembers?.(request) ?? false,
    });
    // Those that have to give way are still there for a moment.
    this.#server.maxConnections = Math.ceil(1.25 * (connections.max + connections.reserve));
    this.#server.on('connection', (socket) => this.#connections.opened(socket));
    answerHalfClosed(this.#server);
    this.#server.on('clientError', refuseBrokenRequest);
    this.#server.on('checkExpectation', (_request, response: ServerResponse) => {
      const problem = new HttpProblem('expectation-failed', 'Only "Expect: 100-continue" is understood.');
      response.writeHead(problem.status, { 'Content-Type': 'application/problem+json' });
      response.end(JSON.stringify(problem.body()));
    });
  }

  /**
   * A request that came without waiting for the answer to the one before: it is taken up when that is sent, so that a read behind a write
   * sees it (RFC 9112, 9.3.2). Node alone would take it up at once.
   */
  #queue(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const waiting = (this.#pipelined.get(socket) ?? 0) + 1;
    if (waiting > PIPELINED_MAX) {
      socket.destroy();
      return;
    }
    this.#pipelined.set(socket, waiting);
    response.once('socket', () => {
      this.#pipelined.set(socket, (this.#pipelined.get(socket) ?? 1) - 1);
      this.#answer(request, response);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const app = this.#app;
    if (this.#closing !== null) response.setHeader('Connection', 'close');
    const problem = this.#connections.admits(request, response) ? hostProblem(request) : crowded();
    if (problem !== null) sendProblem(response, problem);
    else if (app === null) answerStarting(request, response);
    else if (app.shortWay?.(request, response) !== true) app(request, response);
  }

  /** From the next request on the app answers; once. */
  serve(app: ServedApp): void {
    // Express switches the prototypes of every message that has not its own, which costs half of its time.
    this.#Request.prototype = app.request;
    this.#Response.prototype = app.response;
    this.#app = app;
  }

  /** Resolves with the port in use; rejects with the system's error (EADDRINUSE, EACCES, …). */
  async listen(): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen({ host: this.#options.host, port: this.#options.port }, resolve);
    await promise;
    this.#server.off('error', reject);
    // An accept that fails (EMFILE) costs the one connection; without a listener it would end the process.
    this.#server.on('error', (error) => this.#refuse(error));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this.#port;
  }

  #refuse(error: Error): void {
    this.#refused += 1;
    const now = performance.now();
    if (now - this.#refusedTold < REFUSED_TOLD_MS) return;
    this.#refusedTold = now;
    this.onRefused(error, this.#refused);
    this.#refused = 0;
  }

  /** The port in use; 0 before it listens. */
  get port(): number {
    return this.#port;
  }

  /** Idempotent. Resolves when no socket is left. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    if (!this.#server.listening) return;
    this.#server.close(() => resolve());
    this.#app?.emit(CLOSING);
    const sweep = setInterval(() => this.#server.closeIdleConnections(), 20);
    const cut = setTimeout(() => this.#server.closeAllConnections(), this.#options.drainMs ?? DRAIN_MS);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }
}

/**
 * A client that has sent all it wants to and says so (FIN behind the body, as `nc -N` does) still gets its answer: Node
 * would end the connection in both directions. What nobody may wait for any more (long polls, event streams) ends by itself.
 */
function answerHalfClosed(server: Server & { httpAllowHalfOpen?: boolean }): void {
  server.httpAllowHalfOpen = true;
}

/** RFC 9112, 3.2: exactly one Host, for two parties might understand two hosts. */
function hostProblem({ headers: { host }, httpVersion }: IncomingMessage): HttpProblem | null {
  const isMissing = host === undefined && httpVersion === '1.1';
  if (!isMissing && host?.includes(',') !== true) return null;
  return new HttpProblem(
    'bad-request',
    isMissing ? 'There is no Host header.' : 'There are two Host headers.',
    {
      headers: { Connection: 'close' },
    },
  );
}

function crowded(): HttpProblem {
  return new HttpProblem(
    'unavailable',
    'Too many connections, of all clients or of your address; only health, readiness and status are served on this one.',
    { headers: { Connection: 'close', 'Retry-After': '1' } },
  );
}

/** The same messages, with a prototype that may be exchanged later. */
function messageClass<C extends typeof IncomingMessage | typeof ServerResponse>(base: C): C {
  function Message(...args: unknown[]): object {
    return Reflect.construct(base, args, Message) as object;
  }
  Message.prototype = base.prototype;
  return Message as unknown as C;
}

/** Broken framing, oversized headers, a sender too slow: answered as a problem where the socket still takes it. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(problemOfFraming(error.code)), () => socket.destroy());
}

function problemOfFraming(code: string | undefined): HttpProblem {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new HttpProblem('headers-too-large', 'The headers are larger than 16 KiB.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpProblem('request-timeout', 'The request did not arrive in time.');
  return new HttpProblem('bad-request', 'This is not HTTP/1.1 that the node understands.');
}
