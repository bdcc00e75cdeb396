/**
 * The control room in a real browser, on real nodes, started by its one command. Run by node:test and not by jest: it needs
 * no transform, must not run beside other tests that take the machine's two cores, and `npm test` has no browser.
 *
 * Times are printed, not judged: budgets are wide, the machine may be busy.
 */
/* oxlint-disable typescript/no-floating-promises -- node:test keeps the promises of its tests itself */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import axeCore from 'axe-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { launchChromium, NO_CHROMIUM, screenshot } from './chromium.ts';
import { startDemo } from './demo-process.ts';
import type { DemoProcess } from './demo-process.ts';

/** Many times what is usual: the machine may be busy with something else. */
const BUDGET = { timeout: 90_000 };

describe('the control room', { skip: NO_CHROMIUM, concurrency: false }, () => {
  let demo: DemoProcess;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  before(async () => {
    demo = await startDemo();
    console.log(`link after ${seconds(demo.startMs)} s`);
    browser = await launchChromium();
    page = await open('?lang=en&theme=dark', { width: 1280, height: 720 });
  });
  after(async () => {
    await browser?.close();
    const output = await demo?.end();
    assert.match(output ?? '', /nothing left behind/);
  });

  it('shows five nodes with one colour, all breathing P2P, and writes that are acknowledged', async () => {
    await glyphs(page).nth(4).waitFor(BUDGET);
    assert.equal(await glyphs(page).count(), 5);
    await page.locator('[data-group="0"][data-mode="P2P"]').nth(4).waitFor(BUDGET);
    const fills = await page
      .locator('.glyph .disc')
      .evaluateAll((discs) => discs.map((disc) => getComputedStyle(disc).fill));
    assert.equal(new Set(fills).size, 1);
    assert.ok((await writes(page)).acknowledged > 0);
    await screenshot(page, 'steady');
  });

  it('says HTTP where P2P is cut, while writes go on, and P2P again after the heal', async () => {
    await choose(page, 'node2');
    const before = await writes(page);
    const startedAt = performance.now();
    await page.getByRole('group', { name: 'Cut' }).getByRole('button', { name: 'P2P' }).click();
    await glyph(page, 'node2').and(page.locator('[data-mode="HTTP"]')).waitFor(BUDGET);
    console.log(`click → HTTP on the badge after ${seconds(performance.now() - startedAt)} s`);
    await page.getByText('✓ proven').waitFor(BUDGET);
    await moreWrites(page, 40);
    await screenshot(page, 'p2p-cut');
    assert.deepEqual(await modes(page), ['P2P', 'HTTP', 'P2P', 'P2P', 'P2P']);
    assert.equal((await writes(page)).failed, before.failed, 'no client noticed');
    assert.equal(await page.locator('.glyph[data-group="0"]').count(), 5, 'still one state');
    await page.getByRole('button', { name: 'Heal', exact: true }).click();
    await page.locator('[data-mode="P2P"]').nth(4).waitFor(BUDGET);
  });

  it('shows two states when a line is drawn across the lattice, and one after the heal', async () => {
    await page.getByRole('button', { name: 'Partition …' }).click();
    await page.getByRole('button', { name: 'Draw it' }).click();
    const box = await page.locator('.graph').boundingBox();
    assert.ok(box !== null);
    await page.mouse.move(box.x + box.width * 0.05, box.y + box.height * 0.62);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.6, { steps: 4 });
    await page.mouse.move(box.x + box.width * 0.95, box.y + box.height * 0.62, { steps: 4 });
    await page.mouse.up();
    await page.locator('.glyph[data-group="1"]').nth(1).waitFor(BUDGET);
    await moreWrites(page, 40);
    await screenshot(page, 'partition');
    assert.deepEqual(await groups(page), ['0', '0', '1', '1', '0']);
    await page.getByRole('button', { name: 'Heal all' }).click();
    await page.locator('.glyph[data-group="0"]').nth(4).waitFor(BUDGET);
  });

  it('adds every account up to the same sum on every node', async () => {
    await page.getByRole('button', { name: 'Bank' }).click();
    const sum = page.locator('.bank-sum');
    await sum.getByText('the same on every node').waitFor(BUDGET);
    assert.match((await sum.textContent()) ?? '', /R\$\s?80,000,000\.00/);
    await screenshot(page, 'bank');
    await page.getByRole('button', { name: 'Lattice' }).click();
  });

  it('shows a killed node as gone, and started again with the colour of the others', async () => {
    await choose(page, 'node5');
    await page.getByRole('button', { name: 'Kill' }).click();
    await glyph(page, 'node5').and(page.locator('[data-condition="killed"]')).waitFor(BUDGET);
    await moreWrites(page, 20);
    await screenshot(page, 'killed');
    await page.getByRole('button', { name: 'Restart' }).click();
    await glyph(page, 'node5').and(page.locator('[data-group="0"][data-mode="P2P"]')).waitFor(BUDGET);
    assert.equal(await page.locator('.glyph[data-group="0"]').count(), 5);
  });

  it('keeps both sides of a conflict, and one value once it is settled', async () => {
    await page.getByRole('button', { name: 'Make a conflict' }).click();
    const card = page.locator('.conflict');
    await card.getByText('kept beside it').waitFor(BUDGET);
    await screenshot(page, 'conflict');
    await card.getByRole('button', { name: 'Settle it' }).click();
    await card.getByText('one value again').waitFor(BUDGET);
  });

  it('can be steered without a pointer', async () => {
    await choose(page, 'all');
    await page.locator('.node-button').first().focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('.node-button').first().getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('Tab');
    assert.match(
      (await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) ?? '',
      /^node2; mode P2P; state A/,
    );
    await page.getByRole('button', { name: 'Write …' }).press('Enter');
    await page.getByLabel('Value').fill('written by keyboard');
    await page.keyboard.press('Enter');
    await page.locator('.log').getByText('greeting was written on node1').waitFor(BUDGET);
  });

  it('says so when the lab falls silent, and goes on by itself when it is back', async () => {
    demo.child.kill('SIGSTOP');
    try {
      await page.locator('.standing').getByText('No news from the lab').waitFor(BUDGET);
    } finally {
      demo.child.kill('SIGCONT');
    }
    await page.locator('.standing').getByText('One state').waitFor(BUDGET);
    await moreWrites(page, 10);
  });

  it('hands out evidence of what happened', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download', BUDGET),
      page.getByRole('link', { name: 'Evidence' }).click(),
    ]);
    const evidence = JSON.parse(await readFile(await download.path(), 'utf8')) as {
      readonly faults: readonly { readonly proven: boolean; readonly until: number | null }[];
      readonly nodes: readonly { readonly root: { readonly signature: string } | null }[];
      readonly audit: { readonly wrong: number } | null;
    };
    assert.equal(evidence.faults.length, 3);
    assert.ok(evidence.faults.every(({ until }) => until !== null));
    assert.ok(evidence.nodes.every(({ root }) => root !== null && root.signature.length > 0));
    assert.equal(evidence.audit?.wrong, 0);
  });

  for (const theme of ['dark', 'light']) {
    for (const language of ['en', 'pt']) {
      it(`has nothing that axe complains of: ${theme}, ${language}`, async () => {
        const other = await open(`?lang=${language}&theme=${theme}`, { width: 1280, height: 720 });
        await glyphs(other).nth(4).waitFor(BUDGET);
        for (const [index, view] of ['lattice', 'bank', 'table'].entries()) {
          await other.locator('.tabs button').nth(index).click();
          await screenshot(other, `${view}-${theme}-${language}`);
          // The words of one language and the colours of the other theme were looked at with the other two pages.
          if (view === 'lattice' || (theme === 'dark') === (language === 'en'))
            assert.deepEqual(await axe(other), []);
        }
        await other.close();
      });
    }
  }

  it('fits a phone, without scrolling sideways', async () => {
    const phone = await open('?lang=pt&theme=light', { width: 390, height: 844 });
    await glyphs(phone).nth(4).waitFor(BUDGET);
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    assert.deepEqual(await axe(phone), []);
    await screenshot(phone, 'phone');
    await phone.close();
  });

  it('shows no motion to those who asked for none', async () => {
    const still = await open('?lang=en', { width: 1280, height: 720 }, 'reduce');
    await glyphs(still).nth(4).waitFor(BUDGET);
    const running = await still.evaluate(() => document.getAnimations().length);
    assert.equal(running, 0);
    await still.close();
  });

  it('had nothing to complain of in the console', () => {
    assert.deepEqual(complaints, []);
  });

  async function open(
    query: string,
    viewport: { readonly width: number; readonly height: number },
    reducedMotion: 'reduce' | 'no-preference' = 'no-preference',
  ): Promise<Page> {
    const opened = await browser.newPage({ viewport, reducedMotion });
    opened.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    opened.on('pageerror', (error) => complaints.push(error.message));
    await opened.goto(demo.url + query);
    return opened;
  }
});

