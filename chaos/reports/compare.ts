/** Runs side by side, in as many worlds as there are: verdicts, claims, and times in milliseconds. */
import type { Results } from './results.ts';
import { table } from './text.ts';

export function renderComparison(runs: readonly Results[]): string {
  const rounds = (run: Results, what: string): string => {
    const times = run.measurements.filter((one) => one.what === what).map(({ ms }) => ms);
    if (times.length === 0) return '';
    if (times.some((ms) => ms === null)) return 'never';
    return span(times.flatMap((ms) => (ms === null ? [] : [Math.round(ms)])));
  };
  const claims = distinct(runs.flatMap((run) => run.checks.map(({ claim }) => claim)));
  const measured = distinct(runs.flatMap((run) => run.measurements.map(({ what }) => what)));
  const rows: readonly (readonly string[])[] = [
    ['scenario', ...runs.map((run) => run.scenario)],
    ['world', ...runs.map((run) => `${run.nodes.length} ${run.world}`)],
    ['seed', ...runs.map((run) => String(run.seed))],
    ['verdict', ...runs.map((run) => run.verdict.toUpperCase())],
    ['acknowledged', ...runs.map((run) => String(run.writes.ok))],
    ...claims.map((claim) => [
      claim,
      ...runs.map((run) => run.checks.find((check) => check.claim === claim)?.verdict ?? ''),
    ]),
    ...measured.map((what) => [`${what}, ms`, ...runs.map((run) => rounds(run, what))]),
  ];
  return table(['', ...runs.map((run) => run.runId)], rows).join('\n');
}

/** One number, or from the least to the greatest. */
function span(times: readonly number[]): string {
  const [least, greatest] = [Math.min(...times), Math.max(...times)];
  return least === greatest ? String(least) : `${least} – ${greatest}`;
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
