/**
 * The replicated state over HTTP: its signed root (conditionally, held until it changes), and its entries in pages. Keys
 * are read and written in key-routes.ts.
 */
import type { Request, Response, Router } from 'express';
import { sendJson } from './answer.ts';
import { cursorAfter, keyOfCursor } from './cursor.ts';
import { etag, ifNoneMatch, includes } from './etags.ts';
import type { KeyRoutes } from './key-routes.ts';
import { Pages } from './pages.ts';
import { HttpProblem } from './problems.ts';
import { parseQuery } from './query.ts';
import { mounted, onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import { PAGE_ENTRIES_DEFAULT, StateQuery } from './schemas.ts';
import type { StateQuery as Query, StateResponse } from './schemas.ts';
import { entryText } from './views.ts';
import { signRoot } from '../protocol/state/proof-document.ts';

export function stateRoutes(router: Router, context: RouteContext, hot: KeyRoutes): void {
  const { api, limits } = context;
  const pages = new Pages(limits.pages);
  let parked = 0;

  router
    .route('/api/lattice/state')
    .get(async (request, response) => {
      const query = parseQuery(request, StateQuery);
      if (query.entries === '1') {
        if (query.wait !== undefined)
          throw new HttpProblem('bad-request', 'Query: wait is not for pages of entries.');
        await sendPage(response, startOf(query), Number(query.limit ?? PAGE_ENTRIES_DEFAULT));
        return;
      }
      if (query.cursor !== undefined || query.after !== undefined || query.limit !== undefined) {
        throw new HttpProblem('bad-request', 'Query: cursor, after and limit need entries=1.');
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
    // A client that closes, or half-closes, is answered at once.
    if (response.socket?.readableEnded === true) leave();
    response.socket?.once('end', leave);
    parked += 1;
    try {
      return await api.stateUnlike(root, waitMs, signal);
    } catch (error) {
      if (signal.aborted) return await api.state();
      throw error;
    } finally {
      parked -= 1;
      response.off('close', leave);
      response.socket?.off('end', leave);
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

  /**
   * Keys whose winner is a tombstone are in no listing, whatever lost against it; they are read on their own.
   *
   * @param after the key behind which the page begins; null: the first
   */
  async function sendPage(response: Response, after: string | null, limit: number): Promise<void> {
    const weighs = await pages.turn(response);
    if (response.destroyed) return;
    const [page, state] = await Promise.all([api.entries(after, limit, pages.bytesMax), api.state()]);
    const texts = page.entries.map(entryText);
    const head = {
      success: true,
      merkle_root: state.root,
      state_size: state.size,
      count: texts.length,
      next_cursor: page.next === null ? null : cursorAfter(page.next),
    };
    const text = `${JSON.stringify(head).slice(0, -1)},"entries":[${texts.join(',')}]}`;
    weighs(text.length);
    sendJson(response, 200, text);
  }
}

/** The key behind which the listing begins or goes on; null: at the first. */
function startOf({ cursor, after }: Query): string | null {
  if (cursor === undefined) return after ?? null;
  if (after !== undefined) throw new HttpProblem('bad-request', 'Query: either cursor or after.');
  const key = keyOfCursor(cursor);
  if (key !== null) return key;
  throw new HttpProblem(
    'bad-request',
    'Query: cursor is not a next_cursor of a listing. To begin behind a key, pass it as after.',
  );
}
