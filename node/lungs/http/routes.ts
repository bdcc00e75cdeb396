/**
 * The side of the HTTP lung that answers, as express handlers. `memberMiddleware` tells members from the public by their
 * MAC and signs what members get; `syncRoute` carries the exchange of anti-entropy, for members only.
 */
import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import {
  EXCHANGE_BYTES_MAX,
  type Clock,
  type CountBytes,
  type LungSink,
  type TrafficKind,
} from '../../ports.ts';
import { isNodeId, type NodeId } from '../../protocol/ids.ts';
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
  STATE_PATH,
  steadyTime,
  SYNC_PATH,
  TIME_HEADER,
  TO_HEADER,
  WALL_HEADER,
  type MemberKey,
} from './member.ts';
import { Nonces, type NonceOptions } from './nonces.ts';
import { SocketBytes } from './socket-bytes.ts';

export interface MemberModules {
  readonly self: NodeId;
  readonly key: MemberKey;
  /** another key whose holders are answered, each by its own, while the cluster's key is being changed */
  readonly acceptedKey?: MemberKey | null;
  readonly clock: Clock;
  readonly sink: LungSink;
  /** how many records stand behind the root, told with every state (Beacon.records); without it members go by `state_size` */
  readonly records?: () => number;
  /** whether the store lost records: told beside their number, under the same MAC */
  readonly isHealing?: () => boolean;
  /** a member asks, and says at which port it answers itself; the host is where its connection is seen */
  readonly onAsker?: (member: NodeId, host: string, port: number) => void;
  /** of what members ask, heads included */
  readonly onBytes?: CountBytes;
  /** whether somebody else has our identity; without it nobody is told */
  readonly holders?: Holders;
}

/** Whether a request claims to be a member's; the public's pass these handlers untouched. */
export function claimsMembership(request: IncomingMessage): boolean {
  return request.headers[MAC_HEADER] !== undefined;
}

/** What a verified request said of itself. */
interface Claim {
  readonly member: NodeId;
  readonly to: NodeId | '';
  readonly time: number;
  readonly nonce: string;
  /** SHA-256 that the body must have */
  readonly digest: string;
  /** the one that its MAC is under; the answer's is too */
  readonly key: MemberKey;
}

/** The verified claim of the request that an answer belongs to; the public's have none. */
const claims = new WeakMap<Response, Claim>();

/**
 * Requests without `aethel-` headers pass untouched. With them a GET, or a POST to the sync route, is verified before
 * anything else sees it; its answer is signed. Mount it before every route that members read.
 */
export function memberMiddleware(
  modules: MemberModules,
  options: Partial<NonceOptions> = {},
): RequestHandler {
  const { clock, sink, acceptedKey = null } = modules;
  const keys = acceptedKey === null ? [modules.key] : [modules.key, acceptedKey];
  const nonces = new Nonces({
    skewMsMax: 120_000,
    noncesMax: 100_000,
    noncesPerMemberMax: 40_000,
    ...options,
  });
  const now = steadyTime(clock);
  const bytes = modules.onBytes === undefined ? null : new SocketBytes(modules.onBytes);
  return (request, response, next) => {
    const isOurs = request.method === 'GET' || isSync(request);
    if (!isOurs || !claimsMembership(request)) return next();
    const claim = verify(request, keys);
    if (claim === null) {
      sink({ type: 'refused', peer: null, what: 'peer', reason: 'a request without a right MAC' });
      return sendProblem(response, UNKNOWN_MEMBER);
    }
    const { socket } = request;
    response.once('close', () => bytes?.take(socket, trafficOf(request, claim)));
    signAnswer(response, modules, claim, isState(request));
    if (claim.to === '' ? !isPlainProbe(request) : claim.to !== modules.self) {
      sink({
        type: 'refused',
        peer: claim.member,
        what: 'message',
        reason: claim.to === '' ? 'a request to nobody' : 'a request to another member',
      });
      return sendProblem(response, OTHER_RECEIVER);
    }
    switch (nonces.admit(claim, now())) {
      case 'stale':
        return sendProblem(response, { ...WRONG_TIME, time: now() });
      case 'replayed':
        sink({ type: 'refused', peer: claim.member, what: 'message', reason: 'a replayed request' });
        return sendProblem(response, REPLAYED);
      case 'crowded':
        return sendProblem(response, CROWDED);
      case 'fresh':
        break;
    }
    claims.set(response, claim);
    modules.holders?.hear(claim.member, headerOf(request, HOLDER_HEADER), headerOf(request, TWINS_HEADER));
    // a probe is no evidence: whoever caught one can show it to each member once
    if (claim.to !== '' && claim.member !== modules.self) {
      sink({ type: 'heard', peer: claim.member, rttMs: null, beacon: null });
      const port = portIn(request);
      if (port !== null) modules.onAsker?.(claim.member, socket.remoteAddress ?? '', port);
    }
    return next();
  };
}

