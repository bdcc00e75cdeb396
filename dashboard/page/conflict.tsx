/** Two writes to one key that did not know of each other: both are there, the same one is shown everywhere. */
import { usePage } from './page-context.ts';

export function ConflictCard() {
  const { view, words, act } = usePage();
  const { conflict } = view;
  if (conflict === null) return null;
  return (
    <div class="conflict">
      <p class="conflict-key">
        <code>{conflict.key}</code>
        <span class="quiet">{words.agreeing(conflict.agreeing.length)}</span>
      </p>
      <p>
        <b>“{conflict.winner}”</b>{' '}
        <span class="quiet">{conflict.settled ? words.settled : words.winner}</span>
      </p>
      {conflict.siblings.map((sibling) => (
        <p key={sibling}>
          “{sibling}” <span class="quiet">{words.siblings}</span>
        </p>
      ))}
      {!conflict.settled && (
        <button type="button" class="button" onClick={() => void act({ do: 'settle' })}>
          {words.settle}
        </button>
      )}
    </div>
  );
}
