/**
 * One authenticated exchange with a member: signs the request, believes the answer only if its MAC is right, and bounds
 * both in time and size. Two things are put right on the way, once each: a clock that the member says is off (in an
 * answer we can believe), and a kept-alive socket that the other side had already closed.
 */
import { randomBytes } from 'node:crypto';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import axios, { type AxiosResponse } from 'axios';
import { EXCHANGE_BYTES_MAX, type Clock, type CountBytes, type TrafficKind } from '../../ports.ts';
import { isNodeId, type NodeId } from '../../protocol/ids.ts';
import { afterPatience, type Strain } from '../pace.ts';
import { HOLDER_HEADER, TWINS_HEADER, type Holders } from './holders.ts';
import {
  answerMac,
  DIGEST_HEADER,
  digestOf,
  isSameMac,
  MAC_HEADER,
  MEMBER_HEADER,
  NONCE_HEADER,
  PORT_HEADER,
  HEALING_SUFFIX,
  RECORDS_HEADER,
  requestMac,
  steadyTime,
  TIME_HEADER,
  TO_HEADER,
  WALL_HEADER,
  type MemberKey,
} from './member.ts';
import { SocketBytes } from './socket-bytes.ts';

export interface MemberClientModules {
  readonly self: NodeId;
  readonly key: MemberKey;
  readonly clock: Clock;
  readonly onBytes: CountBytes;
  readonly strain: () => Strain;
  /** where this node answers HTTP itself, as whoever is at that URL may use it; null: nowhere */
  readonly portFor: (url: string) => number | null;
  readonly holders?: Holders;
}

/** Where a member may be, and the sockets that lead there. */
export interface Door {
  /** without a trailing slash */
  readonly url: string;
  readonly agent: HttpAgent | HttpsAgent;
  /** the member that answered here last */
  readonly peer: NodeId | null;
  /** its agent finds the way through a proxy */
  readonly isProxied: boolean;
  /** what its clock shows when ours shows 0; learnt from its answers */
  clockOffsetMs: number;
}

export interface Call {
  readonly kind: TrafficKind;
  readonly method: 'GET' | 'POST';
  /** only its answer will do; '' asks who is there */
  readonly to: NodeId | '';
  /** path and query */
  readonly target: string;
  readonly ifNoneMatch: string;
  readonly body: Uint8Array;
  readonly answerBytesMax: number;
  /** ms that the member may hold its answer; 0: it answers at once */
  readonly heldMs: number;
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
      readonly isHealing: boolean;
      readonly wallMs: number | null;
      readonly body: Uint8Array;
      /** with our own identity it is not this process */
      readonly isTwin: boolean;
      /** of the last attempt */
      readonly rttMs: number;
    }
  | { readonly kind: 'unbelieved'; readonly reason: string }
  /** a member, but not the one that was asked */
  | { readonly kind: 'misdirected'; readonly reason: string }
  /**
   * `isCut`: somebody ended it while the answer was awaited, be it the member or a proxy between; `isTooLarge`: somebody between takes
   * no body of that size
   */
  | { readonly kind: 'failed'; readonly reason: string; readonly isCut: boolean; readonly isTooLarge?: true }
  | { readonly kind: 'aborted' };

type Attempt = Answer | { readonly kind: 'clock'; readonly time: number } | { readonly kind: 'stale-socket' };

const NONCE_BYTES = 16;
const TIME_IS_UP = Symbol('time is up');
/** A socket that the other side had closed says so within a round trip; a held answer that ends later was cut off. */
const STALE_MS_MAX = 250;
/**
 * What a proxy between answers in the place of a member: it wants to know us, or has waited for long enough. A member that
 * is starting answers 503, and has no name yet.
 */
const INTERMEDIARY = new Set([407, 408, 502, 503, 504]);

/** A member takes whatever a lung carries; a proxy between may not. */
const TOO_LARGE = 413;

export class MemberClient {
  readonly #modules: MemberClientModules;
  readonly #now: () => number;
  readonly #bytes: SocketBytes;

  constructor(modules: MemberClientModules) {
    this.#modules = modules;
    this.#bytes = new SocketBytes(modules.onBytes);
    this.#now = steadyTime(modules.clock);
  }

  /** Never rejects. */
  async call(door: Door, call: Call): Promise<Answer> {
    const { controller } = call;
    const { clock, strain } = this.#modules;
    const cancel = afterPatience(clock, call.timeoutMs, strain, () => controller.abort(TIME_IS_UP));
    const mended = new Set<'clock' | 'stale-socket'>();
    try {
      for (;;) {
        const attempt = await this.#attempt(door, call);
        if (controller.signal.reason === TIME_IS_UP) {
          return { kind: 'failed', reason: 'timeout', isCut: false };
        }
        if (controller.signal.aborted) return { kind: 'aborted' };
        if (attempt.kind !== 'clock' && attempt.kind !== 'stale-socket') return attempt;
        if (mended.has(attempt.kind)) {
          return { kind: 'failed', reason: `${attempt.kind}, twice`, isCut: attempt.kind === 'stale-socket' };
        }
        mended.add(attempt.kind);
        if (attempt.kind === 'clock') door.clockOffsetMs = attempt.time - this.#now();
      }
    } finally {
      cancel();
    }
  }

