/** What a run prints: the machine, a table with ratios, the bars, and a verdict as the last line. */
import { againstBaseline } from './baseline.ts';
import type { Accepted } from './baseline.ts';
import type { Machine } from './machine.ts';
import { ratioOf } from './suite.ts';
import type { Judged, Row } from './suite.ts';

export function renderMachine(machine: Machine, load: number): string {
  const versions = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.platform}, Node ${machine.node}`,
    ...(versions.length === 0 ? [] : [`beside ${versions.join(', ')}`]),
    ...(load > 0.5
      ? [`note: others were at work on this machine (load ${load.toFixed(1)} at the start)`]
      : []),
  ].join('\n');
}

export function renderTable(rows: readonly Row[], baseline: Accepted | null): string {
  const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))];
  const head = ['', 'unit', 'ours', ...peers.flatMap((peer) => [peer, 'ratio']), 'vs baseline'];
  const lines = rows.map((row) => [
    row.what,
    row.unit,
    number(row.ours),
    ...peers.flatMap((peer) => {
      const theirs = row.peers[peer];
      return theirs === undefined ? ['', ''] : [number(theirs), times(ratioOf(row, peer))];
    }),
    baselineCell(againstBaseline(row, baseline)),
  ]);
  return aligned([head, ...lines]);
}

export function renderBars(judged: readonly Judged[]): string {
  const lines = judged.map(({ bar, measured, isMet }) => {
    const limit = 'atLeast' in bar.limit ? `at least ${bar.limit.atLeast}` : `at most ${bar.limit.atMost}`;
    const name = bar.against === null ? bar.what : `${bar.what}, ratio to ${bar.against}`;
    return [isMet ? 'met' : 'MISSED', name, limit, number(measured)];
  });
  return aligned(lines);
}

export function verdictOf(suite: string, judged: readonly Judged[]): string {
  const missed = judged.filter(({ isMet }) => !isMet);
  if (missed.length === 0) return `bench ${suite}: all ${judged.length} bars met`;
  const names = missed.map(
    ({ bar, measured }) =>
      `${bar.what}${bar.against === null ? '' : ` against ${bar.against}`} (${number(measured)})`,
  );
  return `bench ${suite}: ${missed.length} of ${judged.length} bars missed: ${names.join('; ')}`;
}

function baselineCell(ratio: number | null): string {
  return ratio === null ? '-' : times(ratio);
}

function times(ratio: number): string {
  return `${number(ratio)}×`;
}

/** Three digits that count. */
function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
function aligned(lines: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(...lines.map((line) => line[column]?.length ?? 0));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column < 2 ? cell.padEnd(width(column)) : cell.padStart(width(column))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
