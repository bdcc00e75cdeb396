/**
 * The picture of a run: a lane per node with its sync_mode over time, a strip whose colour is its root, a mark per
 * acknowledged write as high as it took to be readable everywhere; faults are bands over the lanes they strike.
 */
import { valueAt } from '../timeline.ts';
import type { Band, Change, Lane, LaneMode, Mark, Timeline, Write } from '../timeline.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { clockOf, round, scaleOf, ticksOf } from './scale.ts';
import type { Scale } from './scale.ts';
import { svgBoth, svgSaid } from './words.ts';

export const WIDTH = 1_120;
const LEFT = 96;
const RIGHT = WIDTH - 14;
const LABELS = 46;
/** words over the lanes stand in two rows, so that neighbours do not cover each other */
const ROWS = [28, 14] as const;
const LETTER = 6.2;
/** Longer words are cut; the whole is in the title. */
const LABEL_LETTERS = 40;
const LANE = 62;
const MODE = { top: 24, height: 17 };
const ROOT = { top: 43, height: 7 };
/** writes stand on the mode's strip */
const WRITES = { bottom: 22, height: 18 };
const AGREE = 26;
const AXIS = 26;
/** the lowest and the highest mark: a millisecond, ten seconds */
const LATENCY_DECADES = 4;
/** marks per lane that an eye can tell apart; what is more is drawn as the slowest of its pixel */
const COLUMN = 2;
/** More lanes than a page can show: the first, and a line that says so. */
export const LANES_MAX = 40;

export function timelineScale(timeline: Timeline): Scale {
  return scaleOf(timeline.from, timeline.to, LEFT, RIGHT);
}

export function renderLanes(timeline: Timeline): Markup {
  const scale = timelineScale(timeline);
  const lanes = timeline.lanes.slice(0, LANES_MAX);
  const bottom = LABELS + lanes.length * LANE + AGREE;
  return html`<svg
    class="lanes"
    id="lanes"
    viewBox="0 0 ${WIDTH} ${bottom + AXIS}"
    role="img"
    aria-labelledby="lanes-title"
    data-from="${scale.from}"
    data-to="${scale.to}"
    data-left="${LEFT}"
    data-right="${RIGHT}"
  >
    ${axis(scale, bottom)} ${renderBands(timeline, lanes, scale)}
    ${lanes.map((lane, i) => renderLane(lane, timeline, scale, LABELS + i * LANE))}
    ${renderMarks(timeline.marks, scale, bottom - AGREE)} ${renderAgreement(lanes, scale, bottom - AGREE)}
    <g id="cursor" class="cursor" visibility="hidden">
      <line x1="0" x2="0" y1="${LABELS - 12}" y2="${bottom}" />
      <text y="${LABELS - 3}"></text>
    </g>
  </svg>`;
}

function axis(scale: Scale, bottom: number): Markup {
  return html`<g class="axis"
    >${ticksOf(scale).map(
      (at) =>
        html`<line x1="${scale.x(at)}" x2="${scale.x(at)}" y1="${LABELS - 4}" y2="${bottom}" /><text
            x="${scale.x(at)}"
            y="${bottom + 17}"
            >${clockOf(at)}</text
          >`,
    )}</g
  >`;
}

function renderLane(lane: Lane, timeline: Timeline, scale: Scale, top: number): Markup {
  const writes = timeline.writes.filter((write) => write.node === lane.node);
  return html`<g class="lane">
    <text class="name" x="${LEFT - 10}" y="${top + MODE.top + 13}">${lane.node}</text>
    ${modeRuns(lane, scale).map(({ from, to, value }) => renderMode(value, scale.x(from), scale.x(to), top))}
    ${rootRuns(lane.roots, scale).map(
      ({ x, width, root }) =>
        html`<rect
          x="${x}"
          y="${top + ROOT.top}"
          width="${width}"
          height="${ROOT.height}"
          fill="${rootColour(root)}"
        />`,
    )}
    ${writeMarks(writes, scale, top)}
  </g>`;
}

interface Run<T> {
  readonly from: number;
  readonly to: number;
  readonly value: T;
}

function modeRuns(lane: Lane, scale: Scale): readonly Run<LaneMode>[] {
  return lane.modes.map(({ at, value }, i) => ({ from: at, to: lane.modes[i + 1]?.at ?? scale.to, value }));
}

function renderMode(mode: LaneMode, from: number, to: number, top: number): Markup {
  const width = round(Math.max(0.6, to - from));
  const label =
    width < 34
      ? null
      : html`<text class="mode" x="${from + 6}" y="${top + MODE.top + 12.5}"
          >${mode === 'down' ? svgBoth('down', 'fora do ar') : mode}</text
        >`;
  return html`<rect
      class="m-${mode}"
      x="${from}"
      y="${top + MODE.top}"
      width="${width}"
      height="${MODE.height}"
    />${label}`;
}

/** One rectangle for as many pixels as show the same root. */
function rootRuns(
  roots: readonly Change<string>[],
  scale: Scale,
): readonly { readonly x: number; readonly width: number; readonly root: string }[] {
  const runs: { x: number; width: number; root: string }[] = [];
  for (let x = scale.left; x < scale.right; x += 1) {
    const root = valueAt(roots, scale.at(x + 0.5)) ?? '';
    const last = runs.at(-1);
    if (last?.root === root) last.width += 1;
    else runs.push({ x, width: 1, root });
  }
  return runs.filter(({ root }) => root !== '');
}

