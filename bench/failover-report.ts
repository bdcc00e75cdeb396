/** What many rounds come to: quantiles per fault and measure, as a table, and as a chart of how many rounds took how long. */
import { quantile } from '../chaos/checkers/quantile.ts';
import { renderChart } from '../sim/scale-chart.ts';
import type { Line } from '../sim/scale-chart.ts';
import { MEASURES } from './failover-rounds.ts';
import type { Measure, Round } from './failover-rounds.ts';
import { STRIKES } from './failover-strikes.ts';
import type { Strike } from './failover-strikes.ts';

export function timesOf(rounds: readonly Round[], kind: Strike, measure: Measure): readonly number[] {
  return rounds.flatMap((round) => {
    const ms = round.kind === kind ? round.ms[measure] : undefined;
    return ms === undefined ? [] : [ms];
  });
}

/** One block per fault, one line per measure. */
export function renderRounds(rounds: readonly Round[]): string {
  return STRIKES.flatMap((kind) => {
    const lines = Object.entries(MEASURES).flatMap(([measure, says]) => {
      const times = timesOf(rounds, kind, measure as Measure);
      return times.length === 0 ? [] : [`  ${says.padEnd(42)}${cells(times)}`];
    });
    return lines.length === 0 ? [] : [`${kind.padEnd(44)}   p50     p99     max  ms`, ...lines];
  }).join('\n');
}

function cells(times: readonly number[]): string {
  return [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)]
    .map((ms) => String(Math.round(ms)).padStart(8))
    .join('');
}

interface Curve {
  readonly name: string;
  readonly times: readonly number[];
  readonly budgetMs: number;
}

/** Share of rounds that took at least so long, both axes logarithmic; budgets as dashed uprights. */
export function renderCurves(title: string, curves: readonly Curve[]): string {
  const budgets = [...new Set(curves.map(({ budgetMs }) => budgetMs))];
  const lines = budgets.flatMap((budgetMs): readonly Line[] => [
    ...curves
      .filter((curve) => curve.budgetMs === budgetMs && curve.times.length > 0)
      .map(({ name, times }) => ({ name, points: tailOf(times), isPaper: false })),
    {
      name: `budget ${budgetMs} ms`,
      points: [
        { x: budgetMs, y: SHARE_MIN },
        { x: budgetMs, y: 100 },
      ],
      isPaper: true,
    },
  ]);
  return renderChart({
    title,
    description: `${title}: for each time in milliseconds, the share of rounds that took at least so long.`,
    xName: 'ms',
    yName: '% of rounds that took at least so long',
    lines,
  });
}

const SHARE_MIN = 1;

/** @returns points above zero, as logarithmic axes need them */
function tailOf(times: readonly number[]): Line['points'] {
  return times
    .toSorted((a, b) => a - b)
    .map((ms, i) => ({ x: Math.max(1, ms), y: Math.max(SHARE_MIN, 100 * (1 - i / times.length)) }));
}