export interface SyncRouteOptions {
  /** exchanges answered at a time, of all members and of one; defaults 16 and 4 (guesses; each may hold 2 × 4 MiB) */
  readonly exchangesMax?: number;
  readonly exchangesPerMemberMax?: number;
  /** ms for the body to arrive, and then for the answer to be found; default 10000 */
  readonly timeLimitMs?: number;
}

/** `POST /api/lattice/sync`; every other request passes. Must come after `memberMiddleware`. */
export function syncRoute(
  modules: Pick<MemberModules, 'clock' | 'sink'>,
  options: SyncRouteOptions = {},
): RequestHandler {
  const { clock, sink } = modules;
  const { exchangesMax = 16, exchangesPerMemberMax = 4, timeLimitMs = 10_000 } = options;
  const running = new Map<NodeId, number>();
  let total = 0;

  return async (request, response, next) => {
    if (!isSync(request)) return next();
    const claim = claims.get(response);
    if (claim === undefined) return sendProblem(response, UNKNOWN_MEMBER);
    if (request.headers['content-type'] !== 'application/octet-stream')
      return sendProblem(response, WRONG_TYPE);
    if (Number(request.headers['content-length'] ?? 0) > EXCHANGE_BYTES_MAX)
      return sendProblem(response, TOO_LARGE);
    const ofMember = running.get(claim.member) ?? 0;
    if (total >= exchangesMax || ofMember >= exchangesPerMemberMax) return sendProblem(response, BUSY);
    total += 1;
    running.set(claim.member, ofMember + 1);
    try {
      const body = await readBody(request, clock, timeLimitMs);
      if ('status' in body) return sendProblem(response, body);
      if (digestOf(body) !== claim.digest) {
        sink({
          type: 'refused',
          peer: claim.member,
          what: 'message',
          reason: 'a body that is not the signed one',
        });
        return sendProblem(response, OTHER_BODY);
      }
      const answer = await askCore(body, claim.member, response);
      if ('status' in answer) return sendProblem(response, answer);
      response.status(200).setHeader('Content-Type', 'application/octet-stream');
      response.end(answer);
    } finally {
      total -= 1;
      const left = (running.get(claim.member) ?? 1) - 1;
      if (left > 0) running.set(claim.member, left);
      else running.delete(claim.member);
    }
  };

  function askCore(body: Uint8Array, peer: NodeId, response: Response): Promise<Uint8Array | Problem> {
    return new Promise((resolve) => {
      const finish = (result: Uint8Array | Problem): void => {
        cancel();
        resolve(result);
      };
      const cancel = clock.after(timeLimitMs, () => finish(TOO_SLOW));
      // the asker left: nobody needs the answer
      response.once('close', () => finish(TOO_SLOW));
      const answer = (bytes: Uint8Array | null): void => finish(bytes ?? NOT_UNDERSTOOD);
      sink({ type: 'asked', peer, bytes: body, answer });
    });
  }
}

function portIn({ headers }: Request): number | null {
  const text = headers[PORT_HEADER];
  const port = typeof text === 'string' && /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port < 65_536 ? port : null;
}

function isSync(request: Request): boolean {
  return request.method === 'POST' && request.originalUrl === SYNC_PATH;
}

function isState(request: Request): boolean {
  return request.originalUrl === STATE_PATH || request.originalUrl.startsWith(`${STATE_PATH}?`);
}

function trafficOf(request: Request, { to }: Claim): TrafficKind {
  if (isSync(request)) return 'exchange';
  return to !== '' && isState(request) ? 'poll' : 'probe';
}

/** The question who lives here, the one that can be asked without knowing it. */
function isPlainProbe(request: Request): boolean {
  return (
    request.method === 'GET' &&
    request.originalUrl === STATE_PATH &&
    request.headers['if-none-match'] === undefined
  );
}

function headerOf(request: Request, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function verify(request: Request, keys: readonly MemberKey[]): Claim | null {
  const header = (name: string): string => headerOf(request, name);
  const member = header(MEMBER_HEADER);
  const to = header(TO_HEADER);
  const time = header(TIME_HEADER);
  const nonce = header(NONCE_HEADER);
  const digest = header(DIGEST_HEADER);
  if (!/^[0-9]{1,15}$/.test(time) || !/^[0-9a-f]{32}$/.test(nonce) || !/^[0-9a-f]{64}$/.test(digest))
    return null;
  if (!isNodeId(member) || (to !== '' && !isNodeId(to))) return null;
  const { method, originalUrl: target } = request;
  const facts: Omit<Claim, 'key'> = { member, to, time: Number(time), nonce, digest };
  const ifNoneMatch = header('if-none-match');
  const key = keys.find((one) =>
    isSameMac(header(MAC_HEADER), requestMac(one, { ...facts, method, target, ifNoneMatch })),
  );
  return key === undefined ? null : { ...facts, key };
}

/** Signs at the last moment, when status, tag and body are known. Answers that were begun in pieces stay unsigned. */
function signAnswer(
  response: Response,
  { self, clock, records, isHealing, holders }: MemberModules,
  { nonce, member, key }: Claim,
  isOfState: boolean,
): void {
  const end = response.end.bind(response) as (...args: unknown[]) => Response;
  const header = (name: string): string => {
    const value = response.getHeader(name);
    return value === undefined ? '' : String(value);
  };
  const signingEnd = (...args: unknown[]): Response => {
    if (!response.headersSent) {
      const { statusCode: status } = response;
      if (isOfState && records !== undefined)
        response.setHeader(RECORDS_HEADER, `${records()}${isHealing?.() === true ? HEALING_SUFFIX : ''}`);
      if (isOfState) response.setHeader(WALL_HEADER, String(Math.round(clock.wallMs())));
      const body = status === 304 || status === 204 ? NO_BODY : bytesOf(args[0], args[1]);
      const facts = {
        etag: header('etag'),
        records: header(RECORDS_HEADER),
        wall: header(WALL_HEADER),
        digest: digestOf(body),
      };
      for (const [name, value] of Object.entries(holders?.headersFor(member) ?? {}))
        response.setHeader(name, value);
      response.setHeader(MEMBER_HEADER, self);
      response.setHeader(MAC_HEADER, answerMac(key, { nonce, status, member: self, ...facts }));
    }
    return end(...args);
  };
  response.end = signingEnd;
}

const NO_BODY = new Uint8Array(0);

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === 'string') {
    return Buffer.from(
      chunk,
      typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8',
    );
  }
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return NO_BODY;
}

