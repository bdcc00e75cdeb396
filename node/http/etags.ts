/**
 * Entity tags of conditional requests (RFC 9110 section 13): `*`, or a list of quoted tags.
 */
import type { Request } from 'express';
import type { Precondition } from '../protocol/border.ts';
import { HttpProblem } from './problems.ts';

const TAGS_MAX = 64;
/** One member of the list: optional W/, then a quoted tag without quotes inside. */
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;

export function etag(version: string): string {
  return `"${version}"`;
}

/** The tags of If-None-Match, compared weakly as RFC 9110 wants; null when the header is absent. */
export function ifNoneMatch(request: Request): readonly string[] | '*' | null {
  return parseTags('If-None-Match', request.headers['if-none-match'], 'weak');
}

/** The conditions of a write, or null. If-Match compares strongly: a weak tag matches nothing. */
export function preconditionOf(request: Request): Precondition | null {
  const match = parseTags('If-Match', request.headers['if-match'], 'strong');
  const noneMatch = ifNoneMatch(request);
  if (match === null && noneMatch === null) return null;
  return {
    ...(match === null ? {} : { ifMatch: match }),
    ...(noneMatch === null ? {} : { ifNoneMatch: noneMatch }),
  };
}

function parseTags(
  name: string,
  header: string | undefined,
  how: 'weak' | 'strong',
): readonly string[] | '*' | null {
  if (header === undefined) return null;
  if (header.trim() === '*') return '*';
  const members = header.split(',');
  if (members.length > TAGS_MAX) throw new HttpProblem('bad-request', `${name}: more than ${TAGS_MAX} tags.`);
  const tags: string[] = [];
  for (const member of members) {
    const parts = TAG.exec(member.trim());
    if (parts === null)
      throw new HttpProblem('bad-request', `${name}: must be * or a list of quoted entity tags.`);
    if (how === 'weak' || parts[1] === undefined) tags.push(parts[2] ?? '');
  }
  return tags;
}
