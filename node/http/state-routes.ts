/**
 * The replicated state over HTTP: its signed root (conditionally, held until it changes), its entries in pages, and
 * reads and writes of keys.
 */
import express from 'express';
import type { Request, RequestHandler, Response, Router } from 'express';
import type { Precondition, WriteEntry, WriteOutcome } from '../protocol/border.ts';
import { etag, ifNoneMatch, preconditionOf } from './etags.ts';
import { parseJsonExactly } from './json.ts';
import { HttpProblem, describeIssues } from './problems.ts';
import { parseQuery } from './query.ts';
import { onlyMethods } from './route-context.ts';
import type { RouteContext } from './route-context.ts';
import {
  BatchRequest,
  Key,
  NoQuery,
  PAGE_ENTRIES_DEFAULT,
  PutRequest,
  StateQuery,
  WriteQuery,
} from './schemas.ts';
import type { BatchResponse, StateResponse, WriteResponse } from './schemas.ts';
import { entryResponseText, entryText } from './views.ts';

/** A page ends early rather than grow beyond this. */
const PAGE_BYTES_MAX = 4_194_304;

/** A write is acknowledged by this node alone: `w=1`. */
const ACKS = 1;

type Written = Extract<WriteOutcome, { ok: true }>;

export function stateRoutes(router: Router, context: RouteContext): void {
  const { api, writer, limits } = context;
  const jsonBody = readJsonBody(limits.bodyBytesMax);
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
    .post(writer, jsonBody, async (request, response: Response<BatchResponse>) => {
      assertOneAck(parseQuery(request, WriteQuery));
      const entries = readBatch(request.body);
      const written = await write(entries, null);
      response.json({
        success: true,
        entries: written.written.map(({ key, version, created }) => ({ key, version, created })),
        count: written.written.length,
        merkle_root: written.root,
        acks: ACKS,
      });
    })
    .all(onlyMethods('GET, HEAD, POST'));

  router
    .route('/api/lattice/state/:key')
    .get(async (request, response) => {
      parseQuery(request, NoQuery);
      const key = readKey(request);
      const wanted = ifNoneMatch(request);
      const entry = await api.read(key);
      if (entry === null) throw new HttpProblem('not-found', 'This key has no value here.');
      response.set({ ETag: etag(entry.version), 'Cache-Control': 'no-cache' });
      if (includes(wanted, entry.version)) response.status(304).end();
      else response.type('application/json').send(entryResponseText(entry));
    })
    .put(writer, jsonBody, async (request, response: Response<WriteResponse>) => {
      assertOneAck(parseQuery(request, WriteQuery));
      const key = readKey(request);
      const body = PutRequest.safeParse(request.body);
      if (!body.success) throw new HttpProblem('bad-request', `Body: ${describeIssues(body.error.issues)}`);
      const value = valueText(body.data.value);
      sendWritten(response, await write([{ key, value }], preconditionOf(request)));
    })
    .delete(writer, async (request, response: Response<WriteResponse>) => {
      assertOneAck(parseQuery(request, WriteQuery));
      const key = readKey(request);
      sendWritten(response, await write([{ key, value: null }], preconditionOf(request)), 200);
    })
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
    const text = `aethel/state/v1\n${state.root}\n${timestamp}\n${peerId}`;
    return {
      success: true,
      merkle_root: state.root,
      state_size: state.size,
      timestamp,
      peer_id: peerId,
      signature: Buffer.from(api.sign(Buffer.from(text, 'utf8'))).toString('base64'),
      signed: true,
    };
  }

  async function sendPage(response: Response, cursor: string | null, limit: number): Promise<void> {
    const [page, state] = await Promise.all([api.entries(cursor, limit), api.state()]);
    const texts: string[] = [];
    let bytes = 0;
    for (const entry of page.entries) {
      const text = entryText(entry);
      bytes += Buffer.byteLength(text);
      if (texts.length > 0 && bytes > PAGE_BYTES_MAX) break;
      texts.push(text);
    }
    const isCut = texts.length < page.entries.length;
    const next = isCut ? (page.entries[texts.length - 1]?.key ?? null) : page.next;
    const head = {
      success: true,
      merkle_root: state.root,
      state_size: state.size,
      count: texts.length,
      next_cursor: next,
    };
    response
      .type('application/json')
      .send(`${JSON.stringify(head).slice(0, -1)},"entries":[${texts.join(',')}]}`);
  }

  async function write(entries: readonly WriteEntry[], precondition: Precondition | null): Promise<Written> {
    if (context.closing.aborted) throw new HttpProblem('stopping', 'The node is stopping; ask another one.');
    const outcome = await api.write(entries, precondition);
    if (outcome.ok) return outcome;
    switch (outcome.reason) {
      case 'invalid':
        throw new HttpProblem('bad-request', `The write makes no record: ${outcome.detail.slice(0, 300)}`);
      case 'not-found':
        throw new HttpProblem('not-found', 'There is nothing to delete: this key has no value here.');
      case 'precondition':
        throw new HttpProblem(
          'precondition-failed',
          outcome.version === null
            ? 'The key has no value here.'
            : `The key is at version ${outcome.version}.`,
          { extra: { version: outcome.version } },
        );
    }
  }

  function readKey(request: Request): string {
    return checkedKey(String(request.params['key']));
  }

  function checkedKey(key: string): string {
    const parsed = Key.safeParse(key);
    if (!parsed.success)
      throw new HttpProblem('invalid-key', `The key ${describeIssues(parsed.error.issues)}.`);
    if (Buffer.byteLength(key) > limits.keyBytesMax) {
      throw new HttpProblem('invalid-key', `The key is longer than ${limits.keyBytesMax} bytes of UTF-8.`);
    }
    return key;
  }

  /** A value as it is kept: compact JSON text. */
  function valueText(value: unknown): string {
    const text = JSON.stringify(value);
    if (Buffer.byteLength(text) > limits.valueBytesMax) {
      throw new HttpProblem('too-large', `The value is larger than ${limits.valueBytesMax} bytes of JSON.`);
    }
    return text;
  }

  function readBatch(body: unknown): readonly WriteEntry[] {
    const batch = BatchRequest.safeParse(body);
    if (!batch.success) throw new HttpProblem('bad-request', `Body: ${describeIssues(batch.error.issues)}`);
    const keys = new Set<string>();
    return batch.data.entries.map((entry) => {
      const key = checkedKey(entry.key);
      if (keys.has(key))
        throw new HttpProblem('bad-request', `Body: the key ${key.slice(0, 80)} is there twice.`);
      keys.add(key);
      return { key, value: 'delete' in entry ? null : valueText(entry.value) };
    });
  }
}

