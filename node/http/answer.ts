/**
 * How an answer leaves, with the same headers on the long way through Express as on the short way before it.
 *
 *   long    set one by one and sent in `end`, because until then an extension may add its own (the HTTP lung signs
 *           there what leaves for a member)
 *   short   nothing was set before, so all leave in one go, which costs half as much
 */
import type { ServerResponse } from 'node:http';

/** By name; with the values of `SECURITY` where an answer says nothing else. */
export type Headers = Readonly<Record<string, string>>;

const SECURITY: Headers = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};
const NO_HEADERS: Headers = {};
const JSON_TYPE = 'application/json; charset=utf-8';

/** For the long way: whatever answers there, these are set. */
export function setSecurityHeaders(response: ServerResponse): void {
  setAll(response, SECURITY);
}

/** An answer that may leave many times: its head is put together once, and so are its bytes. */
export interface Prepared {
  readonly text: string;
  readonly encoding: 'latin1' | 'utf8';
  /** all that it says, those of `SECURITY` included */
  readonly headers: Headers;
}

function prepareText(type: string, text: string, headers: Headers = NO_HEADERS): Prepared {
  const length = Buffer.byteLength(text);
  const all: Record<string, string> = {
    ...SECURITY,
    'Content-Type': type,
    'Content-Length': String(length),
  };
  // Spread over the others they take as long as all that is left of the head.
  for (const name in headers) all[name] = headers[name] ?? '';
  // ASCII needs no encoding on its way to the socket.
  return { text, encoding: length === text.length ? 'latin1' : 'utf8', headers: all };
}

/** @param text JSON */
export function prepareJson(text: string, headers?: Headers): Prepared {
  return prepareText(JSON_TYPE, text, headers);
}

export function sendPrepared(
  response: ServerResponse,
  status: number,
  { text, encoding, headers }: Prepared,
): void {
  if (isOnLongWay(response)) {
    response.statusCode = status;
    setAll(response, headers);
  } else response.writeHead(status, headers);
  response.end(text, encoding);
}

/** @param text JSON */
export function sendJson(response: ServerResponse, status: number, text: string, headers?: Headers): void {
  sendPrepared(response, status, prepareJson(text, headers));
}

export function sendText(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers?: Headers,
): void {
  sendPrepared(response, status, prepareText(type, text, headers));
}

export function sendNotModified(response: ServerResponse, headers: Headers): void {
  if (isOnLongWay(response)) {
    response.statusCode = 304;
    setAll(response, headers);
  } else response.writeHead(304, { ...SECURITY, ...headers });
  response.end();
}

function isOnLongWay(response: ServerResponse): boolean {
  return response.hasHeader('X-Content-Type-Options');
}

function setAll(response: ServerResponse, headers: Headers): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