/** Resolves with a problem when the body is too large, too slow or broken off. */
function readBody(request: Request, clock: Clock, timeLimitMs: number): Promise<Uint8Array | Problem> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const finish = (result: Uint8Array | Problem): void => {
      cancel();
      request.off('data', take);
      resolve(result);
    };
    const take = (chunk: Uint8Array): void => {
      size += chunk.length;
      if (size > EXCHANGE_BYTES_MAX) return finish(TOO_LARGE);
      chunks.push(chunk);
    };
    const cancel = clock.after(timeLimitMs, () => finish(BODY_TOO_SLOW));
    request.on('data', take);
    request.once('end', () => finish(Buffer.concat(chunks)));
    request.once('close', () => finish(BODY_TOO_SLOW));
    request.once('error', () => finish(BODY_TOO_SLOW));
  });
}

/** RFC 9457, as every failure of the API. */
interface Problem {
  readonly slug: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** our clock, for a member whose own is off */
  readonly time?: number;
}

const UNKNOWN_MEMBER: Problem = {
  slug: 'not-a-member',
  title: 'Not a member',
  status: 401,
  detail: 'This needs a request signed with the cluster’s key.',
  headers: { Connection: 'close' },
};
const WRONG_TIME: Problem = {
  slug: 'wrong-time',
  title: 'Wrong time',
  status: 401,
  detail: 'The request is signed, but its time is too far from ours.',
};
const OTHER_RECEIVER: Problem = {
  slug: 'other-receiver',
  title: 'Another receiver',
  status: 401,
  detail: 'The request is signed, but not for this member.',
};
const CROWDED: Problem = {
  slug: 'too-many-requests',
  title: 'Too many requests',
  status: 503,
  detail: 'This member asked more than can be remembered; ask again later.',
  headers: { 'Retry-After': '1' },
};
const REPLAYED: Problem = {
  slug: 'replayed',
  title: 'Replayed request',
  status: 401,
  detail: 'This request was answered before.',
};
const OTHER_BODY: Problem = {
  slug: 'other-body',
  title: 'Another body',
  status: 401,
  detail: 'The body is not the one that was signed.',
};
const WRONG_TYPE: Problem = {
  slug: 'unsupported-media-type',
  title: 'Unsupported media type',
  status: 415,
  detail: 'Messages between members are application/octet-stream.',
};
const TOO_LARGE: Problem = {
  slug: 'too-large',
  title: 'Too large',
  status: 413,
  detail: `A message holds at most ${EXCHANGE_BYTES_MAX} bytes.`,
  headers: { Connection: 'close' },
};
const BODY_TOO_SLOW: Problem = {
  slug: 'request-timeout',
  title: 'Request timeout',
  status: 408,
  detail: 'The body did not arrive in time.',
  headers: { Connection: 'close' },
};
const BUSY: Problem = {
  slug: 'busy',
  title: 'Busy',
  status: 503,
  detail: 'Too many exchanges are under way; ask again.',
  headers: { 'Retry-After': '1' },
};
const NOT_UNDERSTOOD: Problem = {
  slug: 'not-understood',
  title: 'Not understood',
  status: 422,
  detail: 'The message is not one that this node answers.',
};
const TOO_SLOW: Problem = {
  slug: 'no-answer',
  title: 'No answer in time',
  status: 504,
  detail: 'The node found no answer in time.',
};

function sendProblem(response: Response, problem: Problem): void {
  if (response.destroyed || response.headersSent) return;
  const { slug, headers, ...facts } = problem;
  response.status(problem.status).set({ 'Cache-Control': 'no-store', ...headers });
  response.setHeader('Content-Type', 'application/problem+json');
  response.end(JSON.stringify({ success: false, type: `urn:aethel:problem:${slug}`, ...facts }));
}
