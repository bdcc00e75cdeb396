/**
 * One page of a listing, of keys in the order of their UTF-8 bytes. Keys are taken one by one and a value is looked at
 * only when its turn comes, so that a page costs no more memory than it may show, whatever it was asked for.
 */
import type { ReadEntry } from '../ports.ts';

export interface Page {
  readonly entries: readonly ReadEntry[];
  /** the last key where more follow */
  readonly next: string | null;
}

export interface PageLimits {
  readonly limit: number;
  /** of keys and values, siblings included; the first entry may be larger */
  readonly bytesMax: number;
}

/** @param entryOf null where the key has no value */
export function pageOf(
  keys: Iterable<string>,
  { limit, bytesMax }: PageLimits,
  entryOf: (key: string) => ReadEntry | null,
): Page {
  const entries: ReadEntry[] = [];
  let bytes = 0;
  for (const key of keys) {
    const entry = entryOf(key);
    if (entry === null || entry.value === null) continue;
    bytes += bytesOf(entry);
    const last = entries.at(-1);
    if (last !== undefined && (entries.length >= limit || bytes > bytesMax))
      return { entries, next: last.key };
    entries.push(entry);
  }
  return { entries, next: null };
}

function bytesOf({ key, value, siblings }: ReadEntry): number {
  let bytes = Buffer.byteLength(key) + Buffer.byteLength(value ?? '');
  for (const sibling of siblings) bytes += Buffer.byteLength(sibling.value ?? '');
  return bytes;
}

/** Two orders as one, each key once. */
export function* mergedKeys(
  some: Iterable<string>,
  others: readonly string[],
): Generator<string, void, undefined> {
  let at = 0;
  for (const key of some) {
    for (let other = others[at]; other !== undefined; other = others[at]) {
      const order = compareBytes(other, key);
      if (order > 0) break;
      at += 1;
      if (order < 0) yield other;
    }
    yield key;
  }
  yield* others.slice(at);
}

export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
