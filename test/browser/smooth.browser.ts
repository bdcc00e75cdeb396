/**
 * Fifty nodes at twenty events a second each, in a real browser: what the page's frames take is printed; what is judged is
 * that the page keeps up: it shows what was sent last, and has no queue that grows. The nodes are made up: it is the page
 * that is looked at.
 */
/* oxlint-disable typescript/no-floating-promises -- node:test keeps the promises of its tests itself */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { buildPage } from '../../dashboard/build.ts';
import type { RoomEvent } from '../../dashboard/room/model.ts';
import { emptyRoom, reduceRoom } from '../../dashboard/room/reduce.ts';
import { Feed } from '../../chaos/demo/room/feed.ts';
import { loopbackHosts } from '../../chaos/demo/room/guard.ts';
import { listenOn, roomApp } from '../../chaos/demo/room/server.ts';
import type { RoomServer } from '../../chaos/demo/room/server.ts';
import type { Browser } from 'playwright-core';
import { launchChromium, NO_CHROMIUM, screenshot } from './chromium.ts';

const NODES = 50;
const EVENTS_PER_NODE = 20;
const WATCHED_MS = 10_000;
const BUDGET = { timeout: 60_000 };

describe('the page of fifty busy nodes', { skip: NO_CHROMIUM }, () => {
  let server: RoomServer;
  let browser: Browser;
  let view = emptyRoom(Date.now(), 'processes');
  const feed = new Feed(() => view);
  const apply = (event: RoomEvent): void => {
    view = reduceRoom(view, event);
    feed.append(event);
  };
  const names = Array.from({ length: NODES }, (_, index) => `node${index + 1}`);
  let sent = 0;
  let timer: NodeJS.Timeout;

  before(async () => {
    let hosts: readonly string[] = [];
    const desk = { execute: async () => undefined, evidence: async () => null };
    const page = await buildPage();
    server = await listenOn(
      roomApp({ page, feed, desk }, () => ({ token: 'token', hosts })),
      '127.0.0.1',
      [0],
    );
    hosts = loopbackHosts(server.port);
    for (const event of names.flatMap(introduction)) apply(event);
    browser = await launchChromium();
    // As many as are due, however late the timer is.
    const startedAt = performance.now();
    timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1000) * NODES * EVENTS_PER_NODE;
      for (; sent < due; sent += 1) apply(happening(sent));
    }, 20);
  });
  after(async () => {
    clearInterval(timer);
    await browser?.close();
    feed.close();
    await server?.close();
  });

  it('keeps up', async (test) => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    await page.goto(`http://127.0.0.1:${server.port}/?lang=en&theme=dark`);
    await page
      .locator('.glyph')
      .nth(NODES - 1)
      .waitFor(BUDGET);
    const frames = await page.evaluate(
      (ms) =>
        new Promise<readonly number[]>((resolve) => {
          const times: number[] = [];
          const end = performance.now() + ms;
          const look = (now: number): void => {
            times.push(now);
            if (now < end) requestAnimationFrame(look);
            else resolve(times);
          };
          requestAnimationFrame(look);
        }),
      WATCHED_MS,
    );
    const gaps = frames
      .slice(1)
      .map((time, index) => time - (frames[index] ?? time))
      .toSorted((a, b) => a - b);
    const at = (share: number): string => (gaps[Math.floor(gaps.length * share)] ?? 0).toFixed(1);
    test.diagnostic(
      `${sent} events sent; ${frames.length} frames in ${WATCHED_MS / 1000} s, between two: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(0.9999)} ms`,
    );
    await screenshot(page, 'fifty-nodes');
    // What is acknowledged now is shown soon, although a thousand other things go on happening every second.
    const target = view.cluster.writes.acknowledged;
    await page.waitForFunction(
      (count) => Number(document.querySelectorAll('.figure b')[1]?.textContent?.replaceAll(',', '')) >= count,
      target,
      { timeout: 10_000 },
    );
    assert.ok(gaps.length > 10);
  });

  function introduction(name: string): readonly RoomEvent[] {
    const peers = names
      .filter((other) => other !== name)
      .map((other) => ({ peer_id: other, p2p: { state: 'alive' }, http: { state: 'alive' } }) as const);
    const status = {
      peer_id: name,
      sync_mode: 'P2P',
      forced_mode: null,
      merkle_root: rootOf(0),
      state_size: 0,
      peers,
    } as const;
    return [
      { type: 'node', at: Date.now(), node: name, url: 'http://127.0.0.1:1' },
      { type: 'status', at: Date.now(), node: name, status },
    ];
  }

  /** A write somewhere, or a new root somewhere: what a busy cluster tells. */
  function happening(count: number): RoomEvent {
    const node = names[count % NODES] ?? '';
    const at = Date.now();
    if (count % 5 === 0) return { type: 'write', at, node, outcome: 'acknowledged' };
    const event = { type: 'root', root: rootOf(count), size: count, cause: 'gossip' } as const;
    return { type: 'lattice', at, node, dated: { id: count + 1, at, event } };
  }
});

/** The same for all nodes of one round. */
function rootOf(count: number): never {
  return createHash('sha256')
    .update(String(Math.floor(count / NODES)))
    .digest('hex') as never;
}