/** Equal roots, equal colours; unlike roots, most likely unlike ones. */
function rootColour(root: string): string {
  const hue = Number.parseInt(root.slice(0, 4), 16) % 360;
  const light = 42 + (Number.parseInt(root.slice(4, 6), 16) % 26);
  return Number.isNaN(hue) || Number.isNaN(light) ? 'var(--line)' : `hsl(${hue} 62% ${light}%)`;
}

function writeMarks(writes: readonly Write[], scale: Scale, top: number): readonly Markup[] {
  const slowest = new Map<number, Write>();
  for (const write of writes) {
    const column = Math.floor(scale.x(write.ackedAt) / COLUMN);
    const other = slowest.get(column);
    if (other === undefined || latency(write) > latency(other)) slowest.set(column, write);
  }
  return [...slowest.values()].map((write) => {
    const x = scale.x(write.ackedAt);
    const foot = top + WRITES.bottom;
    if (write.tookMs === null)
      return html`<path class="unseen" d="M${x} ${foot}l-4 -8h8z" data-at="${round(write.ackedAt)}"
        ><title>${write.key}</title></path
      >`;
    const height = round(
      2 + (WRITES.height - 2) * Math.min(1, Math.log10(Math.max(1, write.tookMs)) / LATENCY_DECADES),
    );
    return html`<line
      class="${write.tookMs > 1_000 ? 'write slow' : 'write'}"
      x1="${x}"
      x2="${x}"
      y1="${foot}"
      y2="${round(foot - height)}"
      ><title>${write.key}: ${Math.round(write.tookMs)} ms</title></line
    >`;
  });
}

function latency(write: Write): number {
  return write.tookMs ?? Infinity;
}

function renderBands(timeline: Timeline, lanes: readonly Lane[], scale: Scale): readonly Markup[] {
  return timeline.bands.map((band) => {
    const struck = lanes.flatMap((lane, i) =>
      band.nodes.length === 0 || band.nodes.includes(lane.node) ? [i] : [],
    );
    const x = scale.x(band.from);
    const width = round(Math.max(1.5, scale.x(band.to ?? scale.to) - x));
    return html`<g class="band"
      ><title>${titleOf(band)}</title>
      ${struck.map((i) => html`<rect x="${x}" y="${LABELS + i * LANE + 2}" width="${width}" height="${LANE - 6}" />`)}
      ${struck.slice(0, 1).map((i) => html`<text x="${round(Math.min(x + 5, RIGHT - 6 * band.label.length))}" y="${LABELS + i * LANE + LANE - 6}">${svgSaid(band.label)}</text>`)}
    </g>`;
  });
}

function titleOf({ label, from, to, nodes }: Band): string {
  const until = to === null ? '…' : clockOf(to);
  return `${label}${nodes.length === 0 ? '' : `: ${nodes.join(', ')}`} (${clockOf(from)} – ${until})`;
}

function renderMarks(marks: readonly Mark[], scale: Scale, bottom: number): readonly Markup[] {
  const ends = ROWS.map(() => -Infinity);
  return marks.map(({ at, label, node }) => {
    const x = scale.x(at);
    const text = label.slice(0, LABEL_LETTERS);
    const half = (text.length * LETTER) / 2;
    const row = Math.max(
      0,
      ends.findIndex((end) => end < x - half),
    );
    ends[row] = x + half;
    const middle = round(Math.min(Math.max(x, LEFT + half), RIGHT - half));
    return html`<g class="mark"
      ><title>${node === '' ? label : `${node}: ${label}`}</title
      ><line x1="${x}" x2="${x}" y1="${LABELS - 14}" y2="${bottom}" /><text
        x="${middle}"
        y="${ROWS[row] ?? 0}"
        >${svgSaid(text)}</text
      ></g
    >`;
  });
}

/** How many roots there are at a time among the nodes that answer: one is agreement. */
function renderAgreement(lanes: readonly Lane[], scale: Scale, top: number): Markup {
  const runs: { x: number; width: number; roots: number }[] = [];
  for (let x = scale.left; x < scale.right; x += 1) {
    const at = scale.at(x + 0.5);
    const here = lanes
      .filter((lane) => valueAt(lane.modes, at) !== 'down')
      .map((lane) => valueAt(lane.roots, at) ?? '');
    const roots = new Set(here.filter((root) => root !== '')).size;
    const last = runs.at(-1);
    if (last?.roots === roots) last.width += 1;
    else runs.push({ x, width: 1, roots });
  }
  const highest = Math.max(2, ...runs.map(({ roots }) => roots));
  return html`<g class="agree">
    <text class="name" x="${LEFT - 10}" y="${top + 15}">${svgBoth('roots', 'raízes')}</text>
    ${runs
      .filter(({ roots }) => roots > 0)
      .map(({ x, width, roots }) => {
        const height = round(5 + (13 * (roots - 1)) / (highest - 1));
        return html`<rect
          class="${roots === 1 ? 'one' : 'many'}"
          x="${x}"
          y="${round(top + 20 - height)}"
          width="${width}"
          height="${height}"
        />`;
      })}
  </g>`;
}
