/**
 * A chart of lines over two logarithmic axes as SVG: what was measured as dots on a line, what a formula says as a dashed one. On such
 * axes a power law is a straight line, so what grows too fast is seen by its slope.
 */
export interface Line {
  /** empty: on paper what the line before it measured */
  readonly name: string;
  /** all above 0, in order of x */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** by formula rather than measured */
  readonly isPaper: boolean;
}

export interface Chart {
  readonly title: string;
  readonly description: string;
  readonly xName: string;
  readonly yName: string;
  readonly lines: readonly Line[];
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 200;
const TOP = 40;
const BOTTOM = 50;
const LABEL_GAP = 14;
const COLOURS = ['#0969da', '#1a7f37', '#cf222e', '#8250df', '#bf8700', '#57606a'];

export function renderChart(chart: Chart): string {
  const points = chart.lines.flatMap((line) => line.points);
  const x = axis(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = axis(
    points.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const names = namePlaces(chart.lines.map(({ points: of }) => y.at(of.at(-1)?.y ?? 1)));
  const lines = chart.lines.flatMap((line, i) =>
    renderLine(line, colourOf(chart.lines, i), names[i] ?? 0, x, y),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="12">`,
    `  <title id="t">${escape(chart.title)}</title>`,
    `  <desc id="d">${escape(chart.description)}</desc>`,
    '  <style>',
    '    .ink { fill: #1f2328; } .dim { fill: #57606a; } .grid { stroke: #d0d7de; }',
    '    @media (prefers-color-scheme: dark) { .ink { fill: #e6edf3; } .dim { fill: #8b949e; } .grid { stroke: #30363d; } }',
    '  </style>',
    `  <text class="ink" x="${LEFT}" y="22" font-size="14">${escape(chart.title)}</text>`,
    ...x.decades.map((value) => grid(x.at(value), TOP, x.at(value), HEIGHT - BOTTOM)),
    ...y.decades.map((value) => grid(LEFT, y.at(value), WIDTH - RIGHT, y.at(value))),
    ...x.decades.map((value) => label(x.at(value), HEIGHT - BOTTOM + 18, 'middle', plain(value))),
    ...y.decades.map((value) => label(LEFT - 8, y.at(value) + 4, 'end', plain(value))),
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'middle', chart.xName),
    label(LEFT, TOP - 6, 'start', chart.yName),
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

interface Axis {
  readonly decades: readonly number[];
  readonly at: (value: number) => number;
}

/** Whole decades around the values. */
function axis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { decades, at: (value) => from + ((to - from) * (Math.log10(value) - low)) / (high - low) };
}

/** A line without a name belongs to the one before it. */
function colourOf(lines: readonly Line[], i: number): string {
  const named = lines.slice(0, i + 1).filter(({ name }) => name !== '').length;
  return COLOURS[(named - 1) % COLOURS.length] ?? '#57606a';
}

/** Where the lines' names stand, apart from each other: by height, each at its line's end or below the one above. */
function namePlaces(ends: readonly number[]): readonly number[] {
  const places = [...ends];
  let free = TOP;
  for (const i of ends.map((_, at) => at).toSorted((a, b) => (ends[a] ?? 0) - (ends[b] ?? 0))) {
    places[i] = Math.max(ends[i] ?? 0, free);
    free = (places[i] ?? 0) + LABEL_GAP;
  }
  return places;
}

function renderLine(line: Line, colour: string, nameY: number, x: Axis, y: Axis): readonly string[] {
  const at = line.points.map((point) => `${round(x.at(point.x))},${round(y.at(point.y))}`);
  const dash = line.isPaper ? ' stroke-dasharray="5 5"' : '';
  return [
    `  <polyline points="${at.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
    ...(line.isPaper
      ? []
      : line.points.map(
          (point) =>
            `  <circle cx="${round(x.at(point.x))}" cy="${round(y.at(point.y))}" r="4" fill="${colour}"/>`,
        )),
    `  <text x="${WIDTH - RIGHT + 10}" y="${round(nameY + 4)}" fill="${colour}">${escape(line.name)}</text>`,
  ];
}

function grid(x1: number, y1: number, x2: number, y2: number): string {
  return `  <line class="grid" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

function label(x: number, y: number, anchor: 'start' | 'middle' | 'end', text: string): string {
  return `  <text class="dim" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escape(text)}</text>`;
}

function plain(value: number): string {
  return value >= 1 ? value.toLocaleString('en') : String(Number(value.toPrecision(1)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
