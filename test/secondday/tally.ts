/** Counts claims and tells them as they come. */
export class Tally {
  readonly #say: (line: string) => void;
  readonly #startedAt = Date.now();
  passed = 0;
  failed = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  step(name: string): void {
    this.#say(`\n== ${name}  [${Math.round((Date.now() - this.#startedAt) / 1000)} s]`);
  }

  /** @param wrong what is wrong with it; null: it holds */
  claim(what: string, wrong: string | null): void {
    if (wrong === null) this.passed += 1;
    else this.failed += 1;
    this.#say(wrong === null ? `  ok    ${what}` : `  FAIL  ${what}: ${wrong}`);
  }

  get summary(): string {
    return `${this.passed} passed, ${this.failed} failed  [${Math.round((Date.now() - this.#startedAt) / 1000)} s]`;
  }
}
