import { readSse } from '../../../dashboard/sse.ts';
import type { SseMessage } from '../../../dashboard/sse.ts';
import type { RoomEvent, RoomView } from '../../../dashboard/room/model.ts';
import { emptyRoom, reduceRoom } from '../../../dashboard/room/reduce.ts';
import { Feed } from './feed.ts';
import type { FeedOptions, Listener } from './feed.ts';

describe('the feed of the control room', () => {
  it('gives a newcomer a snapshot, then events, several to a message', async () => {
    const { feed, say } = room();
    say('before');
    const page = new Page();
    feed.connect(page, undefined);
    say('one');
    say('two');
    feed.flush();
    expect((await page.messages()).map(({ name }) => name)).toEqual(['snapshot', 'events']);
    expect(await page.details()).toEqual(['before', 'one', 'two']);
  });

  it('gives one that comes back exactly what it missed', async () => {
    const { feed, say } = room();
    const first = new Page();
    feed.connect(first, undefined);
    say('one');
    feed.flush();
    first.leave();
    say('two');
    say('three');
    feed.flush();
    const again = new Page();
    feed.connect(again, await first.lastId());
    expect((await again.messages()).map(({ name }) => name)).toEqual(['events']);
    expect(await again.details()).toEqual(['two', 'three']);
  });

  it.each([
    ['another session', 'ffffffffffff-1'],
    ['a number that was never given', 'unknown'],
    ['nonsense', '\u0000'],
  ])('starts anew for an id of %s', async (_, id) => {
    const { feed, say } = room();
    say('one');
    const page = new Page();
    feed.connect(page, id);
    expect((await page.messages()).map(({ name }) => name)).toEqual(['snapshot']);
  });

  it('starts anew for one that was away longer than the ring remembers', async () => {
    const { feed, say } = room({ kept: 10 });
    const first = new Page();
    feed.connect(first, undefined);
    feed.flush();
    first.leave();
    for (let i = 0; i < 50; i += 1) say(String(i));
    const again = new Page();
    feed.connect(again, await first.lastId());
    expect((await again.messages()).map(({ name }) => name)).toEqual(['snapshot']);
  });

  it('keeps nothing for a page that does not read, and brings it up to date when it does', async () => {
    const { feed, say, view } = room({ kept: 10 });
    const slow = new Page();
    feed.connect(slow, undefined);
    slow.isFull = true;
    say('fills the socket');
    feed.flush();
    for (let i = 0; i < 100; i += 1) {
      say(String(i));
      feed.flush();
    }
    expect((await slow.messages()).map(({ name }) => name)).toEqual(['snapshot', 'events']);
    slow.isFull = false;
    slow.drain();
    expect((await slow.messages()).map(({ name }) => name)).toEqual(['snapshot', 'events', 'snapshot']);
    expect(JSON.parse((await slow.messages()).at(-1)?.data ?? '')).toEqual(view());
  });

  it('turns away more pages than it can serve, and takes one when another has left', () => {
    const { feed } = room({ listenersMax: 1 });
    const first = new Page();
    expect(feed.connect(first, undefined)).toBe(true);
    expect(feed.connect(new Page(), undefined)).toBe(false);
    first.leave();
    expect(feed.connect(new Page(), undefined)).toBe(true);
  });
});

function room(options: FeedOptions = {}): {
  readonly feed: Feed;
  readonly say: (detail: string) => void;
  readonly view: () => RoomView;
} {
  let view = emptyRoom(0, 'processes');
  const feed = new Feed(() => view, { gatherMs: 1_000_000, ...options });
  const say = (detail: string): void => {
    const event: RoomEvent = { type: 'fact', at: 0, fact: { type: 'trouble', detail } };
    view = reduceRoom(view, event);
    feed.append(event);
  };
  return { feed, say, view: () => view };
}

class Page implements Listener {
  isFull = false;
  readonly #heard: { drain: (() => void)[]; close: (() => void)[] } = { drain: [], close: [] };
  #text = '';

  write(text: string): boolean {
    this.#text += text;
    return !this.isFull;
  }

  on(event: 'drain' | 'close', heard: () => void): void {
    this.#heard[event].push(heard);
  }

  destroy(): void {
    this.leave();
  }

  drain(): void {
    for (const heard of this.#heard.drain) heard();
  }

  leave(): void {
    for (const heard of this.#heard.close) heard();
  }

  async messages(): Promise<readonly SseMessage[]> {
    const text = this.#text;
    const chunks = (async function* () {
      yield new TextEncoder().encode(text);
    })();
    const messages: SseMessage[] = [];
    for await (const message of readSse(chunks)) messages.push(message);
    return messages;
  }

  async lastId(): Promise<string> {
    return [...this.#text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }

  /** what was told, whichever way it came */
  async details(): Promise<readonly string[]> {
    const details: string[] = [];
    for (const { name, data } of await this.messages()) {
      const parsed: unknown = JSON.parse(data);
      const facts =
        name === 'snapshot'
          ? (parsed as RoomView).log.map(({ fact }) => fact)
          : (parsed as readonly Extract<RoomEvent, { type: 'fact' }>[]).map(({ fact }) => fact);
      for (const fact of facts) if (fact.type === 'trouble') details.push(fact.detail);
    }
    return details;
  }
}
