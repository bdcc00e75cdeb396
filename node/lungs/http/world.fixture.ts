/**
 * A little world for the tests of this room: express servers on 127.0.0.1 with a stand-in for the state route, lungs
 * whose events are kept, and a proxy that can lie, fall silent or break off.
 */
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Clock, CountBytes, Logger, LungEvent } from '../../ports.ts';
import type { Digest, NodeId } from '../../protocol/ids.ts';
import { identityFromSeed } from '../../protocol/state/signature.ts';
import { HttpLung, type HttpLungOptions } from './http-lung.ts';
import { memberKeyOf, type MemberKey } from './member.ts';
import type { NonceOptions } from './nonces.ts';
import { memberMiddleware, syncRoute, type SyncRouteOptions } from './routes.ts';

export const CLUSTER_KEY = memberKeyOf(Buffer.from('the key of this cluster'));
export const OTHER_KEY = memberKeyOf(Buffer.from('the key of another cluster'));
export const ROOT_A = 'aa'.repeat(32) as Digest;
export const ROOT_B = 'bb'.repeat(32) as Digest;

export function nodeId(n: number): NodeId {
  return identityFromSeed(new Uint8Array(32).fill(n)).id;
}

export function clockOff(byMs = 0): Clock {
  return {
    wallMs: () => Date.now() + byMs,
    monotonicMs: () => performance.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
}

export interface TestServer {
  readonly url: string;
  readonly events: LungEvent[];
  /** what the stand-in route shows */
  root: Digest;
  records: number | null;
  /** of the state route: more than the contract's body */
  padding: string;
  /** polls that wait for another root now */
  held: number;
  /** how it answers exchanges; by default with the bytes reversed */
  onAsked: (event: Extract<LungEvent, { type: 'asked' }>) => void;
  readonly server: Server;
}

interface ServerSetup {
  readonly self?: NodeId;
  readonly key?: MemberKey;
  readonly acceptedKey?: MemberKey;
  readonly clock?: Clock;
  readonly port?: number;
  readonly sync?: SyncRouteOptions;
  readonly counted?: () => number;
  /** what `GET /api/lattice/p2p/status` says */
  readonly status?: object;
  readonly nonces?: Partial<NonceOptions>;
  readonly onBytes?: CountBytes;
  /** PEM; with it the server speaks TLS */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export class World {
  readonly #endings: (() => Promise<void>)[] = [];

  async server({
    self = nodeId(2),
    key = CLUSTER_KEY,
    acceptedKey,
    clock = clockOff(),
    port = 0,
    sync = {},
    counted,
    status = {},
    nonces = {},
    onBytes,
    tls,
  }: ServerSetup = {}): Promise<TestServer> {
    const events: LungEvent[] = [];
    const sink = (event: LungEvent): void => {
      events.push(event);
      if (event.type === 'asked') state.onAsked(event);
    };
    const app = express();
    app.disable('etag');
    app.use(
      memberMiddleware(
        {
          self,
          key,
          ...(acceptedKey !== undefined && { acceptedKey }),
          clock,
          sink,
          ...(counted !== undefined && { records: counted }),
          ...(onBytes !== undefined && { onBytes }),
        },
        nonces,
      ),
      syncRoute({ clock, sink }, sync),
    );
    app.get('/api/lattice/state', async (request, response) => {
      const known = request.headers['if-none-match'];
      const isHeld = Number(request.query['wait'] ?? 0) > 0;
      if (isHeld && known === `"${state.root}"`) {
        const deadline = performance.now() + Number(request.query['wait']) * 1000;
        state.held += 1;
        while (known === `"${state.root}"` && performance.now() < deadline && !response.destroyed)
          await tick();
        state.held -= 1;
      }
      response.setHeader('ETag', `"${state.root}"`);
      if (state.records !== null) response.setHeader('aethel-records', String(state.records));
      if (known === `"${state.root}"`) response.status(304).end();
      else response.json({ success: true, merkle_root: state.root, state_size: 3, padding: state.padding });
    });
    app.get('/api/lattice/p2p/status', (_request, response) => void response.json(status));
    const server = tls === undefined ? createServer(app) : createTlsServer(tls, app);
    const url = (await this.#listen(server, port)).replace('http:', tls === undefined ? 'http:' : 'https:');
    const state: TestServer = {
      url,
      events,
      root: ROOT_A,
      records: 7,
      padding: '',
      held: 0,
      onAsked: ({ bytes, answer }) => answer(Uint8Array.from(bytes).reverse()),
      server,
    };
    return state;
  }

  /** Any server, ended with the world. */
  async serve(server: Server): Promise<string> {
    return this.#listen(server, 0);
  }

  /** Forwards to `target`; `tamper` sees each answer, and null swallows it: the asker hears nothing more. */
  async proxy(
    target: string | (() => string),
    tamper: (answer: Forwarded) => Forwarded | null,
  ): Promise<string> {
    const server = createServer((request, response) => {
      const onward = httpRequest((typeof target === 'string' ? target : target()) + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: request.headers,
        agent: false,
      });
      onward.on('response', (answer) => {
        const chunks: Uint8Array[] = [];
        answer.on('data', (chunk: Uint8Array) => chunks.push(chunk));
        answer.on('end', () => {
          const { statusCode = 0, headers } = answer;
          const changed = tamper({ status: statusCode, headers, body: Buffer.concat(chunks) });
          if (changed === null) return;
          const { 'content-length': _length, 'transfer-encoding': _encoding, ...others } = changed.headers;
          response.writeHead(changed.status, others).end(changed.body);
        });
      });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    return this.#listen(server, 0);
  }

  async lung(setup: LungSetup = {}): Promise<TestLung> {
    const { self = nodeId(1), key = CLUSTER_KEY, clock = clockOff(), onBytes, ...options } = setup;
    const warnings: string[] = [];
    const notes: string[] = [];
    const logger: Logger = {
      error: ignore,
      warn: (message) => warnings.push(message),
      info: (message) => notes.push(message),
      debug: ignore,
    };
    const lung = new HttpLung(
      { self, key, clock, logger, ...(onBytes !== undefined && { onBytes }) },
      { urls: [], probeFirstMs: 10, probeMaxMs: 40, ...options },
    );
    const events: LungEvent[] = [];
    this.#endings.push(() => lung.stop());
    await lung.start((event) => events.push(event));
    return { lung, events, warnings, notes };
  }

  async end(): Promise<void> {
    for (const ending of this.#endings.toReversed()) await ending();
  }

  async #listen(server: Server, port: number): Promise<string> {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.#endings.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

export interface Forwarded {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

type LungSetup = Partial<HttpLungOptions> & {
  readonly self?: NodeId;
  readonly key?: MemberKey;
  readonly clock?: Clock;
  readonly onBytes?: CountBytes;
};

export interface TestLung {
  readonly lung: HttpLung;
  readonly events: LungEvent[];
  readonly warnings: string[];
  /** what was logged as information */
  readonly notes: string[];
}

type EventOf<T extends LungEvent['type']> = Extract<LungEvent, { type: T }>;

export function eventsOf<T extends LungEvent['type']>(
  events: readonly LungEvent[],
  type: T,
): readonly EventOf<T>[] {
  return events.filter((event): event is EventOf<T> => event.type === type);
}

/** Polls until `find` gives something, for 10 s. */
export async function eventually<T>(find: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${find.toString()}`);
    await tick();
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

function ignore(): void {
  // a test looks at warnings and notes only
}
