/**
 * The replicated state over HTTP: its signed root (conditionally, held until it changes), and its entries in pages. Keys
 * are read and written in key-routes.ts.
 */
import type { Request, Response, Router } from 'express';
import { sendJson } from './answer.ts';
import { etag, ifNoneMatch, includes } from './etags.ts';
import type { KeyRoutes } from './key-routes.ts';
import { HttpProblem } from './problems.ts';
import { parseQuery } from './query.ts';
import { mounted, onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import { PAGE_ENTRIES_DEFAULT, StateQuery } from './schemas.ts';
import type { StateResponse } from './schemas.ts';
import { entryText } from './views.ts';
import { signRoot } from '../protocol/state/proof-document.ts';

/** A page ends early rather than grow beyond this. */
const PAGE_BYTES_MAX = 4_194_304;

export function stateRoutes(router: Router, context: RouteContext, hot: KeyRoutes): void {
  const { api, limits } = context;
  let parked = 0;

  router
    .route('/api/lattice/state')
    .get(async (request, response) => {
      const query = parseQuery(request, StateQuery);
      if (query.entries === '1') {
        if (query.wait !== undefined)
          throw new HttpProblem('bad-request', 'Query: wait is not for pages of entries.');
        await sendPage(response, query.cursor ?? null, Number(query.limit ?? PAGE_ENTRIES_DEFAULT));
        return;
      }
      if (query.cursor !== undefined || query.limit !== undefined) {
        throw new HttpProblem('bad-request', 'Query: cursor and limit need entries=1.');
      }
      await sendRoot(request, response, Number(query.wait ?? 0) * 1000);
    })
    .post(mounted(hot.batch))
    .all(onlyMethods('GET, HEAD, POST'));

  router
    .route('/api/lattice/state/:key')
    .get(mounted(hot.get))
    .put(mounted(hot.put))
    .delete(mounted(hot.remove))
    .all(onlyMethods('GET, HEAD, PUT, DELETE'));

  /** The signed root; with `waitMs`, held while it is one of the tags that the client has (or the present one). */
  async function sendRoot(request: Request, response: Response, waitMs: number): Promise<void> {
    const known = ifNoneMatch(request);
    let state = await api.state();
    const hold = Math.min(waitMs, limits.waitMaxMs);
    if (hold > 0 && (known === null || includes(known, state.root)) && parked < limits.parkedMax) {
      state = await park(response, state.root, hold);
    }
    if (response.destroyed) return;
    response.set({ ETag: etag(state.root), 'Cache-Control': 'no-cache' });
    if (includes(known, state.root)) response.status(304).end();
    else response.json(signedState(state));
  }

  /** Waits for another root; ends early when the client leaves or the server closes. */
  async function park(response: Response, root: string, waitMs: number): ReturnType<typeof api.state> {
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    const signal = AbortSignal.any([gone.signal, context.closing]);
    response.once('close', leave);
    parked += 1;
    try {
      return await api.stateUnlike(root, waitMs, signal);
    } catch (error) {
      if (signal.aborted) return await api.state();
      throw error;
    } finally {
      parked -= 1;
      response.off('close', leave);
    }
  }

  function signedState(state: Awaited<ReturnType<typeof api.state>>): StateResponse {
    const timestamp = Date.now();
    const peerId = api.status().peerId;
    const { signature } = signRoot(state.root, timestamp, { id: peerId, sign: (bytes) => api.sign(bytes) });
    return {
      success: true,
      merkle_root: state.root,
      state_size: state.size,
      timestamp,
      peer_id: peerId,
      signature: Buffer.from(signature).toString('base64'),
      signed: true,
    };
  }

  /** Keys whose winner is a tombstone are in no listing, whatever lost against it; they are read on their own. */
  async function sendPage(response: Response, cursor: string | null, limit: number): Promise<void> {
    const [page, state] = await Promise.all([api.entries(cursor, limit), api.state()]);
    const texts: string[] = [];
    let next = page.next;
    let last: string | null = null;
    let bytes = 0;
    for (const entry of page.entries) {
      if (entry.value === null) continue;
      const text = entryText(entry);
      bytes += Buffer.byteLength(text);
      if (last !== null && bytes > PAGE_BYTES_MAX) {
        next = last;
        break;
      }
      texts.push(text);
      last = entry.key;
    }
    const head = {
      success: true,
      merkle_root: state.root,
      state_size: state.size,
      count: texts.length,
      next_cursor: next,
    };
    sendJson(response, 200, `${JSON.stringify(head).slice(0, -1)},"entries":[${texts.join(',')}]}`);
  }
}
