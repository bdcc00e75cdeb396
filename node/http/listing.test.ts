import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { createApp, type AppOptions } from './app.ts';
import { cursorAfter, keyOfCursor } from './cursor.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call, eventually } from './http-client.fixture.ts';
import { EntriesResponse, Problem } from './schemas.ts';
import { HttpServer } from './server.ts';

const ODD = [
  'a%41',
  'a5',
  'aA',
  'b',
  'a b',
  'a+',
  'é',
  '🔑',
  '..',
  '.',
  '%',
  'a&b',
  'a#',
  '\u0000',
  '%zz',
  '=',
];

const servers: HttpServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('a cursor', () => {
  const key = fc.oneof(fc.constantFrom(...ODD), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }));

  it('leads back to its key, and means the same in a URL as it came', () => {
    fc.assert(
      fc.property(key, (one) => {
        const cursor = cursorAfter(one);
        expect(keyOfCursor(cursor)).toBe(one);
        expect(encodeURIComponent(cursor)).toBe(cursor);
      }),
    );
  });

  it.each([
    '',
    'a',
    'k1.',
    'k1.Y',
    'k1.YQ=',
    'k1.YQ==',
    'k1.Y Q',
    'k1.YR',
    'k2.YQ',
    'k1._w',
    'k1.YQ%',
    ODD[0],
  ])('is not %j', (text) => {
    expect(keyOfCursor(String(text))).toBeNull();
  });

  it('is refused where it is none, and says what to do', async () => {
    const { port } = await start(new FakeLattice());
    for (const cursor of ['a', 'k1.Y', `k1.${'A'.repeat(2000)}`, 'k1.YQ%3D']) {
      const answer = await call(port, 'GET', `/api/lattice/state?entries=1&cursor=${cursor}`);
      expect(answer.status).toBe(400);
      expect(Problem.parse(JSON.parse(answer.text)).detail).toMatch(/cursor/);
    }
  });

  it('shows every key exactly once to a client that puts it into the URL as it came', async () => {
    const lattice = new FakeLattice();
    const { port } = await start(lattice);
    const keys = fc.uniqueArray(key, { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 1, max: 13 }), async (all, limit) => {
        lattice.clear();
        for (const one of all) await lattice.write([{ key: one, value: '1' }], null, null);
        const seen = await listed(port, limit);
        expect(seen).toEqual(all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
      { numRuns: 150 },
    );
  });

  it('shows exactly once what is there all the while, whatever comes and goes between two pages', async () => {
    const lattice = new FakeLattice();
    const { port } = await start(lattice);
    const passing = fc.array(fc.tuple(fc.boolean(), key), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(passing, fc.integer({ min: 1, max: 5 }), async (changes, limit) => {
        lattice.clear();
        for (const one of ODD) await lattice.write([{ key: one, value: '1' }], null, null);
        const left = [...changes];
        const seen = await listed(port, limit, async () => {
          for (const [isWrite, one] of left.splice(0, 2)) {
            if (!ODD.includes(one))
              await lattice.write([{ key: one, value: isWrite ? '2' : null }], null, null);
          }
        });
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((one) => ODD.includes(one)).toSorted()).toEqual(ODD.toSorted());
      }),
      { numRuns: 60 },
    );
  });
});

