/**
 * What a node answers that has just begun to load its code and its store: it lives, and serves nothing yet. Answered with
 * nothing but node:http, and with the headers that the app sends later.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from './answer.ts';
import { HttpProblem, sendProblem } from './problems.ts';

/** Of `/health`, now and later. */
export const HEALTHY = JSON.stringify({ status: 'healthy' });
const NOT_READY = JSON.stringify({ status: 'not ready', reasons: ['starting'], warnings: [] });

export function answerStarting(request: IncomingMessage, response: ServerResponse): void {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (isRead && request.url === '/health') sendJson(response, 200, HEALTHY);
  else if (isRead && request.url === '/ready') sendJson(response, 503, NOT_READY);
  else sendProblem(response, starting());
}

function starting(): HttpProblem {
  return new HttpProblem('starting', 'The node is starting; ask another one.', {
    headers: { 'Retry-After': '1' },
  });
}
