/**
 * The node's HTTP API as one Express app (DESIGN, "Contract: HTTP"). It reads and writes through LatticeApi only and
 * keeps no state of its own but the number of parked requests.
 *
 * Order: security headers, the extensions (the HTTP lung's routes and member check come in there), the routes, then
 * 404 and 405, then the one place where failures become problems.
 */
import express from 'express';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler, Router } from 'express';
import type { LatticeApi, Logger } from '../ports.ts';
import { eventRoutes } from './event-routes.ts';
import { setSecurityHeaders } from './answer.ts';
import { writerCheck } from './auth.ts';
import { keyRoutes } from './key-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { openApiDocument } from './openapi.ts';
import { REPLAYS_DEFAULTS, type ReplaysOptions } from './idempotency.ts';
import { PAGES_DEFAULTS, type PagesOptions } from './pages.ts';
import { HttpProblem, problemHandler } from './problems.ts';
import { parseQuery } from './query.ts';
import { KEY_BYTES_MAX, NoQuery, VALUE_BYTES_MAX, WAIT_SECONDS_MAX } from './schemas.ts';
import { onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import { CLOSING } from './server.ts';
import type { ServedApp } from './server.ts';
import { shortWay } from './short-way.ts';
import { stateRoutes } from './state-routes.ts';

export interface AppModules {
  readonly api: LatticeApi;
  readonly metricsText: () => Promise<string>;
  readonly logger: Logger;
  /** mounted before the routes, after the security headers */
  readonly extensions?: readonly RequestHandler[];
  /**
   * tells the requests that the extensions care for; all others may take the short way past Express. Default: with
   * extensions every request takes the long way.
   */
  readonly isExtensions?: (request: IncomingMessage) => boolean;
}

export interface AppOptions {
  /** bearer token of writes and operator calls; null: only this machine may write. Read at each of them: it may change */
  readonly apiToken: string | null;
  /** without a token, let everybody write */
  readonly insecure: boolean;
  /** host names of this node, beside loopback, whose pages may write; default none */
  readonly ownHosts?: readonly string[];
  /** at most KEY_BYTES_MAX, the contract's limit and the default */
  readonly keyBytesMax?: number;
  /** of a value's JSON text; default VALUE_BYTES_MAX */
  readonly valueBytesMax?: number;
  /** of a whole request body; default 1 MiB, as the largest message between members */
  readonly bodyBytesMax?: number;
  /** longest hold of `GET /api/lattice/state?wait=`; default WAIT_SECONDS_MAX */
  readonly waitMaxMs?: number;
  /** held requests at a time; one more is answered at once, as in plain polling; default 1024 (a guess) */
  readonly parkedMax?: number;
  /** memory that listings take */
  readonly pages?: Partial<PagesOptions>;
  /** what is remembered of writes with an Idempotency-Key */
  readonly replays?: Partial<ReplaysOptions>;
  /** clients of the event stream at a time; default 64 (a guess) */
  readonly streamsMax?: number;
  /** bytes an event client may lag behind before it is dropped; default 1 MiB */
  readonly streamBufferBytesMax?: number;
  /** default 15000: below the 30–60 s after which proxies give up silent connections */
  readonly streamHeartbeatMs?: number;
}

export function createApp(modules: AppModules, options: AppOptions): ServedApp {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // The routes that have a tag answer conditions themselves; Express would answer `If-None-Match: *` with 304 everywhere.
  Object.defineProperty(app.request, 'fresh', { configurable: true, get: () => false });
  app.set('query parser', false);

  const closing = new AbortController();
  app.once(CLOSING, () => closing.abort());

  const context: RouteContext = {
    api: modules.api,
    metricsText: modules.metricsText,
    assertWriter: writerCheck({
      get apiToken() {
        return options.apiToken;
      },
      insecure: options.insecure,
      ownHosts: options.ownHosts ?? [],
    }),
    closing: closing.signal,
    limits: {
      keyBytesMax: Math.min(options.keyBytesMax ?? KEY_BYTES_MAX, KEY_BYTES_MAX),
      valueBytesMax: options.valueBytesMax ?? VALUE_BYTES_MAX,
      bodyBytesMax: options.bodyBytesMax ?? 1_048_576,
      waitMaxMs: Math.min(options.waitMaxMs ?? WAIT_SECONDS_MAX * 1000, WAIT_SECONDS_MAX * 1000),
      parkedMax: options.parkedMax ?? 1024,
      pages: { ...PAGES_DEFAULTS, ...options.pages },
      replays: { ...REPLAYS_DEFAULTS, ...options.replays },
      streamsMax: options.streamsMax ?? 64,
      streamBufferBytesMax: options.streamBufferBytesMax ?? 1_048_576,
      streamHeartbeatMs: options.streamHeartbeatMs ?? 15_000,
    },
  };

  app.use((_request, response, next) => {
    setSecurityHeaders(response);
    next();
  });
  const extensions = modules.extensions ?? [];
  for (const extension of extensions) app.use(extension);
  const hot = keyRoutes(context);
  const router = newRouter();
  nodeRoutes(router, context, hot);
  stateRoutes(router, context, hot);
  eventRoutes(router, context);
  openApiRoute(router);
  app.use(router);
  app.use((request, _response, next) => {
    next(
      new HttpProblem('unknown-route', `There is no ${request.path.slice(0, 200)} here; see /openapi.json.`),
    );
  });
  app.use(problemHandler(modules.logger));
  const isExtensions = modules.isExtensions ?? (() => extensions.length > 0);
  return Object.assign(app, {
    shortWay: shortWay({ routes: hot, logger: modules.logger, isExtensions }),
    // What an extension cares for and answers without refusing it is a member's.
    isMembers: (request: IncomingMessage) =>
      isMemberCall(request) && modules.isExtensions?.(request) === true,
  });
}

/** Of the calls of members, whose claim to be some is checked before they are answered. */
function isMemberCall({ method, url = '' }: IncomingMessage): boolean {
  return method === 'GET' || url.startsWith('/api/lattice/sync');
}

/** Paths are exact: no trailing slash, no other case. A key never falls on the route of the whole state. */
function newRouter(): Router {
  return express.Router({ strict: true, caseSensitive: true });
}

function openApiRoute(router: Router): void {
  let text: string | null = null;
  router
    .route('/openapi.json')
    .get((request, response) => {
      parseQuery(request, NoQuery);
      text ??= JSON.stringify(openApiDocument());
      response.type('application/json').send(text);
    })
    .all(onlyMethods('GET, HEAD'));
}
