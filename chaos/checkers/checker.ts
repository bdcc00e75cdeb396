/**
 * A checker looks at a history and nothing else, line by line, so that it judges a run while it goes on and a file of any
 * size afterwards. It says `unknown` when it has seen too little to judge: a run in which nothing was written has lost
 * nothing, and proves nothing.
 */
import type { HistoryLine } from '../history/line.ts';

export interface Checker {
  /** kebab-case, for files and tables */
  readonly name: string;
  /** what is held to be true, in one line */
  readonly claim: string;
  begin(nodes: readonly string[]): Judge;
}

export interface Judge {
  take(line: HistoryLine): void;
  /** What it came to so far; asked once, at the end. */
  verdict(): Finding;
}

export interface Finding {
  readonly verdict: 'pass' | 'fail' | 'unknown';
  /** what was seen, in one line */
  readonly detail: string;
  /** what speaks against the claim, the first few */
  readonly violations: readonly Violation[];
  /** what was counted and measured on the way, by name; the unit is in the name */
  readonly numbers?: Readonly<Record<string, number>>;
}

/** Something that should not be: what, and when and where a reader should look. */
export interface Violation {
  readonly text: string;
  /** on the history's clock; null: at no time in particular */
  readonly at: number | null;
  readonly node: string | null;
}

export interface CheckResult extends Finding {
  readonly checker: string;
  readonly claim: string;
}

const VIOLATIONS_SHOWN = 10;

export function judged(
  violations: readonly Violation[],
  detail: string,
  numbers: Readonly<Record<string, number>> = {},
): Finding {
  return {
    verdict: violations.length === 0 ? 'pass' : 'fail',
    detail: violations.length === 0 ? detail : `${violations.length} against it; ${detail}`,
    violations: violations.slice(0, VIOLATIONS_SHOWN),
    numbers,
  };
}

export function unknown(reason: string): Finding {
  return { verdict: 'unknown', detail: reason, violations: [] };
}

/** What several checkers say of the same lines. */
export class Bench {
  readonly #judges: readonly { readonly checker: Checker; readonly judge: Judge }[];

  constructor(checkers: readonly Checker[], nodes: readonly string[]) {
    this.#judges = checkers.map((checker) => ({ checker, judge: checker.begin(nodes) }));
  }

  take(line: HistoryLine): void {
    for (const { judge } of this.#judges) judge.take(line);
  }

  verdicts(): readonly CheckResult[] {
    return this.#judges.map(({ checker: { name, claim }, judge }) => ({
      checker: name,
      claim,
      ...judge.verdict(),
    }));
  }
}
