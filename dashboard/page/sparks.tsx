/**
 * The writes on their way: each acknowledged write leaves its node as one spark per peer, on the lung that the pair's own
 * evidence says carries. Round sparks travel by P2P, square ones by HTTP. Drawn on a canvas of its own, only while there
 * are any, and not at all for people who asked their system for less motion.
 */
import { useEffect, useRef } from 'preact/hooks';
import type { PairLink } from '../room/links.ts';
import { laneOf } from './layout.ts';
import type { Point, Stage } from './layout.ts';
import { usePage } from './page-context.ts';

const FLIGHT_MS = 700;
/** More are not seen apart, and each costs some of a frame. */
const SPARKS_MAX = 240;

interface Spark {
  readonly from: Point;
  readonly to: Point;
  readonly lung: 'p2p' | 'http';
  readonly startedAt: number;
}

export function Sparks({ stage, links }: { readonly stage: Stage; readonly links: readonly PairLink[] }) {
  const { room } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef({ stage, links });
  latest.current = { stage, links };

  useEffect(() => {
    const still = window.matchMedia('(prefers-reduced-motion: reduce)');
    let sparks: Spark[] = [];
    let frame = 0;
    const draw = (now: number): void => {
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (element === null || element === undefined || context === null || context === undefined) return;
      const { width, height } = latest.current.stage;
      const scale = window.devicePixelRatio;
      if (element.width !== Math.round(width * scale)) element.width = Math.round(width * scale);
      if (element.height !== Math.round(height * scale)) element.height = Math.round(height * scale);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      sparks = sparks.filter((spark) => now - spark.startedAt < FLIGHT_MS);
      const colours = getComputedStyle(element);
      const fills = { p2p: colours.getPropertyValue('--p2p'), http: colours.getPropertyValue('--http') };
      for (const spark of sparks) drawSpark(context, spark, now, fills[spark.lung]);
      frame = sparks.length > 0 ? requestAnimationFrame(draw) : 0;
    };
    const stop = room.onEvent((event) => {
      if (event.type !== 'write' || event.outcome !== 'acknowledged' || still.matches) return;
      const now = performance.now();
      for (const link of latest.current.links) {
        if (sparks.length >= SPARKS_MAX) break;
        if (link.carrier === null || (link.a !== event.node && link.b !== event.node)) continue;
        const other = link.a === event.node ? link.b : link.a;
        const lane = laneOf(latest.current.stage, event.node, other, link.carrier);
        if (lane !== null) sparks.push({ from: lane[0], to: lane[1], lung: link.carrier, startedAt: now });
      }
      if (frame === 0 && sparks.length > 0) frame = requestAnimationFrame(draw);
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [room]);

  return <canvas ref={canvas} class="sparks" aria-hidden="true" />;
}

function drawSpark(context: CanvasRenderingContext2D, spark: Spark, now: number, fill: string): void {
  const progress = Math.max(0, (now - spark.startedAt) / FLIGHT_MS);
  const eased = 1 - (1 - progress) ** 2;
  const x = spark.from.x + (spark.to.x - spark.from.x) * eased;
  const y = spark.from.y + (spark.to.y - spark.from.y) * eased;
  context.globalAlpha = Math.min(1, 4 * (1 - progress));
  context.fillStyle = fill;
  if (spark.lung === 'http') {
    context.fillRect(x - 2.6, y - 2.6, 5.2, 5.2);
    return;
  }
  context.beginPath();
  context.arc(x, y, 2.8, 0, 2 * Math.PI);
  context.fill();
}
