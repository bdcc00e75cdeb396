/** The tour's caption: where it is, what is claimed before each step, what came of it after. */
import type { TourStep } from '../room/model.ts';
import { usePage } from './page-context.ts';

const MARKS: Readonly<Record<TourStep['state'], string>> = {
  waiting: '',
  announced: '',
  running: '',
  pass: '✓',
  fail: '✗',
  inconclusive: '?',
  skipped: '–',
};

export function TourStrip() {
  const { view, words, figures } = usePage();
  const { tour } = view;
  if (tour === null) return null;
  const current =
    tour.steps.findLast(({ state }) => state !== 'waiting' && state !== 'skipped') ?? tour.steps[0];
  if (current === undefined) return null;
  const text = words.step[current.name](current.node ?? '');
  const isJudged = MARKS[current.state] !== '';
  const passed = tour.steps.filter(({ state }) => state === 'pass').length;
  return (
    <div class={`tour is-${current.state}`}>
      <ol class="tour-steps">
        {tour.steps.map((step) => (
          <li key={step.name} class={`tour-step is-${step.state}${step === current ? ' is-current' : ''}`}>
            <span aria-hidden="true">{MARKS[step.state]}</span>
            <span class="for-ears">
              {words.step[step.name](step.node ?? '').title}: {words.verdict[step.state]}
            </span>
          </li>
        ))}
      </ol>
      <div class="tour-text" role="status" aria-live="polite">
        <h2>
          {text.title}
          <span class={`verdict is-${current.state}`}>
            {MARKS[current.state]} {words.verdict[current.state]}
            {current.tookMs !== null && ` · ${figures.duration(current.tookMs)}`}
            {current.detail !== null && ` · ${words.detail(current.detail, figures)}`}
          </span>
        </h2>
        <p>
          {current.state === 'pass' ? (
            text.shown
          ) : (
            <>
              <b>{words.hypothesis}.</b> {text.hypothesis}
            </>
          )}
        </p>
      </div>
      {!tour.running && isJudged && <p class="tour-end">{words.tourEnded(passed, tour.steps.length)}</p>}
    </div>
  );
}
