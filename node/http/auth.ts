/**
 * Who may write, and who may operate the node.
 *
 *   with an API token     whoever presents it as a bearer token
 *   without               a client on this very machine, or anybody where the node is explicitly insecure; a browser
 *                         only when its page comes from this machine or from the node's own host, because
 *                         a foreign page can make a browser call loopback (CSRF, DNS rebinding)
 *
 * The Host header proves nothing here: under DNS rebinding it names the attacker, as the Origin does.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './problems.ts';

export interface AuthOptions {
  readonly apiToken: string | null;
  readonly insecure: boolean;
  /** host names under which this node serves pages of its own, beside loopback */
  readonly ownHosts: readonly string[];
}

/** @returns a check that throws a problem for who may not write */
export function writerCheck(options: AuthOptions): (request: IncomingMessage) => void {
  return (request) => {
    if (options.apiToken === null) assertNearby(request, options);
    else assertBearer(request, options.apiToken);
  };
}

function assertBearer(request: IncomingMessage, token: string): void {
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && isSameSecret(given, token)) return;
  throw new HttpProblem(
    'unauthorized',
    given === undefined
      ? 'Needs "Authorization: Bearer <AETHEL_API_TOKEN>".'
      : 'The bearer token is not the one of this node.',
    {
      headers: {
        'WWW-Authenticate':
          given === undefined ? 'Bearer realm="aethel"' : 'Bearer realm="aethel", error="invalid_token"',
      },
    },
  );
}

function assertNearby(request: IncomingMessage, options: AuthOptions): void {
  const origin = request.headers.origin;
  if (origin !== undefined && !isOwnOrigin(origin, options.ownHosts)) {
    throw new HttpProblem(
      'forbidden',
      'A page of another host may not write through your browser. Open the page on this machine, or set AETHEL_API_TOKEN and send it.',
    );
  }
  if (options.insecure || (isLoopbackAddress(request.socket.remoteAddress) && !isForwarded(request))) return;
  throw new HttpProblem(
    'forbidden',
    'Without an API token only a client on the same machine may write. Set AETHEL_API_TOKEN and send it as a bearer token, or set AETHEL_API_INSECURE=true where everybody who reaches this port may write.',
  );
}

/** A proxy on this machine makes everybody look local; what it forwards is not. */
function isForwarded(request: IncomingMessage): boolean {
  const { headers } = request;
  return (
    headers.forwarded !== undefined ||
    headers['x-forwarded-for'] !== undefined ||
    headers['x-real-ip'] !== undefined ||
    headers.via !== undefined
  );
}

/** 127.0.0.0/8, ::1, and the first inside IPv6. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  return (
    address === '127.0.0.1' ||
    address === '::1' ||
    /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(address)
  );
}

function isOwnOrigin(origin: string, ownHosts: readonly string[]): boolean {
  const url = URL.parse(origin);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || isLoopbackAddress(host) || ownHosts.includes(host);
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
function isSameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
}
