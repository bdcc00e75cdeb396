/** What the lines and colours of the graph mean. */
import { usePage } from './page-context.ts';

export function Legend() {
  const { words } = usePage();
  return (
    <ul class="legend">
      {(['p2p', 'http', 'warm'] as const).map((kind) => (
        <li key={kind}>
          <svg width="26" height="8" aria-hidden="true">
            <path class={`edge edge-${kind}`} d="M1 4H25" />
          </svg>
          {words.legend[kind === 'p2p' ? 'gossip' : kind]}
        </li>
      ))}
      <li>
        <span class="legend-state" aria-hidden="true" />
        {words.legend.colour}
      </li>
    </ul>
  );
}
