/**
 * The keys in the order of their UTF-8 bytes, for listings. A key leaves when its tombstone was collected.
 *
 * New keys wait unsorted at the end until somebody asks. The sort then finds one long run and a short rest, which
 * costs one pass, so neither a write nor a page of a listing pays for the whole order.
 */
export class KeyIndex {
  readonly #keys: string[] = [];
  #isSorted = true;

  /** @param key not added before */
  add(key: string): void {
    const last = this.#keys.at(-1);
    if (last !== undefined && compareUtf8(last, key) > 0) this.#isSorted = false;
    this.#keys.push(key);
  }

  /** @param key added before */
  delete(key: string): void {
    const at = this.#isSorted ? this.#positionAfter(key) - 1 : this.#keys.indexOf(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** Keys greater than the cursor, all of them when it is null. Adding keys ends a walk under way. */
  *after(cursor: string | null): Generator<string, void, undefined> {
    if (!this.#isSorted) {
      this.#keys.sort(compareUtf8);
      this.#isSorted = true;
    }
    const from = cursor === null ? 0 : this.#positionAfter(cursor);
    for (let i = from; i < this.#keys.length; i++) {
      const key = this.#keys[i];
      if (key !== undefined) yield key;
    }
  }

  #positionAfter(cursor: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUtf8(this.#keys[middle] ?? '', cursor) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** As the UTF-8 bytes compare, without encoding: UTF-16 differs only where a surrogate meets U+E000 to U+FFFF. */
function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return inCodePointOrder(x) - inCodePointOrder(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for U+10000 and above, behind all other code units. */
function inCodePointOrder(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
