/** The frame of every page that the lab writes: one file, nothing from the network, and only our own script may run. */
import { createHash } from 'node:crypto';
import { BEHAVIOUR } from './behaviour.ts';
import { html, Markup } from './markup.ts';
import { STYLE } from './style.ts';

/** A script that got in through a name or a value would not have this hash; nor would ours, with one more space in it. */
const SCRIPT_HASH = createHash('sha256').update(BEHAVIOUR).digest('base64');
const SCRIPT = new Markup(`<script>${BEHAVIOUR}</script>`);
const SHEET = new Markup(`<style>${STYLE}</style>`);
const POLICY = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

export function renderPage(title: string, main: Markup): string {
  const page = html`<html lang="en" data-lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${new Markup(POLICY)}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="referrer" content="no-referrer" />
      <title>${title}</title>
      ${SHEET}
    </head>
    <body>
      <main>${main}</main>
      ${SCRIPT}
    </body>
  </html>`;
  return `<!doctype html>\n${page.text}\n`;
}

export const LANGUAGES = html`<div class="languages" role="group" aria-label="Language / Idioma">
  <button type="button" data-speak="en" aria-pressed="true">EN</button>
  <button type="button" data-speak="pt-BR" aria-pressed="false">PT</button>
</div>`;
