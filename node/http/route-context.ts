/** What every group of routes gets, and how every route ends. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { LatticeApi } from '../ports.ts';
import type { ReplaysOptions } from './idempotency.ts';
import type { PagesOptions } from './pages.ts';
import { HttpProblem } from './problems.ts';

export interface RouteContext {
  readonly api: LatticeApi;
  readonly metricsText: () => Promise<string>;
  /** throws a problem for who may not write or operate */
  readonly assertWriter: (request: IncomingMessage) => void;
  /** aborted when the server begins to close */
  readonly closing: AbortSignal;
  readonly limits: RouteLimits;
}

/** As AppOptions describes them. */
interface RouteLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly bodyBytesMax: number;
  readonly waitMaxMs: number;
  readonly parkedMax: number;
  readonly pages: PagesOptions;
  readonly replays: ReplaysOptions;
  readonly streamsMax: number;
  readonly streamBufferBytesMax: number;
  readonly streamHeartbeatMs: number;
}

/**
 * A route that needs nothing of Express, so that it can be reached on the short way as well (short-way.ts).
 *
 * @param key decoded from the path; '' where the path has none
 */
export type PlainHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  key: string,
) => Promise<void> | void;

/** The same route, mounted in Express. */
export function mounted(handler: PlainHandler): RequestHandler {
  return (request, response) => handler(request, response, String(request.params['key'] ?? ''));
}

/** Ends a route: OPTIONS tells what it takes, any other method is refused with the same list. */
export function onlyMethods(allow: string): RequestHandler {
  return (request, response, next) => {
    if (request.method === 'OPTIONS') {
      response.set('Allow', `${allow}, OPTIONS`).status(204).end();
      return;
    }
    next(
      new HttpProblem('method-not-allowed', `${request.method} is not for this path; use ${allow}.`, {
        headers: { Allow: `${allow}, OPTIONS` },
      }),
    );
  };
}