function sendWritten(response: Response<WriteResponse>, outcome: Written, status?: number): void {
  const [written] = outcome.written;
  if (written === undefined) throw new Error('a write of one entry was answered with none');
  response
    .status(status ?? (written.created ? 201 : 200))
    .set('ETag', etag(written.version))
    .json({
      success: true,
      key: written.key,
      version: written.version,
      merkle_root: outcome.root,
      acks: ACKS,
    });
}

function assertOneAck(query: WriteQuery): void {
  if (query.w === undefined || query.w === '1') return;
  throw new HttpProblem(
    'not-implemented',
    `w=${query.w}: this node acknowledges a write when it is durable here (w=1); waiting for other nodes is not offered. Nothing was written.`,
  );
}

function includes(tags: readonly string[] | '*' | null, tag: string): boolean {
  return tags !== null && (tags === '*' || tags.includes(tag));
}

/** `application/json`, uncompressed, UTF-8, bounded; parsed without loss into `request.body`. */
function readJsonBody(bytesMax: number): RequestHandler {
  const readBytes = express.raw({ type: () => true, limit: bytesMax, inflate: false });
  return (request, response, next) => {
    const type = request.headers['content-type'] ?? '';
    if (!/^application\/json *(; *charset="?utf-8"?)? *$/i.test(type)) {
      throw new HttpProblem('unsupported-media-type', 'The body must be application/json in UTF-8.');
    }
    readBytes(request, response, (failure?: unknown) => {
      try {
        if (failure !== undefined) throw failure;
        const bytes: unknown = request.body;
        if (!(bytes instanceof Uint8Array)) throw new HttpProblem('bad-request', 'The body is empty.');
        request.body = parseJsonExactly(bytes);
        next();
      } catch (error) {
        next(error);
      }
    });
  };
}
