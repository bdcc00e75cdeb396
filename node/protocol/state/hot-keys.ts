/**
 * What was found lately for keys that were asked for: a hot key is not made anew for every reader, and the keys of a batch,
 * which are mostly new, are not looked for three times.
 *
 * Each key has two places, and the one asked for before the last makes room: of a thousand keys in turn, a fifth would push out each
 * other where there is one. A map with its oldest entry deleted for each new one would do as well, but its tables are outgrown all the
 * time, and those that got old before they died keep thousands of dead records from the collector of the young.
 */
import type { SignedRecord } from './record.ts';

/** At most some 10 MB where records are small. A guess at how many keys are hot at a time. */
const PLACES = 4_096;

export class HotKeys {
  readonly #keys: (string | undefined)[] = [];
  readonly #live: (readonly SignedRecord[] | null | undefined)[] = [];

  constructor() {
    // Room for all at once: a list that grows place by place at random would become a map.
    this.#keys.length = PLACES;
    this.#live.length = PLACES;
  }

  get(key: string): readonly SignedRecord[] | null {
    const place = placeOf(key);
    if (this.#keys[place] === key) return this.#live[place] ?? null;
    return this.#keys[place + 1] === key ? (this.#live[place + 1] ?? null) : null;
  }

  set(key: string, live: readonly SignedRecord[]): void {
    const place = placeOf(key);
    if (this.#keys[place] !== key) {
      this.#keys[place + 1] = this.#keys[place];
      this.#live[place + 1] = this.#live[place];
    }
    this.#keys[place] = key;
    this.#live[place] = live;
  }

  delete(key: string): void {
    const place = placeOf(key);
    if (this.#keys[place] === key) this.#live[place] = null;
    if (this.#keys[place + 1] === key) this.#live[place + 1] = null;
  }
}

/** The first of two. FNV-1a; who seeks keys with one place finds that they are not kept, and no more. */
function placeOf(key: string): number {
  let sum = 0x811c_9dc5;
  for (let i = 0; i < key.length; i++) sum = Math.imul(sum ^ key.charCodeAt(i), 0x0100_0193);
  return (sum ^ (sum >>> 16)) & (PLACES - 2);
}
