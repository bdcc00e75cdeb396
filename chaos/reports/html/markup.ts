/**
 * HTML that cannot be injected into: a template escapes everything put into it, unless it is markup already. Every name,
 * value and error text of a run goes through here on its way into a report.
 */

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

type Hole = string | number | null | Markup | readonly Hole[];

/** Escapes what is put in; null is nothing, a list is its items one after the other. */
export function html(pieces: TemplateStringsArray, ...holes: readonly Hole[]): Markup {
  return new Markup(
    pieces.map((piece, i) => piece + (i < holes.length ? render(holes[i] ?? null) : '')).join(''),
  );
}

function render(hole: Hole): string {
  if (hole === null) return '';
  if (hole instanceof Markup) return hole.text;
  if (typeof hole === 'number') return String(hole);
  if (typeof hole === 'string') return escape(hole);
  return hole.map(render).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters, and those that turn the direction of text, are shown as what they are: nothing. */
function escape(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
