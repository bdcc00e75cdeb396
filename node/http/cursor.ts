/**
 * Where a listing goes on: behind a key. A client gets it as one opaque word of letters, digits, `-`, `_` and `.`, which
 * means the same in a URL as it came, whatever is in the key.
 *
 *   k1.<base64url of the key's UTF-8>
 *
 * It names a place in the order of keys, not a node's memory: it does not expire, and is good at every node.
 */
import { KEY_BYTES_MAX } from './schemas.ts';

const FORM = 'k1.';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function cursorAfter(key: string): string {
  return FORM + Buffer.from(key).toString('base64url');
}

/** @returns the key behind which to go on; null for what no node ever gave out */
export function keyOfCursor(cursor: string): string | null {
  if (!cursor.startsWith(FORM)) return null;
  const text = cursor.slice(FORM.length);
  const bytes = Buffer.from(text, 'base64url');
  // Buffer skips what is not base64url; only the one spelling that we write counts.
  if (bytes.length === 0 || bytes.length > KEY_BYTES_MAX || bytes.toString('base64url') !== text) return null;
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}
