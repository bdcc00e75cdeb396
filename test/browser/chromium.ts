/**
 * The browser of these tests: Debian's chromium, or the one that AETHEL_CHROMIUM names, driven by playwright-core, which
 * brings none of its own. Where there is none, the tests say so and are skipped.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Screenshots of the last run; git ignores them. */
const ARTEFACTS = fileURLToPath(new URL('../../test-results/browser/', import.meta.url));

/** null: there is none here */
export const CHROMIUM = process.env['AETHEL_CHROMIUM'] ?? PLACES.find((place) => existsSync(place)) ?? null;

/** For node:test's `skip`: false, or why. */
export const NO_CHROMIUM =
  CHROMIUM === null && 'no chromium here (apt-get install chromium, or set AETHEL_CHROMIUM)';

export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('no chromium');
  // Root has no sandbox to give, and the page is our own.
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath: CHROMIUM, args: isRoot ? ['--no-sandbox'] : [] });
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: path.join(ARTEFACTS, `${name}.png`) });
}
