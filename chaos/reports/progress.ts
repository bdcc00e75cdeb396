/**
 * What is going on, for somebody who waits: on a terminal one line that changes in place and one that stays per scenario; in
 * a pipe or a CI log plain lines only.
 */
import { stripVTControlCharacters } from 'node:util';
import { screenOptions } from '../demo/screen.ts';
import type { Output } from '../demo/screen.ts';
import type { Results, Verdict } from './results.ts';

const COLUMNS_DEFAULT = 100;

const SIGNS: Readonly<Record<Verdict, readonly [sign: string, colour: number]>> = {
  pass: ['✓', 32],
  fail: ['✕', 31],
  inconclusive: ['?', 33],
  error: ['!', 33],
  interrupted: ['-', 33],
};

export class Progress {
  readonly #output: Output;
  readonly #live: boolean;
  readonly #colours: boolean;
  readonly #startedAt = performance.now();

  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    const { live, colours } = screenOptions(output, env, 'en');
    this.#output = output;
    this.#live = live;
    this.#colours = colours;
  }

  step(line: string): void {
    const text = `${this.#clock()}  ${stripVTControlCharacters(line).replaceAll('\n', ' ')}`;
    if (this.#live)
      this.#output.write(`\r\u001b[2K${text.slice(0, (this.#output.columns ?? COLUMNS_DEFAULT) - 1)}`);
    else this.#output.write(`${text}\n`);
  }

  ended({
    scenario,
    verdict,
    tookMs,
    reasons,
  }: Pick<Results, 'scenario' | 'verdict' | 'tookMs' | 'reasons'>): void {
    this.release();
    const [sign, colour] = SIGNS[verdict];
    const shown = this.#colours ? `\u001b[${colour}m${sign}\u001b[0m` : sign;
    const lines = [
      `${this.#clock()}  ${shown} ${scenario} ${verdict.toUpperCase()} in ${(tookMs / 1000).toFixed(1)} s`,
      ...reasons.map((reason) => `          ${stripVTControlCharacters(reason)}`),
    ];
    this.#output.write(`${lines.join('\n')}\n`);
  }

  /** Takes the changing line away: what comes next is written below what stays. */
  release(): void {
    if (this.#live) this.#output.write('\r\u001b[2K');
  }

  #clock(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(6)} s`;
  }
}
