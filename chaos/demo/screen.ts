/**
 * Where the demo is shown. On a terminal the story scrolls and the table stays below it, redrawn in place; anywhere else
 * (a pipe, CI's log) there are only plain lines: the story as it happens, and the table's essence every few seconds.
 */
import { renderLine, renderTable } from '../../dashboard/table.ts';
import type { ClusterView } from '../../dashboard/view.ts';
import type { Language } from '../../dashboard/words.ts';

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ScreenOptions {
  readonly language: Language;
  /** the cursor may be moved */
  readonly live: boolean;
  readonly colours: boolean;
}

/** What this output can do, by the conventions of NO_COLOR (no-color.org) and TERM. */
export function screenOptions(
  output: Output,
  env: Readonly<Record<string, string | undefined>>,
  language: Language,
): ScreenOptions {
  const live = output.isTTY === true && env['TERM'] !== 'dumb';
  return { language, live, colours: live && (env['NO_COLOR'] ?? '') === '' };
}

const COLUMNS_DEFAULT = 100;
/** Plain lines say how it stands, when that has changed, and at most this often. */
const PLAIN_EVERY_MS = 2000;

export class Screen {
  readonly #output: Output;
  readonly #options: ScreenOptions;
  #drawn: readonly string[] = [];
  #plain = '';
  #plainAt = 0;

  constructor(output: Output, options: ScreenOptions) {
    this.#output = output;
    this.#options = options;
  }

  /** A lasting line above the table. */
  tell(line: string): void {
    this.#redraw([line], this.#drawn);
  }

  draw(view: ClusterView): void {
    if (!this.#options.live) {
      this.#drawPlain(view);
      return;
    }
    const columns = this.#output.columns ?? COLUMNS_DEFAULT;
    const { language, colours } = this.#options;
    this.#redraw(
      [],
      ['', ...renderTable(view, { language, ansi: colours, columns: columns - 1, storyLines: 0 })],
    );
  }

  /** Leaves the last table where it is; what is told next comes below it. */
  release(): void {
    this.#drawn = [];
  }

  #drawPlain(view: ClusterView): void {
    if (view.now - this.#plainAt < PLAIN_EVERY_MS) return;
    const timeless = renderLine({ ...view, now: view.startedAt }, this.#options.language);
    if (timeless === this.#plain) return;
    this.#plain = timeless;
    this.#plainAt = view.now;
    this.#output.write(`  ${renderLine(view, this.#options.language)}\n`);
  }

  /** Up to the table's first line, clear from there, and write anew: at once, so that no terminal shows the gap. */
  #redraw(lasting: readonly string[], table: readonly string[]): void {
    const erase = this.#drawn.length === 0 ? '' : `\u001b[${this.#drawn.length}A\u001b[0J`;
    this.#output.write(erase + [...lasting, ...table].map((line) => `${line}\n`).join(''));
    this.#drawn = table;
  }
}
