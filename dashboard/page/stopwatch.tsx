/**
 * How long recoveries take, beside the two hours of principle 17 of the PFMI (CPMI-IOSCO 2012, key consideration 6). The
 * scale is logarithmic: on a straight one, everything that was measured here would lie on its left edge.
 */
import { useEffect, useState } from 'preact/hooks';
import type { Recovery } from '../room/model.ts';
import { usePage } from './page-context.ts';

const TWO_HOURS_MS = 7_200_000;
const LEAST_MS = 10;
const TICKS: readonly (readonly [ms: number, label: string])[] = [
  [10, '10 ms'],
  [100, ''],
  [1000, '1 s'],
  [10_000, ''],
  [60_000, '1 min'],
  [600_000, ''],
  [TWO_HOURS_MS, '2 h'],
];
const REDRAW_MS = 100;
const [WIDTH, PAD] = [280, 20];

export function Stopwatch() {
  const { room, view, words, figures } = usePage();
  const running = view.recoveries.find(({ until }) => until === null);
  const last = running ?? view.recoveries.at(-1);
  const [, redraw] = useState(0);
  useEffect(() => {
    if (running === undefined) return undefined;
    const timer = setInterval(() => redraw((count) => count + 1), REDRAW_MS);
    return () => clearInterval(timer);
  }, [running?.id]);

  const tookMs = last === undefined ? null : (last.until ?? room.now()) - last.from;
  return (
    <section
      class={`panel stopwatch${running === undefined ? '' : ' is-running'}`}
      aria-label={words.recovery}
    >
      <div class="panel-head">
        <h2 class="panel-title">{words.recovery}</h2>
        {running !== undefined && <span class="is-warn">{words.recovering}</span>}
      </div>
      <p class="stopwatch-time" role="timer">
        {tookMs === null ? '–' : figures.duration(tookMs)}
      </p>
      <p class="quiet stopwatch-what">{last === undefined ? words.noRecovery : whatOf(last)}</p>
      <svg viewBox={`0 0 ${WIDTH} 46`} role="img" aria-label={words.principle}>
        <line class="chart-grid" x1={PAD} x2={WIDTH - PAD} y1="20" y2="20" />
        {TICKS.map(([ms, label]) => (
          <g key={ms}>
            <line class="chart-grid" x1={at(ms)} x2={at(ms)} y1="15" y2="25" />
            <text class="chart-tick" x={at(ms)} y="38" text-anchor="middle">
              {label}
            </text>
          </g>
        ))}
        <line class="two-hours" x1={at(TWO_HOURS_MS)} x2={at(TWO_HOURS_MS)} y1="4" y2="28" />
        {view.recoveries
          .filter((recovery) => recovery.until !== null && recovery !== last)
          .map((recovery) => (
            <circle
              key={recovery.id}
              class="recovery-dot"
              cx={at((recovery.until ?? 0) - recovery.from)}
              cy="20"
              r="3"
            />
          ))}
        {tookMs !== null && <circle class="recovery-now" cx={at(tookMs)} cy="20" r="5.5" />}
      </svg>
      <p class="stopwatch-factor">
        {tookMs !== null && running === undefined && tookMs > 0
          ? words.times(figures.count(roundTo2(TWO_HOURS_MS / tookMs)))
          : words.principle}
      </p>
    </section>
  );

  function whatOf(recovery: Recovery): string {
    const fault = view.faults.find(({ id }) => id === recovery.fault);
    if (fault === undefined) return '';
    const deed = words.deed(fault.deed);
    return recovery.after === 'fault' ? words.recoveredFrom(deed) : words.afterHeal(deed);
  }
}

function at(ms: number): number {
  const share =
    Math.log(Math.max(LEAST_MS, Math.min(TWO_HOURS_MS, ms)) / LEAST_MS) / Math.log(TWO_HOURS_MS / LEAST_MS);
  return PAD + share * (WIDTH - 2 * PAD);
}

/** Two figures that count: more would claim a precision that the measurement does not have. */
function roundTo2(value: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.floor(value / power) * power;
}
