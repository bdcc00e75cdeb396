/**
 * Acknowledged writes per second as a line, failed requests as bars below it, and over both the times in which something
 * was broken. The last, unfinished second is not drawn: a line that always ends in a dip would lie.
 */
import type { FaultView, TrafficSecond } from '../room/model.ts';
import { usePage } from './page-context.ts';
import { useSize } from './use-size.ts';

const SHOWN_SECONDS = 120;
const MEAN_SECONDS = 5;
const [TOP, BOTTOM, LEFT, RIGHT] = [16, 18, 30, 6];

export function Traffic() {
  const { view, words, figures } = usePage();
  const [frame, size] = useSize({ width: 600, height: 120 });

  const now = Math.floor(view.cluster.now / 1000) - 1;
  const seconds = view.traffic.filter(({ second }) => second > now - SHOWN_SECONDS && second <= now);
  const recent = seconds.slice(-MEAN_SECONDS);
  const rate = recent.reduce((sum, { acknowledged }) => sum + acknowledged, 0) / Math.max(1, recent.length);
  const most = niceMost(
    Math.max(1, ...seconds.map(({ acknowledged, failed }) => Math.max(acknowledged, failed))),
  );
  const { width, height } = size;
  const x = (second: number): number =>
    LEFT + ((second - (now - SHOWN_SECONDS)) / SHOWN_SECONDS) * (width - LEFT - RIGHT);
  const y = (count: number): number => height - BOTTOM - (count / most) * (height - TOP - BOTTOM);
  const failed = figures.count(view.cluster.writes.failed);

  return (
    <section class="panel traffic" aria-label={words.traffic}>
      <div class="panel-head">
        <h2 class="panel-title">{words.traffic}</h2>
        <p class="figures">
          <span class="figure">
            <b>{figures.rate(rate)}</b>
            <span>
              {words.perSecond} {words.acknowledged}
            </span>
          </span>
          <span class="figure">
            <b>{figures.count(view.cluster.writes.acknowledged)}</b>
            <span>{words.acknowledged}</span>
          </span>
          <span class={`figure${view.cluster.writes.failed > 0 ? ' is-bad' : ''}`}>
            <b>{failed}</b>
            <span>{words.failed}</span>
          </span>
        </p>
      </div>
      <div class="chart" ref={frame}>
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={words.trafficLabel(figures.rate(rate), failed)}
        >
          <Bands faults={view.faults} now={now + 1} x={x} width={width} height={height} />
          {[0, most / 2, most].map((count) => (
            <g key={count}>
              <line class="chart-grid" x1={LEFT} x2={width - RIGHT} y1={y(count)} y2={y(count)} />
              <text class="chart-tick" x={LEFT - 6} y={y(count) + 3.5} text-anchor="end">
                {figures.count(count)}
              </text>
            </g>
          ))}
          <path class="chart-area" d={areaOf(seconds, x, y)} />
          <path class="chart-line" d={lineOf(seconds, x, y)} />
          {seconds
            .filter((second) => second.failed > 0)
            .map((second) => (
              <line
                key={second.second}
                class="chart-failed"
                x1={x(second.second)}
                x2={x(second.second)}
                y1={y(0)}
                y2={y(second.failed)}
              />
            ))}
          <text class="chart-tick" x={width - RIGHT} y={height - 4} text-anchor="end">
            {words.lastSeconds(SHOWN_SECONDS)}
          </text>
        </svg>
      </div>
    </section>
  );
}

function Bands(props: {
  readonly faults: readonly FaultView[];
  readonly now: number;
  readonly x: (second: number) => number;
  readonly width: number;
  readonly height: number;
}) {
  const { words } = usePage();
  const { faults, now, x, width, height } = props;
  return (
    <>
      {faults.map((fault) => {
        const [from, to] = [fault.from / 1000, (fault.until ?? now * 1000) / 1000];
        const [left, right] = [Math.max(LEFT, x(from)), Math.min(width - RIGHT, x(to))];
        if (right <= left) return null;
        const room = right - left;
        return (
          <g key={fault.id} class={`band band-${fault.deed.kind}`}>
            <rect x={left} y={TOP} width={room} height={height - TOP - BOTTOM} />
            <line x1={left} x2={left} y1={TOP} y2={height - BOTTOM} />
            {room > 60 && (
              <text x={left + 4} y={TOP - 4}>
                {short(words.deed(fault.deed), Math.floor(room / 6))}
              </text>
            )}
          </g>
        );
      })}
    </>
  );
}

function short(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`;
}

function lineOf(
  seconds: readonly TrafficSecond[],
  x: (second: number) => number,
  y: (count: number) => number,
): string {
  return seconds
    .map(
      ({ second, acknowledged }, index) =>
        `${index === 0 ? 'M' : 'L'}${x(second).toFixed(1)} ${y(acknowledged).toFixed(1)}`,
    )
    .join('');
}

function areaOf(
  seconds: readonly TrafficSecond[],
  x: (second: number) => number,
  y: (count: number) => number,
): string {
  const [first, last] = [seconds[0], seconds.at(-1)];
  if (first === undefined || last === undefined) return '';
  return `${lineOf(seconds, x, y)}L${x(last.second).toFixed(1)} ${y(0)}L${x(first.second).toFixed(1)} ${y(0)}Z`;
}

/** 1, 2 or 5 times a power of ten, at least 10. */
function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(10, value * 1.15)));
  for (const step of [1, 2, 3, 5, 10]) if (step * power >= value * 1.15) return step * power;
  return 10 * power;
}