describe('listings of large values', () => {
  /** more than the two sockets of a connection hold */
  const LARGE = 12_000_000;
  const KEYS = Array.from({ length: 200 }, (_, i) => `k${String(i).padStart(3, '0')}`);
  const VALUE = JSON.stringify('x'.repeat(60_000));

  it('come in pages of at most a mebibyte, of which nothing is missing', async () => {
    const lattice = filled();
    const { port } = await start(lattice);
    const bytes: number[] = [];
    expect(await listed(port, 1000, async (length) => void bytes.push(length))).toEqual(KEYS);
    expect(bytes).toHaveLength(12);
    expect(Math.max(...bytes)).toBeLessThan(1_060_000);
  });

  it('show an entry that is larger than a page alone', async () => {
    const lattice = filled();
    const { port } = await start(lattice, { pages: { pageBytesMax: 1000 } });
    const page = EntriesResponse.parse(await json(port, '/api/lattice/state?entries=1'));
    expect([page.count, page.next_cursor]).toEqual([1, cursorAfter('k000')]);
  });

  it('are built so many at a time, however many ask and however slowly they read', async () => {
    const lattice = filled();
    const pages = { pageBytesMax: LARGE, allBytesMax: 3 * LARGE, patienceMs: 60_000 };
    const { port } = await start(lattice, { pages });
    const slow = Array.from({ length: 12 }, () => asking(port));
    await eventually(() => lattice.built === 3);
    // Whoever reads lets the next one in.
    slow[0]?.resume();
    await eventually(() => lattice.built === 4);
    for (const socket of slow) socket.resume();
    await eventually(() => lattice.built === 12);
  });

  it('are not held up by readers that take nothing: those are cut off once others wait', async () => {
    const lattice = filled();
    const { port } = await start(lattice, {
      pages: { pageBytesMax: LARGE, allBytesMax: 2 * LARGE, patienceMs: 100 },
    });
    for (let i = 0; i < 4; i += 1) asking(port);
    expect(await listed(port, 1000)).toEqual(KEYS);
  });

  it('are refused with 503 when their turn does not come', async () => {
    const lattice = filled();
    const pages = { pageBytesMax: LARGE, allBytesMax: LARGE, patienceMs: 60_000, turnMaxMs: 50 };
    const { port } = await start(lattice, { pages });
    asking(port);
    await eventually(() => lattice.built === 1);
    const answer = await call(port, 'GET', '/api/lattice/state?entries=1');
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(Problem.parse(JSON.parse(answer.text)).type).toBe('urn:aethel:problem:unavailable');
  });

  it('leave no weight behind when their reader goes away', async () => {
    const lattice = filled();
    const { port } = await start(lattice, {
      pages: { pageBytesMax: LARGE, allBytesMax: LARGE, patienceMs: 60_000 },
    });
    for (let i = 1; i <= 5; i += 1) {
      const socket = asking(port);
      await eventually(() => lattice.built === i);
      socket.destroy();
    }
    expect(await listed(port, 1000)).toEqual(KEYS);
  });

  function filled(): CountingLattice {
    const lattice = new CountingLattice();
    const { peerId: author } = lattice.status();
    for (const key of KEYS)
      lattice.values.set(key, { key, value: VALUE, version: 'v', author, timestamp: 1, siblings: [] });
    return lattice;
  }
});

class CountingLattice extends FakeLattice {
  built = 0;

  override async entries(...given: Parameters<FakeLattice['entries']>): ReturnType<FakeLattice['entries']> {
    this.built += 1;
    return super.entries(...given);
  }
}

async function start(lattice: FakeLattice, options: Partial<AppOptions> = {}): Promise<HttpServer> {
  const ignore = (): void => undefined;
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const server = new HttpServer({ host: '127.0.0.1', port: 0, drainMs: 50 });
  const app = createApp(
    { api: lattice, metricsText: async () => '', logger },
    { apiToken: null, insecure: false, ...options },
  );
  server.serve(app);
  servers.push(server);
  await server.listen();
  return server;
}

/** All keys, page by page, as a client reads them that knows nothing of percent encoding. */
async function listed(
  port: number,
  limit: number,
  between: (bytes: number) => Promise<void> = async () => undefined,
): Promise<readonly string[]> {
  const keys: string[] = [];
  let more = '';
  for (;;) {
    const answer = await call(port, 'GET', `/api/lattice/state?entries=1&limit=${limit}${more}`);
    const page = EntriesResponse.parse(JSON.parse(answer.text));
    keys.push(...page.entries.map((entry) => entry.key));
    if (page.entries.length > 0) await between(answer.text.length);
    if (page.next_cursor === null) return keys;
    more = `&cursor=${page.next_cursor}`;
  }
}

/** Asks for a page and takes no more of it than a socket holds, until it is resumed. */
function asking(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET /api/lattice/state?entries=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  return socket;
}

async function json(port: number, path: string): Promise<unknown> {
  return JSON.parse((await call(port, 'GET', path)).text) as unknown;
}
