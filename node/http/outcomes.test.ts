/** What a writer is told: enough to know whether a write was its own, what it replaced, and how far a condition reached. */
import { createApp, type AppOptions } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call, eventually, type Answer, type CallOptions } from './http-client.fixture.ts';
import {
  BatchResponse,
  NothingToDeleteProblem,
  PreconditionProblem,
  Problem,
  VALUE_BYTES_MAX,
  WriteResponse,
} from './schemas.ts';
import { HttpServer } from './server.ts';

const KEY = '/api/lattice/state/k';
const BATCH = '/api/lattice/state';
const put = (value: unknown, headers = {}): CallOptions => ({ body: { value }, headers });

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('a write whose answer was lost', () => {
  it('is told by 412 who wrote what is there, and when', async () => {
    const { send, lattice } = await start();
    const first = String((await send('PUT', KEY, put(1))).headers.etag);
    const again = { 'If-Match': first };
    const done = WriteResponse.parse(await json(send('PUT', KEY, put(2, again)), 200));
    const refused = PreconditionProblem.parse(await json(send('PUT', KEY, put(2, again)), 412));
    expect(refused.version).toBe(done.version);
    const { peerId: author } = lattice.status();
    expect(refused.current).toEqual({ version: done.version, author, timestamp: 1, deleted: false });
  });

  it('is told by 404 which delete was there before', async () => {
    const { send, lattice } = await start();
    await send('PUT', KEY, put(1));
    const done = WriteResponse.parse(await json(send('DELETE', KEY), 200));
    const refused = NothingToDeleteProblem.parse(await json(send('DELETE', KEY), 404));
    const { peerId: author } = lattice.status();
    expect(refused.current).toEqual({ version: done.version, author, timestamp: 1, deleted: true });
    const never = NothingToDeleteProblem.parse(await json(send('DELETE', `${KEY}2`), 404));
    expect([never.key, never.current]).toEqual(['k2', null]);
  });

  it.each<[string, string, CallOptions]>([
    ['PUT', KEY, { body: { value: 2 }, headers: { 'If-Match': '"v1"' } }],
    ['DELETE', KEY, {}],
    ['POST', BATCH, { body: { entries: [{ key: 'k', delete: true }] } }],
  ])('is answered as it was, and done once, with an Idempotency-Key: %s', async (method, path, options) => {
    const { send, lattice } = await start();
    await send('PUT', KEY, put(1));
    const request = { ...options, headers: { ...options.headers, 'Idempotency-Key': '"7c1f"' } };
    const first = await send(method, path, request);
    const root = lattice.root();
    const second = await send(method, path, request);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.text).toBe(first.text);
    expect(second.headers.etag).toBe(first.headers.etag);
    expect([first, second].map(({ headers }) => headers['idempotency-replayed'])).toEqual([
      undefined,
      'true',
    ]);
    expect(lattice.root()).toBe(root);
    expect(lattice.demands).toHaveLength(2);
  });
});

