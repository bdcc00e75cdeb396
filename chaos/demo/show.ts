/** The demo's one view of its cluster: every event passes through here, and what is story is told as it happens. */
import { seconds, storyText } from '../../dashboard/table.ts';
import { emptyView, reduce } from '../../dashboard/view.ts';
import type { ClusterView, ViewEvent } from '../../dashboard/view.ts';
import { pause } from './patience.ts';
import type { Screen } from './screen.ts';
import { claimText } from './story.ts';
import type { Claim, Verdict } from './story.ts';
import type { DemoWords } from './words.ts';

const DRAW_EVERY_MS = 200;

export class Show {
  readonly words: DemoWords;
  readonly startedAt = Date.now();
  readonly #screen: Screen;
  #view: ClusterView = emptyView(this.startedAt);

  constructor(screen: Screen, words: DemoWords) {
    this.#screen = screen;
    this.words = words;
  }

  get view(): ClusterView {
    return this.#view;
  }

  readonly apply = (event: ViewEvent): void => {
    this.#view = reduce(this.#view, event);
    const told = event.type === 'story' ? this.#view.story.at(-1) : undefined;
    if (told !== undefined) this.tell(storyText(told, this.startedAt));
  };

  announce(text: string): void {
    this.apply({ type: 'story', at: Date.now(), kind: 'step', text });
  }

  result(text: string): void {
    this.apply({ type: 'story', at: Date.now(), kind: 'result', text });
  }

  problem(text: string): void {
    this.apply({ type: 'story', at: Date.now(), kind: 'problem', text });
  }

  tell(line: string): void {
    this.#screen.tell(line);
  }

  verdict(verdict: Verdict, claims: readonly Claim[]): void {
    const marks = { holds: '✓', fails: '✗', unproven: '?' } as const;
    this.tell('');
    for (const claim of claims) this.tell(`  ${marks[claim.outcome]} ${claimText(claim, this.words)}`);
    this.tell(`${this.words.verdict[verdict]} · ${seconds(Date.now() - this.startedAt)} s`);
  }

  release(): void {
    this.#screen.release();
  }

  async drawContinuously(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.apply({ type: 'clock', at: Date.now() });
      this.#screen.draw(this.#view);
      await pause(DRAW_EVERY_MS, signal);
    }
  }
}