  async #attempt(door: Door, call: Call): Promise<Attempt> {
    const { self, key, clock, portFor, holders } = this.#modules;
    const port = portFor(door.url);
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
          ...(port !== null && { [PORT_HEADER]: String(port) }),
          ...holders?.headersFor(to === '' ? door.peer : to),
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
        // with `false` axios would go straight there, whatever the agent knows
        ...(!door.isProxied && { proxy: false }),
        maxRedirects: 0,
        maxContentLength: call.answerBytesMax,
        maxBodyLength: EXCHANGE_BYTES_MAX,
        decompress: false,
        responseType: 'arraybuffer',
        transformRequest: [],
        transformResponse: [],
        validateStatus: null,
        signal: call.controller.signal,
      });
    } catch (error) {
      this.#bytes.take(socketIn(error), call.kind);
      return failureOf(error, call.heldMs > 0 ? clock.monotonicMs() - startedAt : 0);
    }
    this.#bytes.take(socketIn(response), call.kind);
    return this.#judge(response, call, nonce, clock.monotonicMs() - startedAt);
  }

  #judge(response: AxiosResponse<unknown>, call: Call, nonce: string, rttMs: number): Attempt {
    const { to } = call;
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
    if (member === '' && INTERMEDIARY.has(status))
      return {
        kind: 'failed',
        reason: `somebody between, or a member that is starting, answered ${status}`,
        isCut: true,
      };
    if (member === '' && status === TOO_LARGE)
      return {
        kind: 'failed',
        reason: 'somebody between takes no body of that size (413)',
        isCut: false,
        isTooLarge: true,
      };
    if (!isNodeId(member))
      return { kind: 'unbelieved', reason: `an answer without a member's name (${status})` };
    const wall = header(WALL_HEADER);
    const facts = { nonce, status, member, records, wall, digest: digestOf(body) };
    const mac = header(MAC_HEADER);
    const tags = [...tagsMeant(header('etag'), call, body)];
    if (!tags.some((etag) => isSameMac(mac, answerMac(this.#modules.key, { ...facts, etag })))) {
      return { kind: 'unbelieved', reason: `an answer without a right MAC (${status})` };
    }
    if (to !== '' && member !== to) return { kind: 'misdirected', reason: 'another member answered' };
    const { holders } = this.#modules;
    const isTwin = holders?.hear(member, header(HOLDER_HEADER), header(TWINS_HEADER)) ?? false;
    const time = status === 401 ? timeIn(body) : null;
    if (time !== null) return { kind: 'clock', time };
    return {
      kind: 'believed',
      member,
      status,
      records: numberIn(records.replace(HEALING_SUFFIX, '')),
      isHealing: records.endsWith(HEALING_SUFFIX),
      wallMs: numberIn(wall),
      body,
      isTwin,
      rttMs,
    };
  }
}

/**
 * What the member's tag may have been: proxies drop it, or weaken it where they compress. It is the root that was asked about, or that of the
 * body, so nothing is believed that the member did not sign.
 */
function tagsMeant(etag: string, { ifNoneMatch }: Call, body: Uint8Array): ReadonlySet<string> {
  const tags = new Set([etag, etag.replace(/^W\//, ''), ifNoneMatch]);
  const state = etag === '' && body.length > 0 ? parseJson(body) : null;
  if (typeof state === 'object' && state !== null && 'merkle_root' in state)
    tags.add(`"${String(state.merkle_root)}"`);
  return tags;
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
interface Failure {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly request?: { readonly reusedSocket?: unknown };
}

/** @param waitedMs how long a held answer was awaited */
function failureOf(error: unknown, waitedMs: number): Attempt {
  const { code, message, request } = error as Failure;
  const isReset = code === 'ECONNRESET' || code === 'EPIPE';
  if (isReset && request?.reusedSocket === true && waitedMs < STALE_MS_MAX) return { kind: 'stale-socket' };
  const detail = typeof message === 'string' ? message.slice(0, 200) : 'unknown';
  return {
    kind: 'failed',
    reason: typeof code === 'string' ? `${code}: ${detail}` : detail,
    isCut: isReset || code === 'ECONNABORTED' || code === 'ERR_BAD_RESPONSE',
  };
}

function socketIn(answer: unknown): Socket | null {
  const { request } = answer as { readonly request?: { readonly socket?: Socket | null } };
  return request?.socket ?? null;
}