describe('an Idempotency-Key', () => {
  const once = { 'Idempotency-Key': 'abc' };

  it('stands for one request: another one with it is 422 and does nothing', async () => {
    const { send, lattice } = await start();
    await send('PUT', KEY, put(1, once));
    const root = lattice.root();
    for (const other of [
      send('PUT', KEY, put(2, once)),
      send('PUT', `${KEY}2`, put(1, once)),
      send('PUT', `${KEY}?w=1`, put(1, once)),
      send('PUT', KEY, put(1, { ...once, 'If-Match': '*' })),
      send('DELETE', KEY, { headers: once }),
    ]) {
      expect(Problem.parse(await json(other, 422)).type).toBe('urn:aethel:problem:idempotency-key-reused');
    }
    expect(lattice.root()).toBe(root);
  });

  it('waits for the same request that is under way', async () => {
    const { send, lattice } = await start();
    const { promise, resolve } = Promise.withResolvers<void>();
    const write = lattice.write.bind(lattice);
    let writes = 0;
    lattice.write = async (...given) => {
      writes += 1;
      await promise;
      return write(...given);
    };
    const both = [send('PUT', KEY, put(1, once)), send('PUT', KEY, put(1, once))];
    await eventually(() => writes === 1);
    resolve();
    const [first, second] = await Promise.all(both);
    expect([first?.status, second?.status, second?.text]).toEqual([201, 201, first?.text]);
    expect(writes).toBe(1);
  });

  it('is free again where nothing was written, and kept where it was, though too few have it', async () => {
    const { send, lattice } = await start();
    lattice.outcome = { ok: false, reason: 'members', reachable: 1, need: 2 };
    expect((await send('PUT', KEY, put(1, once))).status).toBe(503);
    lattice.outcome = { ok: false, reason: 'acks', acks: 1, need: 2 };
    expect((await send('PUT', KEY, put(1, once))).status).toBe(504);
    lattice.outcome = null;
    expect((await send('PUT', KEY, put(1, once))).status).toBe(504);
    expect(lattice.demands).toHaveLength(2);
  });

  it('is forgotten in time, by number and by bytes, the oldest first', async () => {
    const replays = { keysMax: 2 };
    const { send } = await start({ replays });
    for (const key of ['1', '2', '3']) await send('PUT', KEY, put(1, { 'Idempotency-Key': key }));
    const replayed = async (key: string): Promise<unknown> =>
      (await send('PUT', KEY, put(1, { 'Idempotency-Key': key }))).headers['idempotency-replayed'];
    expect([await replayed('3'), await replayed('2'), await replayed('1')]).toEqual([
      'true',
      'true',
      undefined,
    ]);
    const small = await start({ replays: { bytesMax: 1 } });
    await small.send('PUT', KEY, put(1, once));
    expect((await small.send('PUT', KEY, put(1, once))).status).toBe(200);
    const brief = await start({ replays: { windowMs: 0 } });
    await brief.send('PUT', KEY, put(1, once));
    expect((await brief.send('PUT', KEY, put(1, once))).status).toBe(200);
  });

  it.each(['', '"', '"a', 'a b', 'a, b', '"a"b"', 'é', 'x'.repeat(256)])('is not %j', async (key) => {
    const { send, lattice } = await start();
    expect((await send('PUT', KEY, put(1, { 'Idempotency-Key': key }))).status).toBe(400);
    expect(lattice.values.size).toBe(0);
  });
});

describe('a batch with a delete of what is not there', () => {
  it.each([
    [[{ key: 'none', delete: true }], 0],
    [
      [
        { key: 'a', value: 1 },
        { key: 'none', delete: true },
      ],
      1,
    ],
    [
      [
        { key: 'k', delete: true },
        { key: 'none', delete: true },
        { key: 'a', value: 1 },
      ],
      1,
    ],
  ])('is 404, names the key, and writes nothing: %j', async (entries, index) => {
    const { send, lattice } = await start();
    await send('PUT', KEY, put(1));
    const root = lattice.root();
    const problem = NothingToDeleteProblem.parse(await json(send('POST', BATCH, { body: { entries } }), 404));
    expect([problem.key, problem.index, problem.current]).toEqual(['none', index, null]);
    expect(problem.detail).toMatch(/"none".*Nothing of the batch was written/);
    expect(lattice.root()).toBe(root);
  });
});

