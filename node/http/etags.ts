/**
 * Entity tags of conditional requests (RFC 9110 section 13): `*`, or a list of quoted tags.
 */
import type { IncomingMessage } from 'node:http';
import type { Precondition } from '../protocol/border.ts';
import { HttpProblem } from './problems.ts';

const TAGS_MAX = 64;
/** One element of the list: optional W/, then a quoted tag, in which commas are allowed and quotes are not. */
const TAG = /[ \t]*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(,|$)/y;
/** Lists may have empty elements (RFC 9110 section 5.6.1). */
const NOTHING = /[ \t]*(,|$)/y;

export type Tags = readonly string[] | '*' | null;

export function etag(version: string): string {
  return `"${version}"`;
}

/** The tags of If-None-Match, compared weakly as RFC 9110 wants; null when the header is absent. */
export function ifNoneMatch(request: IncomingMessage): Tags {
  const header = request.headers['if-none-match'];
  return header === undefined ? null : parseTags('If-None-Match', header, 'weak');
}

/** The tags of If-Match, compared strongly: a weak tag matches nothing. */
export function ifMatch(request: IncomingMessage): Tags {
  const header = request.headers['if-match'];
  return header === undefined ? null : parseTags('If-Match', header, 'strong');
}

/** The conditions of a write, or null. */
export function preconditionOf(request: IncomingMessage): Precondition | null {
  const match = ifMatch(request);
  const noneMatch = ifNoneMatch(request);
  if (match === null && noneMatch === null) return null;
  return {
    ...(match === null ? {} : { ifMatch: match }),
    ...(noneMatch === null ? {} : { ifNoneMatch: noneMatch }),
  };
}

/** A sentence for whoever wonders why the very version that is there did not match; '' where no tag was weak. */
export function weakTagsNote({ headers }: IncomingMessage): string {
  const isWeak = /(^|[\t ,])W\//.test(headers['if-match'] ?? '');
  return isWeak ? ' A weak tag (W/"…") never matches If-Match (RFC 9110, 13.1.1): send it without W/.' : '';
}

export function includes(tags: Tags, tag: string): boolean {
  return tags !== null && (tags === '*' || tags.includes(tag));
}

function parseTags(name: string, header: string, how: 'weak' | 'strong'): Exclude<Tags, null> {
  if (header.trim() === '*') return '*';
  const tags: string[] = [];
  let at = 0;
  for (let elements = 0; at < header.length; elements += 1) {
    if (elements >= TAGS_MAX) throw new HttpProblem('bad-request', `${name}: more than ${TAGS_MAX} tags.`);
    const tag = matchAt(TAG, header, at);
    const element = tag ?? matchAt(NOTHING, header, at);
    if (element === null)
      throw new HttpProblem('bad-request', `${name}: must be * or a list of quoted entity tags.`);
    if (tag !== null && (how === 'weak' || tag[1] === undefined)) tags.push(tag[2] ?? '');
    at += element[0].length;
  }
  return tags;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
