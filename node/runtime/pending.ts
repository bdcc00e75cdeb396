/**
 * What waits for an answer, by the number under which it was asked. A number is never given twice.
 *
 * A map would do, but one that is filled and emptied for ever leads from each of its outgrown tables to the next: once one of
 * them got old before it died, all that ever waited after it outlives the collections of the young.
 */
const PLACES_MAX = 2 ** 20;

interface Place<T> {
  number: number;
  item: T | null;
}

export class Pending<T> {
  readonly #places: Place<T>[] = [];
  /** places where nothing waits */
  readonly #free: number[] = [];

  add(item: T): number {
    const at = this.#free.pop() ?? this.#places.length;
    if (at >= PLACES_MAX) throw new RangeError(`more than ${PLACES_MAX} wait`);
    const place = (this.#places[at] ??= { number: at, item });
    place.number += PLACES_MAX;
    place.item = item;
    return place.number;
  }

  /** @returns null when nothing waits under this number any more */
  take(number: number): T | null {
    const at = number % PLACES_MAX;
    const place = this.#places[at];
    if (place === undefined || place.number !== number) return null;
    const { item } = place;
    if (item === null) return null;
    place.item = null;
    this.#free.push(at);
    return item;
  }

  takeAll(): readonly T[] {
    return this.#places.flatMap(({ number }) => this.take(number) ?? []);
  }
}
