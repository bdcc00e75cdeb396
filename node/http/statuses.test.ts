import { connect } from 'node:net';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call, eventually } from './http-client.fixture.ts';
import type { CallOptions } from './http-client.fixture.ts';
import { CALLS, openApiDocument, statusesOf } from './openapi.ts';
import type { Call } from './openapi.ts';
import { Problem } from './schemas.ts';
import { HttpServer } from './server.ts';

const KEY = '/api/lattice/state/k';
const BIG = 'x'.repeat(1_100_000);

/** How to make a call end with a status; the rest of the request is a good one. */
interface Way {
  readonly options?: Partial<AppOptions>;
  readonly query?: string;
  readonly more?: CallOptions;
  /** before the call */
  readonly given?: (lattice: FakeLattice) => void;
  /** the same call with this query and these headers, before */
  readonly before?: { readonly query: string; readonly headers: Readonly<Record<string, string>> };
}

const ROOT = new FakeLattice().root();
const put = { value: 1 };
const batch = { entries: [{ key: 'a', value: 1 }] };

const ONCE = { 'Idempotency-Key': '"once"' };
const present = (lattice: FakeLattice): void => {
  void lattice.write([{ key: 'k', value: '1' }], null, null);
};

/** What every write may come to. */
const WRITES: Readonly<Record<number, Way>> = {
  401: { options: { apiToken: 'secret' } },
  422: { given: present, before: { query: '?w=1', headers: ONCE }, more: { headers: ONCE } },
  403: { more: { headers: { Origin: 'https://evil.example' } } },
  500: { given: (lattice) => (lattice.failure = new TypeError('a bug')) },
  503: { given: (lattice) => (lattice.outcome = { ok: false, reason: 'members', reachable: 1, need: 2 }) },
  504: {
    query: '?w=2&timeout_ms=10',
    given: (lattice) => (lattice.outcome = { ok: false, reason: 'acks', acks: 1, need: 2 }),
  },
  507: { given: (lattice) => (lattice.failure = named('StorageFailedError', 'ENOSPC')) },
};
const INTERNAL: Readonly<Record<number, Way>> = {
  500: { given: (lattice) => (lattice.broken = new TypeError('a bug')) },
};
const READS: Readonly<Record<number, Way>> = {
  ...INTERNAL,
  503: { given: (lattice) => (lattice.broken = named('NodeHealingError', 'healing')) },
  507: { given: (lattice) => (lattice.broken = named('StorageFailedError', 'ENOSPC')) },
};
const MISMATCH: Way = { given: present, more: { headers: { 'If-Match': '"other"' } } };

/** By method and path as documented, then by status; what holds for every call is in `always`. */
const WAYS: Readonly<Record<string, Readonly<Record<number, Way>>>> = {
  'get /health': { 200: {} },
  'get /ready': { 200: {}, 503: { given: (lattice) => (lattice.reasons = ['no lung']) }, ...INTERNAL },
  'get /api/lattice/p2p/status': { 200: {}, ...INTERNAL },
  'get /api/lattice/p2p/identity': { 200: {}, ...INTERNAL },
  'get /api/lattice/nodes': { 200: {}, ...INTERNAL },
  'get /api/lattice/state': {
    200: {},
    304: { more: { headers: { 'If-None-Match': `"${ROOT}"` } } },
    ...READS,
  },
  'post /api/lattice/state': {
    200: { more: { body: batch } },
    404: { more: { body: { entries: [{ key: 'none', delete: true }] } } },
    413: { more: { body: BIG } },
    415: { more: { body: batch, headers: { 'Content-Type': 'text/plain' } } },
    ...withBody(WRITES, batch),
  },
  'get /api/lattice/state/{key}': {
    200: { given: present, query: '?proof=1' },
    304: { given: present, more: { headers: { 'If-None-Match': '*' } } },
    404: {},
    412: MISMATCH,
    ...READS,
  },
  'put /api/lattice/state/{key}': {
    200: { given: present, more: { body: put } },
    201: { more: { body: put } },
    412: { ...MISMATCH, more: { ...MISMATCH.more, body: put } },
    413: { more: { body: BIG } },
    415: { more: { body: put, headers: { 'Content-Encoding': 'gzip' } } },
    ...withBody(WRITES, put),
  },
  'delete /api/lattice/state/{key}': { 200: { given: present }, 404: {}, 412: MISMATCH, ...WRITES },
  'post /api/lattice/sync/switch': {
    200: { query: '?mode=auto' },
    401: { query: '?mode=auto', options: { apiToken: 'secret' } },
    403: { query: '?mode=auto', more: { headers: { Origin: 'https://evil.example' } } },
    500: { query: '?mode=auto', given: (lattice) => (lattice.broken = new TypeError('a bug')) },
  },
  'get /api/lattice/events': { 200: {}, 503: { options: { streamsMax: 0 } }, ...INTERNAL },
  'get /metrics': { 200: {}, ...INTERNAL },
  'get /openapi.json': { 200: {} },
};

