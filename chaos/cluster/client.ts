/**
 * One node's HTTP contract, as the lab uses it. Answers are checked against the node's own schemas; what a write came to
 * is `ok`, `fail` (certainly not done) or `info` (nobody knows: no answer, a broken one, a 5xx).
 */
import http from 'node:http';
import axios from 'axios';
import type { AxiosInstance, AxiosResponse } from 'axios';
import { decodeRecord } from '../../node/protocol/state/record.ts';
import {
  BatchResponse,
  EntriesResponse,
  EntryResponse,
  Problem,
  StateResponse,
  StatusResponse,
  SwitchResponse,
  WriteResponse,
} from '../../node/http/schemas.ts';

export type WriteResult =
  | { readonly outcome: 'ok'; readonly root: string; readonly version: string }
  | NotWritten;

/** `versions` in the order of the entries */
export type BatchResult =
  | { readonly outcome: 'ok'; readonly root: string; readonly versions: readonly string[] }
  | NotWritten;

interface NotWritten {
  readonly outcome: 'fail' | 'info';
  readonly reason: string;
}

export type FoundEntry = Pick<EntryResponse, 'value' | 'version' | 'conflict' | 'siblings'>;

/** What a workload asks of one node, over HTTP or, in the simulated world, of the node itself. */
export interface NodeClient {
  /** @throws NodeUnreachableError */
  status(): Promise<StatusResponse>;
  /** @param ifMatch only where the key is at this version */
  put(key: string, value: unknown, ifMatch?: string): Promise<WriteResult>;
  /** all of them or none */
  batch(entries: readonly (readonly [key: string, value: unknown])[]): Promise<BatchResult>;
  /** @returns null where the node does not have the key. @throws NodeUnreachableError */
  get(key: string): Promise<FoundEntry | null>;
  /** The id of the record that this node shows of a key, whatever lost against it. @throws NodeUnreachableError */
  winnerOf(key: string): Promise<string>;
  /** Entries in key order, page by page. @param after where to begin; null: at the first. @throws NodeUnreachableError */
  pages(after: string | null): AsyncIterable<EntriesResponse>;
  /** null gives the choice back. @throws NodeUnreachableError */
  force(mode: 'P2P' | 'HTTP' | null): Promise<void>;
  close(): void;
}

/** The node gave no usable answer to a read. */
export class NodeUnreachableError extends Error {
  readonly code = 'node_unreachable';
}

const STARTING = 'urn:aethel:problem:starting';
const PAGE = 500;
/** More pages than any run here writes; a cursor that never ends must not hang the lab. */
const PAGES_MAX = 10_000;

export class LatticeClient implements NodeClient {
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

  /** Its process lives; it may still be starting. */
  async isHealthy(): Promise<boolean> {
    return this.#isFine('/health');
  }

  /** It has its state, and answers for it. */
  async isServing(): Promise<boolean> {
    return this.#isFine('/api/lattice/p2p/status');
  }

