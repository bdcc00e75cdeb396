/** What happened, in plain words, the newest on top; and the same for ears, as little as will do. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LogFact } from '../room/model.ts';
import { usePage } from './page-context.ts';

/** A reader of screens needs longer than events need to happen. */
const SPOKEN_EVERY_MS = 1500;

export function Log() {
  const { view, words, figures } = usePage();
  const { log, cluster } = view;
  // Redrawn when something was told, not with every change of the room.
  const lines = useMemo(
    () =>
      log.toReversed().map((line) => (
        <li key={line.id} class={`log-line is-${toneOf(line.fact)}`}>
          <time>{figures.clock(line.at - cluster.startedAt)}</time>
          <span>{words.fact(line.fact, figures)}</span>
        </li>
      )),
    [log, words, figures, cluster.startedAt],
  );
  return (
    <section class="panel log" aria-label={words.log}>
      <h2 class="panel-title">{words.log}</h2>
      <ol tabIndex={0} aria-label={words.log}>
        {lines}
      </ol>
    </section>
  );
}

/** Speaks the newest line that matters; lines that came while it was silent are in the log. */
export function Announcer() {
  const { view, words, figures } = usePage();
  const [spoken, setSpoken] = useState('');
  const last = view.log.findLast(({ fact }) => toneOf(fact) !== 'plain');
  const waiting = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (last === undefined) return undefined;
    window.clearTimeout(waiting.current);
    waiting.current = window.setTimeout(() => setSpoken(words.fact(last.fact, figures)), SPOKEN_EVERY_MS);
    return undefined;
  }, [last?.id, words]);
  return (
    <p class="for-ears" role="status" aria-live="polite">
      {spoken}
    </p>
  );
}

function toneOf(fact: LogFact): 'plain' | 'good' | 'warn' | 'bad' {
  switch (fact.type) {
    case 'started':
    case 'written':
    case 'reconciled':
      return 'plain';
    case 'mode':
      return fact.to === 'P2P' ? 'good' : fact.to === 'HTTP' ? 'warn' : 'bad';
    case 'reach':
      return fact.reach === 'up' ? 'good' : 'bad';
    case 'states':
      return fact.count === 1 ? 'good' : 'warn';
    case 'begun':
    case 'trouble':
      return 'bad';
    case 'proof':
      return fact.proven ? 'plain' : 'warn';
    case 'tour':
      return fact.state === 'pass' ? 'good' : 'bad';
    case 'conflict':
      return 'warn';
    case 'ended':
    case 'recovered':
    case 'settled':
      return 'good';
  }
}
