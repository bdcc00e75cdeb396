/**
 * One node: a disc in the colour and pattern of its state, and around it its two lungs, P2P on the left and HTTP on the
 * right, each as full as the share of the other nodes that it hears. Below: what carries, and the root.
 */
import { arc } from './layout.ts';
import type { Point } from './layout.ts';
import { COLOURS, letterOf } from './look.ts';
import type { Look } from './look.ts';
import { usePage } from './page-context.ts';

const LUNG_DEGREES = 140;

export function Glyph(props: {
  readonly look: Look;
  readonly place: Point;
  readonly radius: number;
  readonly others: number;
}) {
  const { look, place, radius, others } = props;
  const { words, selected } = usePage();
  const { node, group, isOut } = look;
  const said = isOut ? null : node.said;
  const isSmall = radius < 16;
  const lungRadius = radius + (isSmall ? 3 : 7);
  const fill = group === null ? 'var(--out)' : `url(#state-${Math.min(group, COLOURS - 1)})`;
  const { x, y } = place;
  return (
    <g
      class={`glyph${isOut ? ' is-out' : ''}${selected === node.name ? ' is-selected' : ''}`}
      data-node={node.name}
      data-group={group ?? ''}
      data-mode={said?.mode ?? ''}
      data-condition={look.condition ?? ''}
    >
      <Lung
        centre={place}
        radius={lungRadius}
        side="left"
        share={(said?.aliveP2p ?? 0) / others}
        lung="p2p"
      />
      <Lung
        centre={place}
        radius={lungRadius}
        side="right"
        share={(said?.aliveHttp ?? 0) / others}
        lung="http"
      />
      <circle class="disc" cx={x} cy={y} r={radius} fill={fill} />
      <circle class="disc-rim" cx={x} cy={y} r={radius} />
      <text
        class="disc-name"
        x={x}
        y={isSmall ? y + 3 : y - 1}
        font-size={isSmall ? 8 : radius > 28 ? 13 : 11}
      >
        {isSmall ? node.name.replace(/^\D+/, '') : node.name}
      </text>
      {!isSmall && (
        <text class="disc-letter" x={x} y={y + radius * 0.45}>
          {isOut ? '×' : letterOf(group)}
        </text>
      )}
      {!isSmall && (
        <g transform={`translate(${x} ${y + radius + 15})`}>
          {said !== null && <Badge mode={said.mode} />}
          {look.condition !== null && (
            <text class="glyph-condition" y={said === null ? 8 : 37}>
              {words.conditions[look.condition]}
            </text>
          )}
          {said !== null && (
            <text class="glyph-root" y={look.condition === null ? 23 : 23}>
              {said.root.slice(0, 8)}
            </text>
          )}
        </g>
      )}
    </g>
  );
}

function Badge({ mode }: { readonly mode: string }) {
  const width = mode.length * 7.4 + 16;
  return (
    <g class={`badge badge-${mode.toLowerCase()}`}>
      <rect x={-width / 2} y={-8} width={width} height={18} rx={9} />
      <text y={5}>{mode}</text>
    </g>
  );
}

function Lung(props: {
  readonly centre: Point;
  readonly radius: number;
  readonly side: 'left' | 'right';
  readonly share: number;
  readonly lung: 'p2p' | 'http';
}) {
  const { centre, radius, side, lung } = props;
  const share = Math.max(0, Math.min(1, props.share));
  const middle = side === 'left' ? 180 : 0;
  const [from, to] = [middle - LUNG_DEGREES / 2, middle + LUNG_DEGREES / 2];
  const half = (LUNG_DEGREES / 2) * share;
  return (
    <g class={`lung lung-${lung}`}>
      <path class="lung-track" d={arc(centre, radius, from, to)} />
      {share > 0 && <path class="lung-air" d={arc(centre, radius, middle - half, middle + half)} />}
    </g>
  );
}