  /** @throws NodeUnreachableError */
  async status(): Promise<StatusResponse> {
    return parsed(StatusResponse, await this.#get('/api/lattice/p2p/status'));
  }

  /** Its wall clock, ms since the epoch. @throws NodeUnreachableError */
  async time(): Promise<number> {
    return parsed(StateResponse, await this.#get('/api/lattice/state')).timestamp;
  }

  async put(key: string, value: unknown, ifMatch?: string): Promise<WriteResult> {
    const headers = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` };
    const response = await this.#write(() => this.#http.put(this.#keyUrl(key), { value }, { headers }));
    if ('outcome' in response) return response;
    const written = WriteResponse.safeParse(response.data);
    if (!isSuccess(response) || !written.success) return notWritten(response);
    return { outcome: 'ok', root: written.data.merkle_root, version: written.data.version };
  }

  async batch(entries: readonly (readonly [key: string, value: unknown])[]): Promise<BatchResult> {
    const body = { entries: entries.map(([key, value]) => ({ key, value })) };
    const response = await this.#write(() => this.#http.post(`${this.#url()}/api/lattice/state`, body));
    if ('outcome' in response) return response;
    const written = BatchResponse.safeParse(response.data);
    if (!isSuccess(response) || !written.success) return notWritten(response);
    const versions = new Map(written.data.entries.map((entry) => [entry.key, entry.version]));
    return {
      outcome: 'ok',
      root: written.data.merkle_root,
      versions: entries.map(([key]) => versions.get(key) ?? ''),
    };
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

  async winnerOf(key: string): Promise<string> {
    const { proof } = parsed(
      EntryResponse,
      await this.#get(`/api/lattice/state/${encodeURIComponent(key)}?proof=1`),
    );
    const [winner] = proof?.records ?? [];
    if (winner === undefined) throw new NodeUnreachableError(`${key}: a proof without a record`);
    try {
      return decodeRecord(Buffer.from(winner, 'base64')).id;
    } catch (error) {
      throw new NodeUnreachableError(`${key}: a proof with a broken record`, { cause: error });
    }
  }

  async *pages(after: string | null): AsyncGenerator<EntriesResponse, void, undefined> {
    let answer = await this.page(after);
    for (let page = 0; page < PAGES_MAX; page += 1) {
      yield answer;
      if (answer.next_cursor === null) return;
      answer = await this.#listed(`&cursor=${answer.next_cursor}`);
    }
    throw new NodeUnreachableError(`the entries of ${this.#url()} never end`);
  }

  /** Every entry, and the root that the last page named. @throws NodeUnreachableError */
  async entries(): Promise<{ readonly root: string; readonly entries: ReadonlyMap<string, unknown> }> {
    const entries = new Map<string, unknown>();
    let root = '';
    for await (const page of this.pages(null)) {
      root = page.merkle_root;
      for (const entry of page.entries) entries.set(entry.key, entry.value);
    }
    return { root, entries };
  }

  async force(mode: 'P2P' | 'HTTP' | null): Promise<void> {
    const word = mode === null ? 'auto' : mode.toLowerCase();
    const url = `${this.#url()}/api/lattice/sync/switch?mode=${word}`;
    try {
      parsed(SwitchResponse, await this.#http.post(url));
    } catch (error) {
      throw new NodeUnreachableError(`switch: ${messageOf(error)}`, { cause: error });
    }
  }

  /** The entries after this key, in key order. @throws NodeUnreachableError */
  async page(after: string | null): Promise<EntriesResponse> {
    return this.#listed(after === null ? '' : `&after=${encodeURIComponent(after)}`);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #listed(more: string): Promise<EntriesResponse> {
    return parsed(EntriesResponse, await this.#get(`/api/lattice/state?entries=1&limit=${PAGE}${more}`));
  }

  #keyUrl(key: string): string {
    return `${this.#url()}/api/lattice/state/${encodeURIComponent(key)}`;
  }

  async #write(request: () => Promise<AxiosResponse<unknown>>): Promise<AxiosResponse<unknown> | NotWritten> {
    try {
      return await request();
    } catch (error) {
      // A refused connection never carried the request; every other failure may have come after the write.
      const refused = axios.isAxiosError(error) && error.code === 'ECONNREFUSED';
      return { outcome: refused ? 'fail' : 'info', reason: messageOf(error) };
    }
  }

  async #isFine(path: string): Promise<boolean> {
    try {
      return (await this.#get(path)).status === 200;
    } catch {
      return false;
    }
  }

  async #get(path: string): Promise<AxiosResponse<unknown>> {
    try {
      return await this.#http.get(`${this.#url()}${path}`);
    } catch (error) {
      throw new NodeUnreachableError(`${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

function isSuccess({ status }: AxiosResponse<unknown>): boolean {
  return status >= 200 && status < 300;
}

function notWritten({ status, data }: AxiosResponse<unknown>): NotWritten {
  const problem = Problem.safeParse(data);
  const reason = `${status} ${problem.success ? problem.data.detail : 'without problem+json'}`;
  // A node that is starting has no state yet that it could have written to.
  const isUntouched = (status >= 400 && status < 500) || (problem.success && problem.data.type === STARTING);
  return { outcome: isUntouched ? 'fail' : 'info', reason };
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
