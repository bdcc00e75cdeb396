/** How it stands, in one line; and what concerns the whole page. */
import { groupsOf } from '../room/groups.ts';
import { usePage } from './page-context.ts';
import type { Settings } from './settings.ts';

export function Header({ settings }: { readonly settings: Settings }) {
  const { view, words, isStale, act } = usePage();
  const isTouring = view.tour?.running === true;
  const other = settings.language === 'pt' ? 'en' : 'pt';
  return (
    <header class="header">
      <h1>
        <Mark />
        <span class="brand">Aethel Lattice</span>
        <span class="brand-room">{words.room}</span>
      </h1>
      <Standing />
      <div class="header-tools">
        <button
          type="button"
          class={isTouring ? 'button' : 'button is-primary'}
          disabled={isStale}
          onClick={() => void act({ do: isTouring ? 'stop-tour' : 'tour' })}
        >
          {isTouring ? words.stopTour : words.tour}
        </button>
        <a class="button" href="room/evidence" download>
          {words.evidence}
        </a>
        <button
          type="button"
          class="button is-quiet"
          aria-label={`${other.toUpperCase()} · ${words.language}`}
          title={words.language}
          onClick={() => settings.setLanguage(other)}
        >
          {other.toUpperCase()}
        </button>
        <button
          type="button"
          class="button is-quiet"
          aria-label={words.theme[settings.theme]}
          title={words.theme[settings.theme]}
          onClick={() => settings.setTheme(settings.theme === 'dark' ? 'light' : 'dark')}
        >
          <ThemeMark />
        </button>
      </div>
    </header>
  );
}

function Standing() {
  const { view, words, isStale } = usePage();
  const up = view.cluster.nodes.filter(({ reach, said }) => reach === 'up' && said !== null);
  const states = groupsOf(view.cluster).length;
  const modes = new Set(up.map(({ said }) => said?.mode));
  const carries = modes.size > 1 ? 'MIXED' : modes.has('P2P') ? 'P2P' : modes.has('HTTP') ? 'HTTP' : 'NONE';
  const isWell = states === 1 && up.length === view.cluster.nodes.length;
  return (
    <p class={`standing${isStale ? ' is-stale' : isWell ? ' is-well' : ' is-hurt'}`}>
      <span class="standing-mark" aria-hidden="true" />
      {isStale ? (
        words.stale
      ) : (
        <>
          <strong>{words.states(states)}</strong>
          <span>{words.answering(up.length, view.cluster.nodes.length)}</span>
          <span>{words.carries[carries]}</span>
        </>
      )}
    </p>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <path class="mark-p2p" d="M13 4a12 12 0 0 0 0 24" />
      <path class="mark-http" d="M19 4a12 12 0 0 1 0 24" />
      <circle class="mark-state" cx="16" cy="16" r="5" />
    </svg>
  );
}

function ThemeMark() {
  return (
    <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
    </svg>
  );
}
