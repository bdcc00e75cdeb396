/**
 * What a suite is: something measured beside its peers in one process run, and the bars it must clear.
 *
 * A suite is one file that exports a `Suite`, and one line in `suites.ts`. It returns rows; the harness names the
 * machine, works out ratios, compares with the baseline, judges the bars and prints it all.
 */
export interface Suite {
  readonly name: string;
  /** one line for --help */
  readonly describe: string;
  /** packages of bench/node_modules that it loads; their versions are printed */
  readonly packages: readonly string[];
  /** what `n` counts, and its default */
  readonly size: { readonly what: string; readonly usual: number };
  /** what else the command line sets, by name without the dashes */
  readonly options?: Readonly<Record<string, SuiteOption>>;
  readonly bars: readonly Bar[];
  run(options: RunOptions): Promise<readonly Row[]>;
}

interface SuiteOption {
  /** where it is not given */
  readonly value: string;
  readonly describe: string;
}

export interface RunOptions {
  /** size of the problem, see `Suite.size` */
  readonly n: number;
  /** tells whoever waits what is going on */
  readonly say: (line: string) => void;
  /** a line of the report */
  readonly note: (line: string) => void;
  /** by name, as `Suite.options` has them */
  readonly options: Readonly<Record<string, string>>;
}

/** The command line asks for what there is not. */
export class UsageError extends Error {}

/** Somebody pressed Ctrl-C, and everything that the suite had made is gone again. */
export class InterruptedError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

/** One thing measured, by us and by each peer. */
export interface Row {
  /** the same in every run: the baseline and the bars find it by this */
  readonly what: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly ours: number;
  /** by name; empty where there is nobody to compare with */
  readonly peers: Readonly<Record<string, number>>;
}

/**
 * Must hold with --gate. With `against`, the limit is on the ratio, which says how many times better we are than that
 * peer; without, on our own number.
 */
export interface Bar {
  readonly what: string;
  readonly against: string | null;
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
}

/** How many times better than the peer we are: 2 is twice as fast, or half as large. */
export function ratioOf(row: Row, peer: string): number {
  const theirs = row.peers[peer];
  if (theirs === undefined) throw new RangeError(`no peer ${peer} in "${row.what}"`);
  return row.better === 'lower' ? theirs / row.ours : row.ours / theirs;
}

export interface Judged {
  readonly bar: Bar;
  readonly measured: number;
  readonly isMet: boolean;
}

export function judge(bars: readonly Bar[], rows: readonly Row[]): readonly Judged[] {
  return bars.map((bar) => {
    const row = rows.find(({ what }) => what === bar.what);
    if (row === undefined) throw new RangeError(`a bar for "${bar.what}", which was not measured`);
    const measured = bar.against === null ? row.ours : ratioOf(row, bar.against);
    const isMet = 'atLeast' in bar.limit ? measured >= bar.limit.atLeast : measured <= bar.limit.atMost;
    return { bar, measured, isMet };
  });
}
