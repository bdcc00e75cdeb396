/**
 * One node's HTTP contract, as the lab uses it. Answers are checked against the node's own schemas; what a write came to
 * is `ok`, `fail` (certainly not done) or `info` (nobody knows: no answer, a broken one, a 5xx).
 */
import http from 'node:http';
import axios from 'axios';
import type { AxiosInstance, AxiosResponse } from 'axios';
import {
  EntriesResponse,
  EntryResponse,
  Problem,
  StateResponse,
  StatusResponse,
  WriteResponse,
} from '../../node/http/schemas.ts';

export type WriteResult =
  | { readonly outcome: 'ok'; readonly root: string }
  | { readonly outcome: 'fail' | 'info'; readonly reason: string };

/** The node gave no usable answer to a read. */
export class NodeUnreachableError extends Error {
  readonly code = 'node_unreachable';
}

const PAGE = 500;
/** More pages than any run here writes; a cursor that never ends must not hang the lab. */
const PAGES_MAX = 10_000;

export class LatticeClient {
  readonly #url: () => string;
  readonly #http: AxiosInstance;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

  /** @param url asked for every call: a restart may change it */
  constructor(url: () => string, apiToken: string | null, options: { readonly timeoutMs: number }) {
    this.#url = url;
    this.#http = axios.create({
      httpAgent: this.#agent,
      proxy: false,
      timeout: options.timeoutMs,
      maxRedirects: 0,
      validateStatus: () => true,
      headers: apiToken === null ? {} : { authorization: `Bearer ${apiToken}` },
    });
  }

  async isHealthy(): Promise<boolean> {
    try {
      return (await this.#get('/health')).status === 200;
    } catch {
      return false;
    }
  }

  /** @throws NodeUnreachableError */
  async status(): Promise<StatusResponse> {
    return parsed(StatusResponse, await this.#get('/api/lattice/p2p/status'));
  }

  async put(key: string, value: unknown): Promise<WriteResult> {
    let response: AxiosResponse<unknown>;
    try {
      response = await this.#http.put(`${this.#url()}/api/lattice/state/${encodeURIComponent(key)}`, {
        value,
      });
    } catch (error) {
      // A refused connection never carried the request; every other failure may have come after the write.
      const refused = axios.isAxiosError(error) && error.code === 'ECONNREFUSED';
      return { outcome: refused ? 'fail' : 'info', reason: messageOf(error) };
    }
    const written = WriteResponse.safeParse(response.data);
    if (response.status >= 200 && response.status < 300 && written.success) {
      return { outcome: 'ok', root: written.data.merkle_root };
    }
    const problem = Problem.safeParse(response.data);
    const reason = `${response.status} ${problem.success ? problem.data.detail : 'without problem+json'}`;
    return { outcome: response.status >= 400 && response.status < 500 ? 'fail' : 'info', reason };
  }

  /** With the siblings of its value. @returns null where the node does not have the key. @throws NodeUnreachableError */
  async get(key: string): Promise<EntryResponse | null> {
    const response = await this.#get(`/api/lattice/state/${encodeURIComponent(key)}`);
    return response.status === 404 ? null : parsed(EntryResponse, response);
  }

  /** The root as the node signs it. @throws NodeUnreachableError */
  async signedRoot(): Promise<StateResponse> {
    return parsed(StateResponse, await this.#get('/api/lattice/state'));
  }

  /** Every entry, and the root that the last page named. @throws NodeUnreachableError */
  async entries(): Promise<{ readonly root: string; readonly entries: ReadonlyMap<string, unknown> }> {
    const entries = new Map<string, unknown>();
    let cursor: string | null = null;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const answer: EntriesResponse = await this.page(cursor);
      for (const entry of answer.entries) entries.set(entry.key, entry.value);
      cursor = answer.next_cursor;
      if (cursor === null) return { root: answer.merkle_root, entries };
    }
    throw new NodeUnreachableError(`the entries of ${this.#url()} never end`);
  }

  /** The entries after this key, in key order. @throws NodeUnreachableError */
  async page(cursor: string | null): Promise<EntriesResponse> {
    const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return parsed(EntriesResponse, await this.#get(`/api/lattice/state?entries=1&limit=${PAGE}${query}`));
  }

  close(): void {
    this.#agent.destroy();
  }

  async #get(path: string): Promise<AxiosResponse<unknown>> {
    try {
      return await this.#http.get(`${this.#url()}${path}`);
    } catch (error) {
      throw new NodeUnreachableError(`${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

interface Schema<T> {
  safeParse(
    data: unknown,
  ): { readonly success: true; readonly data: T } | { readonly success: false; readonly error: Error };
}

function parsed<T>(schema: Schema<T>, response: AxiosResponse<unknown>): T {
  if (response.status !== 200) throw new NodeUnreachableError(`${response.config.url}: ${response.status}`);
  const result = schema.safeParse(response.data);
  if (!result.success) {
    throw new NodeUnreachableError(`${response.config.url}: not as the schema says: ${result.error.message}`);
  }
  return result.data;
}

function messageOf(error: unknown): string {
  if (axios.isAxiosError(error)) return error.code ?? error.message;
  return error instanceof Error ? error.message : String(error);
}
