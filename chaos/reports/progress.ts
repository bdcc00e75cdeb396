/**
 * What is going on, for somebody who waits: on a terminal one line that changes in place and one that stays per scenario; in
 * a pipe or a CI log plain lines only.
 */
import { stripVTControlCharacters } from 'node:util';
import { screenOptions } from '../demo/screen.ts';
import type { Output } from '../demo/screen.ts';
import type { Results, Verdict } from './results.ts';

const COLUMNS_DEFAULT = 100;

type Sign = readonly [sign: string, colour: number];

const SIGNS: Readonly<Record<Verdict, Sign>> = {
  pass: ['✓', 32],
  fail: ['✕', 31],
  inconclusive: ['?', 33],
  unsupported: ['-', 33],
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

  /** A line that stays. */
  line(isGood: boolean, text: string): void {
    this.#keep(isGood ? SIGNS.pass : SIGNS.fail, text);
  }

  ended({
    scenario,
    verdict,
    tookMs,
    reasons,
  }: Pick<Results, 'scenario' | 'verdict' | 'tookMs' | 'reasons'>): void {
    this.#keep(SIGNS[verdict], `${scenario} ${verdict.toUpperCase()} in ${(tookMs / 1000).toFixed(1)} s`);
    for (const reason of reasons) this.#output.write(`          ${stripVTControlCharacters(reason)}\n`);
  }

  #keep([sign, colour]: Sign, text: string): void {
    this.release();
    const shown = this.#colours ? `\u001b[${colour}m${sign}\u001b[0m` : sign;
    this.#output.write(`${this.#clock()}  ${shown} ${text}\n`);
  }

  /** Takes the changing line away: what comes next is written below what stays. */
  release(): void {
    if (this.#live) this.#output.write('\r\u001b[2K');
  }

  #clock(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(6)} s`;
  }
}