const always = [400, 408, 417, 431];
/** Answered while the node starts as well. */
const EARLY: readonly string[] = ['get /health', 'get /ready'];

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe.each(CALLS.map((one) => [`${one.method} ${one.path}`, one] as const))('%s', (name, one) => {
  it('documents what it is known to answer, and nothing else', () => {
    const known = [...Object.keys(WAYS[name] ?? {}).map(Number), ...always];
    if (!EARLY.includes(name)) known.push(503);
    expect(statusesOf(one)).toEqual([...new Set(known)].sort((a, b) => a - b));
  });

  it.each(Object.entries(WAYS[name] ?? {}))('is answered %s', async (status, way) => {
    const lattice = new FakeLattice();
    const port = await start(lattice, way.options);
    way.given?.(lattice);
    if (one.path === '/api/lattice/events' && status === '200') {
      expect(await firstLine(port, requestText(one))).toMatch(/^HTTP\/1\.1 200 /);
      return;
    }
    const method = one.method.toUpperCase();
    if (way.before !== undefined) {
      const { query, headers } = way.before;
      expect((await call(port, method, pathOf(one) + query, { ...way.more, headers })).status).toBeLessThan(
        300,
      );
    }
    const answer = await call(port, method, pathOf(one) + (way.query ?? ''), way.more);
    expect(`${answer.status} ${answer.text}`).toMatch(new RegExp(`^${status} `));
    if (Number(status) >= 400 && name !== 'get /ready') {
      expect(Problem.parse(JSON.parse(answer.text)).status).toBe(Number(status));
    }
  });

  it('is answered while the node starts', async () => {
    const server = newServer();
    const port = await server.listen();
    const answer = await call(port, one.method.toUpperCase(), pathOf(one));
    expect(answer.status).toBe(name === 'get /health' ? 200 : 503);
    if (EARLY.includes(name)) return;
    expect(Problem.parse(JSON.parse(answer.text)).type).toBe('urn:aethel:problem:starting');
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('is answered 400, 417, 431 and 408 before its path counts for anything', async () => {
    const port = await start(new FakeLattice());
    const method = one.method.toUpperCase();
    const body = one.body === undefined ? {} : { body: '{' };
    expect((await call(port, method, `${pathOf(one)}?unknown=1`, body)).status).toBe(400);
    expect((await call(port, method, pathOf(one), { headers: { Expect: 'tea' } })).status).toBe(417);
    const long = { headers: { 'X-Long': 'x'.repeat(20_000) } };
    expect((await call(port, method, pathOf(one), long)).status).toBe(431);
    const unfinished = requestText(one).slice(0, -2);
    expect(await firstLine(port, unfinished)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

it('is a whole OpenAPI 3.1 document: every response says what it is, every schema is resolved', () => {
  const document = openApiDocument() as {
    readonly openapi: string;
    readonly paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(operations).toHaveLength(CALLS.length);
  for (const { responses } of operations) {
    expect(Object.keys(responses)).not.toContain('default');
    for (const { description } of Object.values(responses)) expect(description).not.toBe('');
  }
  expect(JSON.stringify(document)).not.toContain('"$ref":"#/$defs');
});

function withBody(ways: Readonly<Record<number, Way>>, body: unknown): Readonly<Record<number, Way>> {
  return Object.fromEntries(
    Object.entries(ways).map(([status, way]) => [status, { ...way, more: { ...way.more, body } }]),
  );
}

async function start(lattice: FakeLattice, options: Partial<AppOptions> = {}): Promise<number> {
  const ignore = (): void => undefined;
  const app = createApp(
    {
      api: lattice,
      metricsText: async () => {
        if (lattice.broken !== null) throw lattice.broken;
        return '';
      },
      logger: { error: ignore, warn: ignore, info: ignore, debug: ignore },
    },
    { apiToken: null, insecure: false, ...options },
  );
  const server = newServer();
  server.serve(app);
  return await server.listen();
}

function newServer(): HttpServer {
  const server = new HttpServer({ host: '127.0.0.1', port: 0, requestTimeoutMs: 300 });
  servers.push(server);
  return server;
}

function pathOf({ path }: Call): string {
  return path.replace('/api/lattice/state/{key}', KEY);
}

function requestText(one: Call): string {
  return `${one.method.toUpperCase()} ${pathOf(one)} HTTP/1.1\r\nHost: x\r\n\r\n`;
}

async function firstLine(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let got = '';
  socket.on('data', (chunk) => (got += String(chunk)));
  socket.on('error', () => undefined);
  socket.write(text);
  await eventually(() => got.includes('\r\n'));
  socket.destroy();
  return got.split('\r\n', 1)[0] ?? '';
}

function named(name: string, code: string): Error {
  const error = Object.assign(new Error(code), { code });
  error.name = name;
  return error;
}