function glyphs(page: Page): Locator {
  return page.locator('.glyph');
}

function glyph(page: Page, name: string): Locator {
  return page.locator(`.glyph[data-node="${name}"]`);
}

async function choose(page: Page, name: string): Promise<void> {
  await page.locator('.chips').getByRole('button', { name, exact: true }).click();
}

async function modes(page: Page): Promise<readonly (string | null)[]> {
  return glyphs(page).evaluateAll((all) => all.map((one) => one.getAttribute('data-mode')));
}

async function groups(page: Page): Promise<readonly (string | null)[]> {
  return glyphs(page).evaluateAll((all) => all.map((one) => one.getAttribute('data-group')));
}

async function writes(page: Page): Promise<{ readonly acknowledged: number; readonly failed: number }> {
  const figures = await page.locator('.figure b').allTextContents();
  const [, acknowledged = 0, failed = 0] = figures.map((text) => Number(text.replaceAll(',', '')));
  return { acknowledged, failed };
}

/** Waits until the page shows so many more acknowledged writes. */
async function moreWrites(page: Page, count: number): Promise<void> {
  const { acknowledged } = await writes(page);
  await page.waitForFunction(
    (target) => Number(document.querySelectorAll('.figure b')[1]?.textContent?.replaceAll(',', '')) >= target,
    acknowledged + count,
    BUDGET,
  );
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** Evaluated rather than added as a script, which the page's policy forbids. */
async function axe(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeCore.source);
  const result = (await page.evaluate('axe.run()')) as AxeResult;
  return result.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ''}`),
  );
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
