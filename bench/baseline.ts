/** The last accepted numbers, by suite, in a file under version control. A baseline of another machine is said to be so. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from './machine.ts';
import type { Row } from './suite.ts';

const FILE = fileURLToPath(new URL('baseline.json', import.meta.url));

export interface Accepted {
  readonly machine: Machine;
  readonly n: number;
  readonly rows: readonly Row[];
}

type Baseline = Readonly<Record<string, Accepted>>;

export function readBaseline(suite: string): Accepted | null {
  return readAll()[suite] ?? null;
}

export function saveBaseline(suite: string, accepted: Accepted): void {
  writeFileSync(FILE, `${JSON.stringify({ ...readAll(), [suite]: accepted }, null, 2)}\n`);
}

/** How many times better than the baseline this row is; null where there is nothing to compare with. */
export function againstBaseline(row: Row, baseline: Accepted | null): number | null {
  const before = baseline?.rows.find(({ what }) => what === row.what);
  if (before === undefined) return null;
  return row.better === 'lower' ? before.ours / row.ours : row.ours / before.ours;
}

function readAll(): Baseline {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Baseline) : {};
}
