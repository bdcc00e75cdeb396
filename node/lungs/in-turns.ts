/** Tasks in the order in which they came, some at a time; how many may change while they wait. */
export class InTurns {
  readonly #atOnce: () => number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  /** @param atOnce at least 1 */
  constructor(atOnce: () => number) {
    this.#atOnce = atOnce;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#atOnce()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay += 1;
    try {
      return await task();
    } finally {
      this.#underWay -= 1;
      while (this.#waiting.length > 0 && this.#underWay < this.#atOnce()) {
        this.#underWay += 1;
        this.#waiting.shift()?.();
      }
    }
  }
}
