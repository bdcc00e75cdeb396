/**
 * Conditional writes as HTTP means them, on the version that the writer believes to be current.
 *
 * @see RFC 9110 sections 13.1.1, 13.1.2 and 13.2.2: If-Match first, then If-None-Match; `*` asks for any version
 */
import type { Precondition } from './write.ts';

/** @param version the current one, null when there is none */
export function isFulfilled({ ifMatch, ifNoneMatch }: Precondition, version: string | null): boolean {
  if (ifMatch !== undefined && !isAmong(version, ifMatch)) return false;
  return ifNoneMatch === undefined || !isAmong(version, ifNoneMatch);
}

function isAmong(version: string | null, versions: readonly string[] | '*'): boolean {
  return version !== null && (versions === '*' || versions.includes(version));
}
