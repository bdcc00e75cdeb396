/**
 * Query strings, strictly: each parameter once, none unknown, percent encoding valid. A lenient reader would let a
 * misspelt `wiat=30` or a second `mode=` pass silently.
 */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { HttpProblem, describeIssues } from './problems.ts';

export function parseQuery<S extends z.ZodType>(request: IncomingMessage, schema: S): z.infer<S> {
  const given = new Map<string, string>();
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  const parts = mark < 0 ? [] : url.slice(mark + 1).split('&');
  for (const part of parts) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    if (given.has(name))
      throw new HttpProblem('bad-request', `The query parameter ${name.slice(0, 80)} is given twice.`);
    given.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)));
  }
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw new HttpProblem('bad-request', `Query: ${describeIssues(parsed.error.issues)}`);
  return parsed.data;
}

export function hasQuery(request: IncomingMessage): boolean {
  return (request.url ?? '').includes('?');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new HttpProblem('invalid-encoding', 'The query is not valid percent-encoded UTF-8.');
  }
}
