/** Long work that can be left lying: between two pieces its caller may do something else. */
export type Pieces<T> = Generator<void, T, void>;

/** All of it in one go. */
export function toEnd<T>(pieces: Pieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}
