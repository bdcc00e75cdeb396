/** Where things stand in the graph: nodes on an ellipse, edges between them, all in pixels of the stage. */
import type { PairLink } from '../room/links.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Stage {
  readonly width: number;
  readonly height: number;
  /** of a node's disc */
  readonly radius: number;
  readonly places: ReadonlyMap<string, Point>;
}

/** Distance of the two lungs of a pair from the line between its nodes. */
const LANE = 4;

export function stageOf(names: readonly string[], width: number, height: number): Stage {
  const count = names.length;
  const radius = Math.min(
    count <= 6 ? 38 : count <= 12 ? 26 : 10,
    Math.max(8, width / 14),
    Math.max(8, height / 9),
  );
  const isLabelled = count <= 12;
  const rx = Math.max(
    40,
    Math.min(width / 2 - radius - (isLabelled ? Math.min(66, width / 14) : 24), height * 0.86),
  );
  // A regular polygon reaches less far down than up; what is written below its lowest nodes needs room.
  const lowest = count === 0 ? 1 : Math.cos(count % 2 === 0 ? 0 : Math.PI / count);
  const [above, below] = [radius + 16, radius + (isLabelled ? 62 : 16)];
  const ry = Math.max(40, (height - above - below) / (1 + lowest));
  const centre = { x: width / 2, y: above + ry };
  const places = new Map(
    names.map((name, index) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * index) / Math.max(1, count);
      return [name, { x: centre.x + rx * Math.cos(angle), y: centre.y + ry * Math.sin(angle) }];
    }),
  );
  return { width, height, radius, places };
}

/** One lane of a pair, from rim to rim; P2P keeps to one side and HTTP to the other, whichever end is named first. */
export function laneOf(
  stage: Stage,
  a: string,
  b: string,
  lung: 'p2p' | 'http',
): readonly [Point, Point] | null {
  const [from, to] = [stage.places.get(a), stage.places.get(b)];
  if (from === undefined || to === undefined) return null;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy);
  if (length === 0) return null;
  const [ux, uy] = [dx / length, dy / length];
  const isForward = a < b;
  const side = (lung === 'p2p' ? LANE : -LANE) * (isForward ? 1 : -1) * (stage.radius < 16 ? 0.4 : 1);
  const gap = stage.radius + (stage.radius < 16 ? 2 : 9);
  const at = (x: number, y: number, along: number): Point => ({
    x: x + ux * along - uy * side,
    y: y + uy * along + ux * side,
  });
  return [at(from.x, from.y, gap), at(to.x, to.y, -gap)];
}

export type EdgeKind = 'p2p' | 'http' | 'warm' | 'cut';

/** All edges of a kind as one path: the number of drawn elements does not grow with the pairs. */
export function pathsOf(stage: Stage, links: readonly PairLink[]): Readonly<Record<EdgeKind, string>> {
  const paths: Record<EdgeKind, string> = { p2p: '', http: '', warm: '', cut: '' };
  const add = (kind: EdgeKind, link: PairLink, lung: 'p2p' | 'http'): void => {
    const lane = laneOf(stage, link.a, link.b, lung);
    if (lane === null) return;
    const [from, to] = lane;
    paths[kind] += `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`;
  };
  for (const link of links) {
    add(link.p2p ? 'p2p' : 'cut', link, 'p2p');
    add(link.carrier === 'http' ? 'http' : link.http ? 'warm' : 'cut', link, 'http');
  }
  return paths;
}

/** Two sides of a line drawn across the stage; null where it leaves everybody on one side. */
export function sidesOf(
  stage: Stage,
  from: Point,
  to: Point,
): readonly [readonly string[], readonly string[]] | null {
  const [left, right]: [string[], string[]] = [[], []];
  for (const [name, place] of stage.places) {
    const turn = (to.x - from.x) * (place.y - from.y) - (to.y - from.y) * (place.x - from.x);
    (turn < 0 ? left : right).push(name);
  }
  return left.length === 0 || right.length === 0 ? null : [left, right];
}

/** An arc of a circle, angles in degrees, clockwise from the right. */
export function arc(centre: Point, radius: number, fromDegrees: number, toDegrees: number): string {
  const at = (degrees: number): string => {
    const angle = (degrees * Math.PI) / 180;
    return `${round(centre.x + radius * Math.cos(angle))} ${round(centre.y + radius * Math.sin(angle))}`;
  };
  const isLarge = Math.abs(toDegrees - fromDegrees) > 180 ? 1 : 0;
  return `M${at(fromDegrees)}A${radius} ${radius} 0 ${isLarge} ${toDegrees > fromDegrees ? 1 : 0} ${at(toDegrees)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
