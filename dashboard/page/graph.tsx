/**
 * The lattice as a picture, with a real button over every node. What the picture says is also in the table view; a line
 * drawn across it with the pointer partitions it.
 */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { linksOf } from '../room/links.ts';
import type { PairLink } from '../room/links.ts';
import { Glyph } from './glyph.tsx';
import { pathsOf, sidesOf, stageOf } from './layout.ts';
import type { Point, Stage } from './layout.ts';
import { COLOURS, letterOf, looksOf } from './look.ts';
import { usePage } from './page-context.ts';
import { Sparks } from './sparks.tsx';
import { useSize } from './use-size.ts';

/** With more nodes, lungs don't breathe and only what carries is drawn: it would be a carpet, and cost every frame. */
const CALM_ABOVE = 12;

export function Graph({
  isDrawing,
  endDrawing,
}: {
  readonly isDrawing: boolean;
  readonly endDrawing: () => void;
}) {
  const { view, words, selected, select, act } = usePage();
  const [frame, size] = useSize({ width: 800, height: 440 });
  const [line, setLine] = useState<readonly [Point, Point] | null>(null);

  useEffect(() => {
    const leave = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') endDrawing();
    };
    if (!isDrawing) return undefined;
    window.addEventListener('keydown', leave);
    return () => window.removeEventListener('keydown', leave);
  }, [isDrawing, endDrawing]);

  const stage = stageOf(
    view.cluster.nodes.map(({ name }) => name),
    size.width,
    size.height,
  );
  const looks = looksOf(view);
  const present = new Set(looks.filter(({ isOut }) => !isOut).map(({ node }) => node.name));
  const links = linksOf(view.cluster).filter(({ a, b }) => present.has(a) && present.has(b));
  const pointOf = (event: PointerEvent): Point => {
    const box = frame.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };

  return (
    <div
      ref={frame}
      class={`graph${isDrawing ? ' is-drawing' : ''}`}
      onPointerDown={(event) => {
        if (!isDrawing) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setLine([pointOf(event), pointOf(event)]);
      }}
      onPointerMove={(event) => line !== null && setLine([line[0], pointOf(event)])}
      onPointerUp={() => {
        if (line === null) return;
        const sides = sidesOf(stage, line[0], line[1]);
        setLine(null);
        endDrawing();
        if (sides !== null)
          void act({ do: 'partition', groups: [[...sides[0]], [...sides[1]]], lung: 'both' });
      }}
    >
      <Edges stage={stage} links={links} />
      <svg
        class={`graph-picture${looks.length > CALM_ABOVE ? ' is-calm' : ''}`}
        width={size.width}
        height={size.height}
        aria-hidden="true"
      >
        <Patterns />
        {looks.map((look) => {
          const place = stage.places.get(look.node.name);
          return (
            place && (
              <Glyph
                key={look.node.name}
                look={look}
                place={place}
                radius={stage.radius}
                others={Math.max(1, looks.length - 1)}
              />
            )
          );
        })}
        {line !== null && (
          <line class="cut-line" x1={line[0].x} y1={line[0].y} x2={line[1].x} y2={line[1].y} />
        )}
      </svg>
      <Sparks stage={stage} links={links} />
      {looks.map(({ node, group, condition, isOut }) => {
        const place = stage.places.get(node.name);
        if (place === undefined) return null;
        const said = isOut ? null : node.said;
        const reach = stage.radius + 8;
        return (
          <button
            key={node.name}
            type="button"
            class="node-button"
            tabIndex={isDrawing ? -1 : 0}
            style={{
              left: `${place.x - reach}px`,
              top: `${place.y - reach}px`,
              width: `${2 * reach}px`,
              height: `${2 * reach}px`,
            }}
            aria-pressed={selected === node.name}
            aria-label={words.nodeLabel({
              name: node.name,
              mode: said?.mode ?? '',
              letter: letterOf(group),
              p2p: said?.aliveP2p ?? 0,
              http: said?.aliveHttp ?? 0,
              condition: condition === null ? null : words.conditions[condition],
            })}
            onClick={() => select(selected === node.name ? null : node.name)}
          />
        );
      })}
    </div>
  );
}

/**
 * On a layer of their own, which is painted anew only when a path is another one: a thousand dashed lines cost the browser
 * more than all the rest, and they change seldom.
 */
function Edges({ stage, links }: { readonly stage: Stage; readonly links: readonly PairLink[] }) {
  const isCrowded = stage.places.size > CALM_ABOVE;
  const paths = pathsOf(stage, links);
  return useMemo(
    () => (
      <svg
        class={`graph-picture edges${isCrowded ? ' is-crowded' : ''}`}
        width={stage.width}
        height={stage.height}
        aria-hidden="true"
      >
        {!isCrowded && <path class="edge edge-cut" d={paths.cut} />}
        {!isCrowded && <path class="edge edge-warm" d={paths.warm} />}
        <path class="edge edge-p2p" d={paths.p2p} />
        <path class="edge edge-http" d={paths.http} />
      </svg>
    ),
    [isCrowded, stage.width, stage.height, paths.cut, paths.warm, paths.p2p, paths.http],
  );
}

/** A pattern for every colour: states are told apart without seeing colours. */
function Patterns() {
  const marks = [
    null,
    <path d="M-2 2L2 -2M0 10L10 0M8 12L12 8" />,
    <circle cx="5" cy="5" r="1.8" />,
    <path d="M0 5H10M5 0V10" />,
    <path d="M0 3H10M0 8H10" />,
  ];
  return (
    <defs>
      {Array.from({ length: COLOURS }, (_, index) => (
        <pattern key={index} id={`state-${index}`} width="10" height="10" patternUnits="userSpaceOnUse">
          <rect width="10" height="10" fill={`var(--state-${index})`} />
          <g class="pattern-mark">{marks[index]}</g>
        </pattern>
      ))}
    </defs>
  );
}
