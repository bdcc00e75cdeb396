import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { EXCHANGE_BYTES_MAX, type CountBytes } from '../../ports.ts';
import {
  clockOff,
  eventsOf,
  eventually,
  nodeId,
  OTHER_KEY,
  ROOT_A,
  ROOT_B,
  World,
  type Forwarded,
  type TestLung,
} from './world.fixture.ts';

const SELF = nodeId(1);
const PEER = nodeId(2);
const OTHER = nodeId(3);

/** What was counted, by `in poll`, `out exchange`, … */
class Traffic {
  readonly bytes = new Map<string, number>();
  readonly count: CountBytes = (direction, kind, bytes) => {
    const key = `${direction} ${kind}`;
    this.bytes.set(key, (this.bytes.get(key) ?? 0) + bytes);
  };
}

describe('HttpLung', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  it('finds out which member lives behind a URL', async () => {
    const server = await world.server();
    const { lung, events } = await world.lung({ urls: [`${server.url}/`] });
    const heard = await eventually(() => eventsOf(events, 'heard')[0]);
    expect(events[0]).toEqual({ type: 'link', peer: PEER, state: 'up', address: server.url });
    expect(heard).toMatchObject({ peer: PEER, beacon: { root: ROOT_A, records: 7 } });
    expect(heard.rttMs).toBeGreaterThan(0);
    expect(lung.urlOf(PEER)).toBe(server.url);
    expect(lung.urls()).toEqual([server.url]);
    expect(server.events).toEqual([]);
    lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
    await eventually(() => eventsOf(events, 'heard')[1]);
    expect(server.events).toEqual([{ type: 'heard', peer: SELF, rttMs: null, beacon: null }]);
  });

  it('learns of third members from one that it asks, and forgets soon what leads to nobody', async () => {
    const status = {
      peers: [
        { peer_id: OTHER, url: 'http://127.0.0.1:9' },
        { peer_id: nodeId(4), url: 'http://192.0.2.1:8000' },
        { peer_id: nodeId(5), url: null },
        { peer_id: 'nobody', url: 'http://127.0.0.1:10' },
        7,
      ],
    };
    const server = await world.server({ status });
    const { lung, events } = await world.lung({ urls: [server.url], probeFirstMs: 10, probeMaxMs: 20 });
    await eventually(() => eventsOf(events, 'link')[0]);
    // What is elsewhere than on this machine cannot be reached by who sees the teller on the loopback.
    expect(await lung.membersOf(PEER)).toEqual([
      { peer: OTHER, addresses: ['http://127.0.0.1:9'] },
      { peer: nodeId(4), addresses: [] },
    ]);
    expect(await lung.membersOf(OTHER)).toBeNull();
    lung.addAddress('http://127.0.0.1:9', true);
    expect(lung.urls()).toHaveLength(2);
    await eventually(() => lung.urls().length === 1);
  });

  it('looks for a member that asks where it is seen, unless it answers already', async () => {
    const server = await world.server();
    const { port } = server.server.address() as AddressInfo;
    const { lung, events } = await world.lung({ urls: [] });
    lung.askedBy(PEER, '::ffff:127.0.0.1', port);
    await eventually(() => eventsOf(events, 'link')[0]);
    expect(lung.urlOf(PEER)).toBe(server.url);
    lung.askedBy(PEER, '127.0.0.1', 9);
    expect(lung.urls()).toEqual([server.url]);
    lung.askedBy(OTHER, '::1', 9);
    expect(lung.urls()).toEqual([server.url, 'http://[::1]:9']);
    // The next place at once would be a liar's.
    lung.askedBy(OTHER, '::1', 10);
    expect(lung.urls()).toHaveLength(2);
  });

  it('finds a member that starts later, says once that nobody answers and once that somebody does', async () => {
    const early = await world.server();
    const { port } = early.server.address() as AddressInfo;
    await new Promise((resolve) => early.server.close(resolve));
    const { events, warnings, notes } = await world.lung({ urls: [early.url] });
    await eventually(() => warnings.length > 0);
    await world.server({ port });
    await eventually(() => eventsOf(events, 'link')[0]);
    expect(warnings).toEqual(['no HTTP peer answers']);
    expect(notes).toEqual(['HTTP peers answer again']);
  });

  it('does not raise its voice for one of two that fails, nor for a single failure of the only one', async () => {
    const [first, second] = [await world.server(), await world.server({ self: OTHER })];
    let isSilent = false;
    const way = await world.proxy(second.url, (answer) => (isSilent ? null : answer));
    const { lung, events, warnings, notes } = await world.lung({ urls: [first.url, way], answerMs: 50 });
    await eventually(() => eventsOf(events, 'heard').length === 2);
    isSilent = true;
    await fail(OTHER, 6);
    await new Promise((resolve) => first.server.close(resolve).closeAllConnections());
    await fail(PEER, 2);
    expect([warnings, notes]).toEqual([[], []]);
    await fail(PEER, 2);
    await eventually(() => warnings.length > 0);
    isSilent = false;
    await eventually(() => notes.length > 0);
    expect([warnings, notes]).toEqual([['no HTTP peer answers'], ['HTTP peers answer again']]);

    async function fail(peer: typeof PEER, times: number): Promise<void> {
      for (let n = 0; n < times; n += 1) {
        const before = eventsOf(events, 'silent').length;
        lung.perform({ type: 'poll', peer, root: ROOT_A, waitMs: 0 });
        await eventually(() => eventsOf(events, 'silent').length > before);
      }
    }
  });

  it('counts what it sends and takes by what it is for, and so do the routes', async () => {
    const [asker, answerer] = [new Traffic(), new Traffic()];
    const server = await world.server({ onBytes: answerer.count });
    const { lung, events } = await world.lung({ urls: [server.url], onBytes: asker.count });
    await eventually(() => eventsOf(events, 'heard')[0]);
    lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
    await eventually(() => eventsOf(events, 'heard')[1]);
    const bytes = new Uint8Array(100_000).fill(1);
    lung.perform({ type: 'ask', peer: PEER, exchange: 1, bytes, timeoutMs: 5000 });
    await eventually(() => eventsOf(events, 'answered')[0]);
    const mirrored = (key: string): string =>
      key.replace('in', 'OUT').replace('out', 'in').replace('OUT', 'out');
    await eventually(() => answerer.bytes.size === 6);
    for (const [key, count] of asker.bytes)
      expect([key, answerer.bytes.get(mirrored(key))]).toEqual([key, count]);
    const of = (key: string): number => asker.bytes.get(key) ?? 0;
    expect([...asker.bytes.keys()].toSorted()).toEqual(
      ['exchange', 'poll', 'probe'].flatMap((kind) => [`in ${kind}`, `out ${kind}`]).toSorted(),
    );
    for (const key of ['in exchange', 'out exchange']) {
      expect(of(key)).toBeGreaterThan(100_000);
      expect(of(key)).toBeLessThan(102_000);
    }
    for (const key of ['in poll', 'out poll', 'in probe', 'out probe']) {
      expect(of(key)).toBeGreaterThan(100);
      expect(of(key)).toBeLessThan(2_000);
    }
  });

  it('takes addresses while it runs, and leaves out what is none', async () => {
    const server = await world.server();
    const { lung, events, warnings } = await world.lung();
    for (const address of ['ftp://x', 'nonsense', 'http://u:p@x/', 'http://x/?q', '/ip4/127.0.0.1/tcp/1']) {
      lung.addAddress(address);
    }
    expect(warnings).toHaveLength(5);
    lung.addAddress(server.url);
    lung.addAddress(server.url);
    await eventually(() => eventsOf(events, 'link')[0]);
    expect(lung.urls()).toEqual([server.url]);
  });

  it('leaves out its own address', async () => {
    const server = await world.server({ self: SELF });
    const { lung, events } = await world.lung({ urls: [server.url] });
    await eventually(() => lung.urls().length === 0);
    lung.addAddress(server.url);
    expect(lung.urls()).toEqual([]);
    expect(events).toEqual([]);
    expect(server.events).toEqual([]);
  });

  it('keeps one way to a member that has two addresses', async () => {
    const server = await world.server();
    const second = await world.proxy(server.url, (answer) => answer);
    const { lung, events } = await world.lung({ urls: [server.url, second] });
    await eventually(() => eventsOf(events, 'heard').length === 2);
    expect(eventsOf(events, 'link')).toHaveLength(1);
    expect(lung.urls()).toHaveLength(1);
  });

  it('takes the other address of a member when one falls silent', async () => {
    const server = await world.server();
    let isSilent = false;
    const second = await world.proxy(server.url, (answer) => (isSilent ? null : answer));
    const { lung, events } = await world.lung({ urls: [second], answerMs: 100 });
    await eventually(() => lung.urlOf(PEER) === second);
    lung.addAddress(server.url);
    await eventually(() => eventsOf(events, 'heard').length === 2);
    isSilent = true;
    for (let n = 1; n <= 3; n += 1) {
      expect(lung.isAnswering(PEER)).toBe(n === 1);
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      await eventually(() => eventsOf(events, 'silent').length === n);
    }
    await eventually(() => lung.urlOf(PEER) === server.url && lung.isAnswering(PEER));
    expect(eventsOf(events, 'link').map(({ state }) => state)).toEqual(['up', 'up']);
  });

  it('forgets a discovered address that never answers, but no configured one', async () => {
    const closed = await world.server();
    await new Promise((resolve) => closed.server.close(resolve));
    const { lung } = await world.lung({ urls: [`${closed.url}/configured`], addressForgetMs: 50 });
    lung.addAddress(closed.url);
    expect(lung.urls()).toHaveLength(2);
    await eventually(() => lung.urls().length === 1);
    expect(lung.urls()).toEqual([`${closed.url}/configured`]);
  });

  describe('polls', () => {
    it('hears the same root as 304, another one as 200', async () => {
      const { lung, events, server } = await linked();
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      const same = await eventually(() => eventsOf(events, 'heard')[1]);
      expect(same).toMatchObject({ peer: PEER, beacon: { root: ROOT_A, records: 7 } });
      expect(same.rttMs).toBeGreaterThan(0);
      server.root = ROOT_B;
      server.records = null;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      const unlike = await eventually(() => eventsOf(events, 'heard')[2]);
      expect(unlike).toMatchObject({ peer: PEER, beacon: { root: ROOT_B, records: 3 } });
    });

    it('bring the member’s wall clock as it stands, whether the root is the same or another', async () => {
      let aheadMs = 3_600_000;
      const clock = { ...clockOff(), wallMs: () => Date.now() + aheadMs };
      const server = await world.server({ clock });
      const { lung, events } = await world.lung({ urls: [server.url] });
      const aheadIn = async (n: number): Promise<number> => {
        const heard = await eventually(() => eventsOf(events, 'heard')[n]);
        return Math.round(((heard.beacon?.wallMs ?? 0) - Date.now()) / 600_000);
      };
      expect(await aheadIn(0)).toBe(6);
      aheadMs = 7_200_000;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      expect(await aheadIn(1)).toBe(12);
      aheadMs = -3_600_000;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      expect(await aheadIn(2)).toBe(-6);
    });

    it('are held until the root changes, and then say nothing of the round trip', async () => {
      const { lung, events, server } = await linked();
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 10_000 });
      await eventually(() => server.events.length === 1);
      server.root = ROOT_B;
      const heard = await eventually(() => eventsOf(events, 'heard')[1]);
      expect(heard).toEqual({
        type: 'heard',
        peer: PEER,
        rttMs: null,
        beacon: {
          root: ROOT_B,
          records: 7,
          wallMs: expect.any(Number),
          isWatching: false,
          isResting: false,
          isHealing: false,
          vector: null,
        },
      });
    });

    it('are held no longer than asked', async () => {
      const { lung, events } = await linked();
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 50 });
      const heard = await eventually(() => eventsOf(events, 'heard')[1]);
      expect(heard).toMatchObject({ rttMs: null, beacon: { root: ROOT_A } });
    });

    it('replace one another in silence', async () => {
      const { lung, events, server } = await linked();
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 30_000 });
      await eventually(() => server.held === 1);
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      await eventually(() => server.held === 0);
      await eventually(() => eventsOf(events, 'heard')[1]);
      expect(eventsOf(events, 'silent')).toEqual([]);
    });

    it('notice a black hole by their own limit', async () => {
      let isHole = false;
      const { lung, events } = await linked((answer) => (isHole ? null : answer), { answerMs: 100 });
      isHole = true;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      const silent = await eventually(() => eventsOf(events, 'silent')[0]);
      expect(silent).toEqual({ type: 'silent', peer: PEER, reason: 'timeout' });
    });

    it('of an unknown member are silent', async () => {
      const { lung, events } = await linked();
      lung.perform({ type: 'poll', peer: OTHER, root: ROOT_A, waitMs: 0 });
      const silent = await eventually(() => eventsOf(events, 'silent')[0]);
      expect(silent).toEqual({ type: 'silent', peer: OTHER, reason: 'no address known' });
    });

    it('survive that the other side closed a kept-alive socket', async () => {
      const { lung, events, server } = await linked();
      for (let n = 2; n <= 6; n += 1) {
        server.server.closeIdleConnections();
        lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
        await eventually(() => eventsOf(events, 'heard').length === n);
      }
      expect(eventsOf(events, 'silent')).toEqual([]);
    });

    it('go on after a reset', async () => {
      const { lung, events } = await linked();
      lung.perform({ type: 'reset', peer: PEER });
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      await eventually(() => eventsOf(events, 'heard')[1]);
    });

    it('refuse an answer that is too large or no state', async () => {
      const { lung, events, server } = await linked();
      server.padding = 'x'.repeat(100_000);
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      const silent = await eventually(() => eventsOf(events, 'silent')[0]);
      expect(silent.reason).toMatch(/maxContentLength/);
      server.padding = '';
      server.root = 'not a root' as typeof ROOT_A;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      await eventually(() => eventsOf(events, 'silent')[1]?.reason === 'an answer that is no state');
    });
  });

  describe('exchanges', () => {
    it('carry a message there and its answer back', async () => {
      const { lung, events, server } = await linked();
      lung.perform({ type: 'ask', peer: PEER, exchange: 5, bytes: Uint8Array.of(1, 2, 3), timeoutMs: 5000 });
      const answered = await eventually(() => eventsOf(events, 'answered')[0]);
      expect(answered).toMatchObject({ peer: PEER, exchange: 5 });
      expect(Uint8Array.from(answered.bytes)).toEqual(Uint8Array.of(3, 2, 1));
      const asked = eventsOf(server.events, 'asked')[0];
      expect(asked?.peer).toBe(SELF);
    });

    it('carry the largest message and no larger one', async () => {
      const { lung, events } = await linked();
      const bytes = new Uint8Array(EXCHANGE_BYTES_MAX).fill(7);
      lung.perform({ type: 'ask', peer: PEER, exchange: 1, bytes, timeoutMs: 10_000 });
      const answered = await eventually(() => eventsOf(events, 'answered')[0]);
      expect(answered.bytes.length).toBe(EXCHANGE_BYTES_MAX);
      lung.perform({
        type: 'ask',
        peer: PEER,
        exchange: 2,
        bytes: new Uint8Array(EXCHANGE_BYTES_MAX + 1),
        timeoutMs: 10_000,
      });
      const unanswered = await eventually(() => eventsOf(events, 'unanswered')[0]);
      expect(unanswered).toMatchObject({ exchange: 2 });
    });

    it('go unanswered when the member refuses, is unknown or is too slow', async () => {
      const { lung, events, server } = await linked();
      const ask = (exchange: number, peer = PEER): void =>
        lung.perform({ type: 'ask', peer, exchange, bytes: Uint8Array.of(1), timeoutMs: 200 });
      server.onAsked = ({ answer }) => answer(null);
      ask(1);
      await eventually(() => eventsOf(events, 'unanswered').length === 1);
      ask(2, OTHER);
      server.onAsked = () => undefined;
      ask(3);
      await eventually(() => eventsOf(events, 'unanswered').length === 3);
      expect(eventsOf(events, 'unanswered').map(({ exchange, reason }) => [exchange, reason])).toEqual([
        [1, 'answered 422'],
        [2, 'no address known'],
        [3, 'timeout'],
      ]);
    });

    it('are not for this lung when they are gossip', async () => {
      const { lung } = await linked();
      expect(() => lung.perform({ type: 'publish', bytes: new Uint8Array(0) })).toThrow(/cannot publish/);
    });
  });

  describe('trust', () => {
    it('does not grow between holders of different keys, on either side', async () => {
      const server = await world.server({ key: OTHER_KEY });
      const { events } = await world.lung({ urls: [server.url] });
      await eventually(() => eventsOf(server.events, 'refused').length >= 3);
      expect(new Set(server.events.map(({ type }) => type))).toEqual(new Set(['refused']));
      expect(events).toEqual([
        { type: 'refused', peer: null, what: 'peer', reason: expect.stringContaining('without a member') },
      ]);
    });

    it('is not given to a server that does not sign', async () => {
      const url = await world.serve(
        createServer((_request, response) => {
          response.setHeader('aethel-member', PEER);
          response.setHeader('aethel-mac', '0'.repeat(64));
          response.end(JSON.stringify({ success: true, merkle_root: ROOT_A, state_size: 1 }));
        }),
      );
      const { events } = await world.lung({ urls: [url] });
      await eventually(() => events.length > 0);
      expect(events).toEqual([
        { type: 'refused', peer: null, what: 'peer', reason: expect.stringContaining('without a right MAC') },
      ]);
    });

    it.each<[string, (answer: Forwarded) => Forwarded]>([
      ['its body', (a) => ({ ...a, body: Buffer.from(a.body.toString().replaceAll('aa', 'bb')) })],
      ['its status', (a) => ({ ...a, status: 203 })],
      ['its tag', (a) => ({ ...a, headers: { ...a.headers, etag: `"${ROOT_B}"` } })],
      ['its count of records', (a) => ({ ...a, headers: { ...a.headers, 'aethel-records': '9999' } })],
      ['its time', (a) => ({ ...a, headers: { ...a.headers, 'aethel-wall': '1' } })],
      ['the name of its sender', (a) => ({ ...a, headers: { ...a.headers, 'aethel-member': OTHER } })],
    ])('ends where somebody between changed %s', async (_what, tamper) => {
      const server = await world.server();
      const url = await world.proxy(server.url, tamper);
      const { events } = await world.lung({ urls: [url] });
      await eventually(() => events.length > 0);
      expect(events).toEqual([
        { type: 'refused', peer: null, what: 'peer', reason: expect.stringContaining('without a right MAC') },
      ]);
    });

    it('is not given to an answer to another request', async () => {
      let first: Forwarded | null = null;
      const { lung, events } = await linked((answer) => {
        first ??= answer;
        return first;
      });
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      const silent = await eventually(() => eventsOf(events, 'silent')[0]);
      expect(silent.reason).toMatch(/without a right MAC/);
    });

    it('survives clocks that are days apart', async () => {
      const server = await world.server({ clock: clockOff(3 * 86_400_000) });
      const { lung, events } = await world.lung({ urls: [server.url] });
      await eventually(() => eventsOf(events, 'heard')[0]);
      lung.perform({ type: 'ask', peer: PEER, exchange: 1, bytes: Uint8Array.of(1), timeoutMs: 5000 });
      await eventually(() => eventsOf(events, 'answered')[0]);
      expect(eventsOf(server.events, 'refused')).toEqual([]);
      expect(eventsOf(events, 'refused')).toEqual([]);
    });

    it('moves with the member when another one answers at its address', async () => {
      const first = await world.server();
      const second = await world.server({ self: OTHER });
      let target = first.url;
      const url = await world.proxy(
        () => target,
        (answer) => answer,
      );
      const { lung, events } = await world.lung({ urls: [url] });
      await eventually(() => lung.urlOf(PEER) === url);
      target = second.url;
      events.length = 0;
      lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 0 });
      await eventually(() => lung.urlOf(OTHER) === url);
      await eventually(() => eventsOf(events, 'silent')[0]);
      await eventually(() => eventsOf(events, 'heard')[0]);
      expect(events).toMatchObject([
        { type: 'silent', peer: PEER, reason: 'another member answered' },
        { type: 'link', peer: PEER, state: 'down' },
        { type: 'link', peer: OTHER, state: 'up', address: url },
        { type: 'heard', peer: OTHER, beacon: { root: ROOT_A } },
      ]);
      expect(second.events).toMatchObject([{ type: 'refused', peer: SELF, what: 'message' }]);
      expect(lung.urlOf(PEER)).toBeNull();
    });
  });

  it('never breaks on what a server may answer', async () => {
    const replies = new Map<string, Buffer>();
    const served = new Set<string>();
    const garbage = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (request) => {
        const path = /^GET (\/[0-9]+)\//.exec(request.toString('latin1'))?.[1] ?? '';
        served.add(path);
        socket.end(replies.get(path) ?? '');
      });
    });
    garbage.listen(0, '127.0.0.1');
    await once(garbage, 'listening');
    const url = `http://127.0.0.1:${(garbage.address() as AddressInfo).port}`;
    const { lung, events } = await world.lung({ answerMs: 200, probeMaxMs: 1000 });
    const line = fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.1 304 Not Modified',
      'HTTP/1.1 401 No',
      'HTTP/1.1 302 Found',
      'HTTP/1.1 999 ?',
      `aethel-member: ${PEER}`,
      'aethel-mac: 00',
      'location: http://127.0.0.1:1/',
      'content-length: 5',
      'content-length: -1',
      'transfer-encoding: chunked',
      'content-encoding: gzip',
      '',
      '{"merkle_root":1}',
    );
    const text = fc.array(fc.oneof({ weight: 3, arbitrary: line }, fc.string()), { maxLength: 8 });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      text.map((lines) => Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}`)),
    );
    let n = 0;
    await fc.assert(
      fc.asyncProperty(bytes, async (answer) => {
        n += 1;
        const path = `/${n}`;
        replies.set(path, answer);
        lung.addAddress(url + path);
        await eventually(() => served.has(path));
      }),
      { numRuns: 100 },
    );
    await lung.stop();
    await new Promise((resolve) => garbage.close(resolve));
    expect(events.filter(({ type }) => type !== 'refused')).toEqual([]);
  });

  it('leaves nothing behind when it stops', async () => {
    const { lung, events, server } = await linked();
    lung.addAddress('http://127.0.0.1:9');
    lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 10_000 });
    await eventually(() => server.events.length === 1);
    const before = events.length;
    await lung.stop();
    await lung.stop();
    lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
    await new Promise((resolve) => server.server.close(resolve));
    expect(events).toHaveLength(before);
    let answer: Uint8Array | null | undefined;
    lung.sink({ type: 'asked', peer: PEER, bytes: Uint8Array.of(1), answer: (bytes) => (answer = bytes) });
    expect(answer).toBeNull();
  });

  type Linked = TestLung & { readonly server: Awaited<ReturnType<World['server']>> };

  async function linked(
    tamper: ((answer: Forwarded) => Forwarded | null) | null = null,
    options: { readonly answerMs?: number } = {},
  ): Promise<Linked> {
    const server = await world.server();
    const url = tamper === null ? server.url : await world.proxy(server.url, tamper);
    const lung = await world.lung({ urls: [url], ...options });
    await eventually(() => eventsOf(lung.events, 'heard')[0]);
    return { ...lung, server };
  }
});
