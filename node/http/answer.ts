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

/** @param text JSON */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Headers = NO_HEADERS,
): void {
  sendText(response, status, JSON_TYPE, text, headers);
}

export function sendText(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Headers = NO_HEADERS,
): void {
  const length = Buffer.byteLength(text);
  if (isOnLongWay(response)) {
    response.statusCode = status;
    setAll(response, { 'Content-Type': type, 'Content-Length': String(length) });
    setAll(response, headers);
  } else {
    const all: Record<string, string> = {
      ...SECURITY,
      'Content-Type': type,
      'Content-Length': String(length),
    };
    // Spread over the others they take as long as all that is left of the head.
    for (const name in headers) all[name] = headers[name] ?? '';
    response.writeHead(status, all);
  }
  // ASCII needs no encoding on its way to the socket.
  response.end(text, length === text.length ? 'latin1' : 'utf8');
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
