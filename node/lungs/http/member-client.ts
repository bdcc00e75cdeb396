/**
 * One authenticated exchange with a member: signs the request, believes the answer only if its MAC is right, and bounds
 * both in time and size. Two things are put right on the way, once each: a clock that the member says is off (in an
 * answer we can believe), and a kept-alive socket that the other side had already closed.
 */
import { randomBytes } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosResponse } from 'axios';
import { MESSAGE_BYTES_MAX, type Clock } from '../../ports.ts';
import { isNodeId, type NodeId } from '../../protocol/ids.ts';
import {
  answerMac,
  DIGEST_HEADER,
  digestOf,
  isSameMac,
  MAC_HEADER,
  MEMBER_HEADER,
  NONCE_HEADER,
  RECORDS_HEADER,
  requestMac,
  steadyTime,
  TIME_HEADER,
  TO_HEADER,
  WALL_HEADER,
  type MemberKey,
} from './member.ts';

export interface MemberClientModules {
  readonly self: NodeId;
  readonly key: MemberKey;
  readonly clock: Clock;
}

/** Where a member may be, and the sockets that lead there. */
export interface Door {
  /** without a trailing slash */
  readonly url: string;
  readonly agent: HttpAgent | HttpsAgent;
  /** what its clock shows when ours shows 0; learnt from its answers */
  clockOffsetMs: number;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  /** only its answer will do; '' asks who is there */
  readonly to: NodeId | '';
  /** path and query */
  readonly target: string;
  readonly ifNoneMatch: string;
  readonly body: Uint8Array;
  readonly answerBytesMax: number;
  /** for everything: dialling, asking, the whole answer */
  readonly timeoutMs: number;
  /** ends the call; its own, so that the time limit can use it too */
  readonly controller: AbortController;
}

export type Answer =
  | {
      readonly kind: 'believed';
      readonly member: NodeId;
      readonly status: number;
      readonly records: number | null;
      readonly wallMs: number | null;
      readonly body: Uint8Array;
      /** of the last attempt */
      readonly rttMs: number;
    }
  | { readonly kind: 'unbelieved'; readonly reason: string }
  /** a member, but not the one that was asked */
  | { readonly kind: 'misdirected'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'aborted' };

type Attempt = Answer | { readonly kind: 'clock'; readonly time: number } | { readonly kind: 'stale-socket' };

const NONCE_BYTES = 16;
const TIME_IS_UP = Symbol('time is up');

export class MemberClient {
  readonly #modules: MemberClientModules;
  readonly #now: () => number;

  constructor(modules: MemberClientModules) {
    this.#modules = modules;
    this.#now = steadyTime(modules.clock);
  }

  /** Never rejects. */
  async call(door: Door, call: Call): Promise<Answer> {
    const { controller } = call;
    const cancel = this.#modules.clock.after(call.timeoutMs, () => controller.abort(TIME_IS_UP));
    const mended = new Set<'clock' | 'stale-socket'>();
    try {
      for (;;) {
        const attempt = await this.#attempt(door, call);
        if (controller.signal.reason === TIME_IS_UP) {
          return { kind: 'failed', reason: 'timeout' };
        }
        if (controller.signal.aborted) return { kind: 'aborted' };
        if (attempt.kind !== 'clock' && attempt.kind !== 'stale-socket') return attempt;
        if (mended.has(attempt.kind)) return { kind: 'failed', reason: `${attempt.kind}, twice` };
        mended.add(attempt.kind);
        if (attempt.kind === 'clock') door.clockOffsetMs = attempt.time - this.#now();
      }
    } finally {
      cancel();
    }
  }

  async #attempt(door: Door, call: Call): Promise<Attempt> {
    const { self, key, clock } = this.#modules;
    const { method, to, target, ifNoneMatch, body } = call;
    const time = this.#now() + door.clockOffsetMs;
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    const digest = digestOf(body);
    const startedAt = clock.monotonicMs();
    let response: AxiosResponse<unknown>;
    try {
      response = await axios.request<unknown>({
        adapter: 'http',
        url: door.url + target,
        method,
        ...(method === 'POST' && { data: Buffer.from(body.buffer, body.byteOffset, body.length) }),
        headers: {
          'user-agent': 'aethel',
          'accept-encoding': 'identity',
          ...(method === 'POST' && { 'content-type': 'application/octet-stream' }),
          ...(ifNoneMatch !== '' && { 'if-none-match': ifNoneMatch }),
          [MEMBER_HEADER]: self,
          ...(to !== '' && { [TO_HEADER]: to }),
          [TIME_HEADER]: String(time),
          [NONCE_HEADER]: nonce,
          [DIGEST_HEADER]: digest,
          [MAC_HEADER]: requestMac(key, {
            method,
            target,
            member: self,
            to,
            time,
            nonce,
            ifNoneMatch,
            digest,
          }),
        },
        httpAgent: door.agent,
        httpsAgent: door.agent,
        proxy: false,
        maxRedirects: 0,
        maxContentLength: call.answerBytesMax,
        maxBodyLength: MESSAGE_BYTES_MAX,
        decompress: false,
        responseType: 'arraybuffer',
        transformRequest: [],
        transformResponse: [],
        validateStatus: null,
        signal: call.controller.signal,
      });
    } catch (error) {
      return failureOf(error);
    }
    return this.#judge(response, to, nonce, clock.monotonicMs() - startedAt);
  }

  #judge(response: AxiosResponse<unknown>, to: NodeId | '', nonce: string, rttMs: number): Attempt {
    const { status, data } = response;
    const header = (name: string): string => {
      const value: unknown = response.headers[name];
      return typeof value === 'string' ? value : '';
    };
    const body = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(0);
    const member = header(MEMBER_HEADER);
    const records = header(RECORDS_HEADER);
    if (!isNodeId(member))
      return { kind: 'unbelieved', reason: `an answer without a member's name (${status})` };
    const wall = header(WALL_HEADER);
    const facts = { nonce, status, member, etag: header('etag'), records, wall, digest: digestOf(body) };
    if (!isSameMac(header(MAC_HEADER), answerMac(this.#modules.key, facts))) {
      return { kind: 'unbelieved', reason: `an answer without a right MAC (${status})` };
    }
    if (to !== '' && member !== to) return { kind: 'misdirected', reason: 'another member answered' };
    const time = status === 401 ? timeIn(body) : null;
    if (time !== null) return { kind: 'clock', time };
    return {
      kind: 'believed',
      member,
      status,
      records: numberIn(records),
      wallMs: numberIn(wall),
      body,
      rttMs,
    };
  }
}

function numberIn(header: string): number | null {
  return /^[0-9]{1,15}$/.test(header) ? Number(header) : null;
}

/** The member's own clock, in the body of its refusal. */
function timeIn(body: Uint8Array): number | null {
  const facts = parseJson(body);
  const time = typeof facts === 'object' && facts !== null && 'time' in facts ? facts.time : null;
  return Number.isSafeInteger(time) ? Number(time) : null;
}

export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return null;
  }
}

/** Told by shape: an error of Node's own may come from another realm. */
function failureOf(error: unknown): Attempt {
  const { code, message, request } = error as {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly request?: { readonly reusedSocket?: unknown };
  };
  if (request?.reusedSocket === true && (code === 'ECONNRESET' || code === 'EPIPE'))
    return { kind: 'stale-socket' };
  const detail = typeof message === 'string' ? message.slice(0, 200) : 'unknown';
  return { kind: 'failed', reason: typeof code === 'string' ? `${code}: ${detail}` : detail };
}
