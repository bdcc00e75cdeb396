/**
 * Bad news over HTTP: every failure is one RFC 9457 problem. Routes throw an HttpProblem; whatever else is thrown is
 * translated here, in one place, so that no failure leaves in another shape and no inside of the node leaks out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import type { z } from 'zod';
import type { Logger } from '../ports.ts';
import { sendText } from './answer.ts';
import type { Problem } from './schemas.ts';

const TITLES = {
  'bad-request': [400, 'Bad request'],
  'malformed-json': [400, 'Malformed JSON'],
  'invalid-key': [400, 'Invalid key'],
  'invalid-encoding': [400, 'Invalid percent encoding'],
  unauthorized: [401, 'Unauthorized'],
  forbidden: [403, 'Forbidden'],
  'not-found': [404, 'Not found'],
  'unknown-route': [404, 'No such route'],
  'method-not-allowed': [405, 'Method not allowed'],
  'precondition-failed': [412, 'Precondition failed'],
  'too-large': [413, 'Too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'expectation-failed': [417, 'Expectation failed'],
  'idempotency-key-reused': [422, 'Idempotency key reused'],
  'headers-too-large': [431, 'Headers too large'],
  'request-timeout': [408, 'Request timeout'],
  internal: [500, 'Internal error'],
  unavailable: [503, 'Unavailable'],
  'too-few-members': [503, 'Too few members'],
  'bad-clock': [503, 'Bad clock'],
  'identity-in-use': [503, 'The identity is in use'],
  starting: [503, 'The node is starting'],
  healing: [503, 'The node is healing'],
  stopping: [503, 'The node is stopping'],
  'storage-failed': [503, 'Storage failed'],
  'too-few-acks': [504, 'Too few acknowledgements'],
  'storage-full': [507, 'Storage full'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemSlug = keyof typeof TITLES;

export function statusOf(slug: ProblemSlug): number {
  return TITLES[slug][0];
}

export function titleOf(slug: ProblemSlug): string {
  return TITLES[slug][1];
}

export class HttpProblem extends Error {
  readonly slug: ProblemSlug;
  readonly headers: Readonly<Record<string, string>>;
  /** members beside those of RFC 9457 */
  readonly extra: Readonly<Record<string, unknown>>;
  /** more of them as JSON text, where values must leave as they are kept: `"a":1,"b":2`, or '' */
  readonly extraText: string;

  constructor(
    slug: ProblemSlug,
    detail: string,
    more: {
      headers?: Readonly<Record<string, string>>;
      extra?: Readonly<Record<string, unknown>>;
      extraText?: string;
    } = {},
  ) {
    super(detail);
    this.name = 'HttpProblem';
    this.slug = slug;
    this.headers = more.headers ?? {};
    this.extra = more.extra ?? {};
    this.extraText = more.extraText ?? '';
  }

  get status(): number {
    return statusOf(this.slug);
  }

  body(): Problem {
    return {
      success: false,
      type: `urn:aethel:problem:${this.slug}`,
      title: titleOf(this.slug),
      status: this.status,
      detail: this.message,
      ...this.extra,
    };
  }

  text(): string {
    const text = JSON.stringify(this.body());
    return this.extraText === '' ? text : `${text.slice(0, -1)},${this.extraText}}`;
  }
}

/** What a schema found wrong, as one sentence a caller can act on. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  const shown = issues.slice(0, 5).map((issue) => {
    const path = issue.path.map(String).join('.');
    const first = issue.code === 'invalid_union' ? issue.errors[0]?.[0] : undefined;
    return `${path === '' ? '' : `${path}: `}${first?.message ?? issue.message}`;
  });
  const hidden = issues.length - shown.length;
  return clip(shown.join('; ') + (hidden > 0 ? `; and ${hidden} more` : ''));
}

/** The last handler of the app. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (!answerFailure(logger, error, request, response)) next(error);
  };
}

/** Turns whatever was thrown into a problem. @returns false when an answer had already begun */
export function answerFailure(
  logger: Logger,
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const problem = problemOf(error);
  if (problem.slug === 'internal') {
    logger.error('request failed', {
      method: request.method,
      path: clip(request.url?.split('?', 1)[0] ?? ''),
      error: describe(error),
    });
  }
  if (response.headersSent) return false;
  response.removeHeader('ETag');
  sendProblem(response, problem);
  return true;
}

export function sendProblem(response: ServerResponse, problem: HttpProblem): void {
  sendText(response, problem.status, 'application/problem+json; charset=utf-8', problem.text(), {
    'Cache-Control': 'no-store',
    ...problem.headers,
  });
}

/** A problem written on a bare socket, for requests that never became one (broken framing, oversized headers). */
export function rawProblem(problem: HttpProblem): string {
  const body = problem.text();
  return [
    `HTTP/1.1 ${problem.status} ${problem.body().title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (!(error instanceof Error)) return new HttpProblem('internal', 'The node could not answer.');
  const status = 'status' in error && typeof error.status === 'number' ? error.status : null;
  if (error instanceof URIError) {
    return new HttpProblem('invalid-encoding', 'The path is not valid percent-encoded UTF-8.');
  }
  if (error.name === 'NodeStoppingError') {
    return new HttpProblem('stopping', 'The node is stopping; ask another one.', {
      headers: { Connection: 'close', 'Retry-After': '1' },
    });
  }
  if (error.name === 'NodeHealingError') {
    return new HttpProblem('healing', `${error.message}; ask another one.`, {
      headers: { 'Retry-After': '1' },
    });
  }
  if (error.name === 'StorageFailedError') {
    return codesOf(error).includes('ENOSPC')
      ? new HttpProblem(
          'storage-full',
          'The disk is full: the write is not acknowledged, and is tried again when there is room.',
        )
      : new HttpProblem('storage-failed', 'The write could not be made durable, so it is not acknowledged.');
  }
  if (status !== null && status >= 400 && status < 500)
    return new HttpProblem('bad-request', clip(error.message));
  return new HttpProblem('internal', 'The node could not answer.');
}

/** The codes of an error and of what caused it, nearest first. */
function codesOf(error: Error): readonly string[] {
  const codes: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    at = at.cause;
  }
  return codes;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function clip(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 500)}…`;
}