describe('a write over a conflict', () => {
  const VALUES = ['"mine"', null, '{"a":-0}'];

  it.each(['PUT', 'DELETE'])('says what it replaced: %s', async (method) => {
    const { send } = await inConflict(VALUES);
    const options = method === 'PUT' ? put(1) : {};
    const { replaced } = WriteResponse.parse(await json(send(method, KEY, options), 200));
    expect(replaced?.map(({ version, value, deleted }) => [version, value, deleted])).toEqual([
      ['w0', 'mine', false],
      ['w1', null, true],
      ['w2', { a: -0 }, false],
    ]);
  });

  it('says so in a batch, for the one entry', async () => {
    const { send } = await inConflict(VALUES);
    const body = {
      entries: [
        { key: 'k', value: 1 },
        { key: 'l', value: 1 },
      ],
    };
    const { entries } = BatchResponse.parse(await json(send('POST', BATCH, { body }), 200));
    expect(entries.map(({ replaced }) => replaced?.length)).toEqual([3, undefined]);
  });

  it('shows values up to the size of one, and the others without', async () => {
    const large = JSON.stringify('x'.repeat(VALUE_BYTES_MAX / 2));
    const { send } = await inConflict([large, large, '1']);
    const { replaced } = WriteResponse.parse(await json(send('PUT', KEY, put(1)), 200));
    expect(replaced?.map((one) => 'value' in one)).toEqual([true, false, false]);
  });

  it('is silent where there was none', async () => {
    const { send } = await start();
    for (const _ of [1, 2]) expect((await send('PUT', KEY, put(1))).text).not.toContain('replaced');
  });

  async function inConflict(values: readonly (string | null)[]) {
    const started = await start();
    const { peerId: author } = started.lattice.status();
    const [winner, ...siblings] = values.map((value, i) => ({
      value,
      version: `w${i}`,
      author,
      timestamp: i,
    }));
    if (winner !== undefined) started.lattice.values.set('k', { key: 'k', ...winner, siblings });
    return started;
  }
});

describe('a condition', () => {
  it('is said to reach no further than this node, in the answer and in the problem', async () => {
    const { send } = await start();
    const fresh = { 'If-None-Match': '*' };
    expect(WriteResponse.parse(await json(send('PUT', KEY, put(1, fresh)), 201)).condition).toBe('local');
    expect(PreconditionProblem.parse(await json(send('PUT', KEY, put(1, fresh)), 412)).condition).toBe(
      'local',
    );
    expect((await send('PUT', KEY, put(1))).text).not.toContain('condition');
    const document = JSON.stringify(await json(send('GET', '/openapi.json'), 200));
    expect(document).toMatch(/two nodes may both take `If-None-Match: \*`/);
  });

  it('on a weak tag never holds, and says why', async () => {
    const { send } = await start();
    const tag = String((await send('PUT', KEY, put(1))).headers.etag);
    for (const tags of [`W/${tag}`, `"x", W/${tag}`, `W/"x",W/${tag}`]) {
      for (const request of [
        send('PUT', KEY, put(2, { 'If-Match': tags })),
        send('GET', KEY, { headers: { 'If-Match': tags } }),
      ])
        expect(Problem.parse(await json(request, 412)).detail).toMatch(/weak tag .* never matches.*13\.1\.1/);
    }
    const strong = Problem.parse(await json(send('PUT', KEY, put(2, { 'If-Match': '"aW/"' })), 412));
    expect(strong.detail).not.toMatch(/weak/);
    expect((await send('PUT', KEY, put(2, { 'If-Match': `W/"x", ${tag}` }))).status).toBe(200);
  });
});

async function json(answer: Promise<Answer>, status: number): Promise<unknown> {
  const { status: got, text } = await answer;
  expect(`${got} ${text}`).toMatch(new RegExp(`^${status} `));
  return JSON.parse(text) as unknown;
}

async function start(options: Partial<AppOptions> = {}) {
  const ignore = (): void => undefined;
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const lattice = new FakeLattice();
  const server = new HttpServer({ host: '127.0.0.1', port: 0 });
  servers.push(server);
  server.serve(
    createApp(
      { api: lattice, metricsText: async () => '', logger },
      { apiToken: null, insecure: false, ...options },
    ),
  );
  const port = await server.listen();
  const send = (method: string, path: string, more?: CallOptions): Promise<Answer> =>
    call(port, method, path, more);
  return { lattice, send };
}
