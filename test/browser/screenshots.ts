/**
 * `npm run demo:screenshots`: the pictures of docs/DEMO.md and its Portuguese twin, taken of real nodes while they are
 * broken and healed: English and dark, Portuguese and light, of the same moments.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { launchChromium, NO_CHROMIUM } from './chromium.ts';
import { startDemo } from './demo-process.ts';
import { withPalette } from './png.ts';

const IMAGES = fileURLToPath(new URL('../../docs/img/', import.meta.url));
const BUDGET = { timeout: 180_000 };
const PROJECTOR = { width: 1280, height: 720 };

if (NO_CHROMIUM !== false) {
  console.error(NO_CHROMIUM);
  process.exitCode = 1;
} else {
  mkdirSync(IMAGES, { recursive: true });
  const demo = await startDemo();
  const browser = await launchChromium();
  try {
    const [en, pt, phone] = await Promise.all([
      browser.newPage({ viewport: PROJECTOR }),
      browser.newPage({ viewport: PROJECTOR }),
      browser.newPage({ viewport: { width: 390, height: 844 } }),
    ]);
    await en.goto(`${demo.url}?lang=en&theme=dark`);
    await pt.goto(`${demo.url}?lang=pt&theme=light`);
    await phone.goto(`${demo.url}?lang=pt&theme=dark`);
    await tell(en, pt, phone);
  } finally {
    await browser.close();
    await demo.end();
  }
}

async function tell(en: Page, pt: Page, phone: Page): Promise<void> {
  const both = async (name: string): Promise<void> => {
    for (const [page, language] of [
      [en, 'en'],
      [pt, 'pt'],
    ] as const) {
      await picture(page, `${name}-${language}`);
    }
  };
  const press = (name: string): Promise<void> => en.getByRole('button', { name, exact: true }).click();
  const groups = (count: number): Promise<void> =>
    en
      .locator(`.glyph[data-group="0"]`)
      .nth(count - 1)
      .waitFor(BUDGET);

  await en.locator('[data-group="0"][data-mode="P2P"]').nth(4).waitFor(BUDGET);
  await moreWrites(en, 200);
  await both('steady');
  await picture(phone, 'phone');

  await en.locator('.deeds').getByRole('button', { name: 'P2P' }).click();
  await en.locator('[data-mode="HTTP"]').nth(4).waitFor(BUDGET);
  await en.getByText('✓ proven').waitFor(BUDGET);
  await moreWrites(en, 160);
  await both('http-carries');
  await press('Heal all');
  await en.locator('[data-mode="P2P"]').nth(4).waitFor(BUDGET);

  await press('Partition …');
  await press('Partition');
  await en.locator('.glyph[data-group="1"]').nth(1).waitFor(BUDGET);
  await en.getByText('✓ proven').waitFor(BUDGET);
  await moreWrites(en, 120);
  await both('partition');
  await press('Heal all');
  await groups(5);
  await moreWrites(en, 100);

  await press('Make a conflict');
  await en.locator('.conflict').getByText('5 nodes agree').waitFor(BUDGET);
  await both('conflict');
  await press('Settle it');

  await press('Start the tour');
  await en.locator('.tour-step.is-running').nth(0).waitFor(BUDGET);
  await en.locator('.tour-step:nth-child(4).is-running').waitFor(BUDGET);
  await moreWrites(en, 40);
  await both('killed');
  await en.locator('.tour-step:nth-child(5).is-pass').waitFor(BUDGET);
  for (const page of [en, pt]) await page.locator('.tabs button').nth(1).click();
  await both('bank');
  for (const page of [en, pt]) await page.locator('.tabs button').nth(0).click();
  await en.locator('.tour-end').waitFor(BUDGET);
  await both('verdict');
}

async function picture(page: Page, name: string): Promise<void> {
  const png = withPalette(await page.screenshot());
  writeFileSync(path.join(IMAGES, `${name}.png`), png);
  console.log(`docs/img/${name}.png: ${Math.round(png.length / 1024)} KiB`);
}

/** Waits until the page shows so many more acknowledged writes. */
async function moreWrites(page: Page, count: number): Promise<void> {
  const read = async (): Promise<number> =>
    Number((await page.locator('.figure b').nth(1).textContent())?.replaceAll(',', ''));
  const target = (await read()) + count;
  await page.waitForFunction(
    (wanted) => Number(document.querySelectorAll('.figure b')[1]?.textContent?.replaceAll(',', '')) >= wanted,
    target,
    BUDGET,
  );
}
