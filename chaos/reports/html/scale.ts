/** Where a time lies on a chart, and which times are worth a label. */

export interface Scale {
  readonly from: number;
  readonly to: number;
  readonly left: number;
  readonly right: number;
  x(at: number): number;
  /** the inverse */
  at(x: number): number;
}

export function scaleOf(from: number, to: number, left: number, right: number): Scale {
  const span = Math.max(1, to - from);
  const clamp = (at: number): number => Math.min(Math.max(at, from), from + span);
  return {
    from,
    to: from + span,
    left,
    right,
    x: (at) => round(left + ((clamp(at) - from) / span) * (right - left)),
    at: (x) => from + ((x - left) / (right - left)) * span,
  };
}

const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200].map(
  (seconds) => seconds * 1_000,
);
const TICKS_MAX = 16;

/** @returns round times within the scale, ms; at most sixteen */
export function ticksOf({ from, to }: Scale): readonly number[] {
  const step = STEPS.find((one) => (to - from) / one <= TICKS_MAX) ?? (to - from) / TICKS_MAX;
  const first = Math.ceil(from / step);
  const last = Math.floor(to / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Of a whole report: a tenth of a pixel is more than enough. */
export function round(x: number): number {
  return Math.round(x * 10) / 10;
}

/** @returns '12 s', '2:05' */
export function clockOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (Math.abs(seconds) < 120) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
