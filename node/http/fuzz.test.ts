import fc from 'fast-check';
import { createApp } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call } from './http-client.fixture.ts';
import type { Answer } from './http-client.fixture.ts';
import { isExactNumber } from './json-scan.ts';
import { CALLS, statusesOf } from './openapi.ts';
import { Problem } from './schemas.ts';
import { HttpServer } from './server.ts';

const ignore = (): void => undefined;

/** An extension that does nothing still sends every request the long way. */
function serverOf(lattice: FakeLattice, way: 'short' | 'long'): HttpServer {
  const app = createApp(
    {
      api: lattice,
      metricsText: async () => '',
      logger: { error: ignore, warn: ignore, info: ignore, debug: ignore },
      extensions: way === 'short' ? [] : [(_request, _response, next) => next()],
    },
    { apiToken: null, insecure: false, waitMaxMs: 5 },
  );
  const server = new HttpServer({ host: '127.0.0.1', port: 0 });
  server.serve(app);
  return server;
}

const lattice = new FakeLattice();
const twin = new FakeLattice();
const servers = [serverOf(lattice, 'short'), serverOf(twin, 'long')] as const;
let port = 0;
let longPort = 0;
beforeAll(async () => {
  port = await servers[0].listen();
  longPort = await servers[1].listen();
});
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** Anything that may stand in a request line. */
const pathText = fc
  .array(
    fc.constantFrom(
      'a',
      '/',
      '%2F',
      '%',
      '%ff',
      '%00',
      '..',
      '?',
      '&',
      '=',
      'w=1',
      'w=all',
      'timeout_ms=5',
      'proof=1',
      'wait=0.001',
      'entries=1',
      '__proto__',
      ';',
      '+',
      "'",
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));
const path = fc
  .tuple(
    fc.constantFrom(
      '/',
      '/health',
      '/ready',
      '/metrics',
      '/openapi.json',
      '/api/lattice/state',
      '/api/lattice/state/',
      '/api/lattice/nodes',
      '/api/lattice/p2p/status',
      '/api/lattice/sync/switch',
      '/api/lattice/sync/switch?mode=http',
    ),
    pathText,
  )
  .map(([base, rest]) => base + rest);
const json = fc.oneof(
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify({ value })),
  fc
    .array(fc.record({ key: fc.string({ unit: 'binary', maxLength: 5 }), value: fc.jsonValue() }))
    .map((entries) => JSON.stringify({ entries })),
  fc.string({ unit: 'binary' }),
);
const body = fc.oneof(json, fc.uint8Array({ maxLength: 50 }), fc.constant(undefined));
const headers = fc.dictionary(
  fc.constantFrom(
    'If-Match',
    'If-None-Match',
    'Content-Type',
    'Origin',
    'Authorization',
    'Range',
    'Accept',
    'Content-Encoding',
    'X-Forwarded-For',
    'Cookie',
    'X-HTTP-Method-Override',
    'Idempotency-Key',
  ),
  fc.oneof(
    fc.constantFrom('*', '"v1"', 'W/"v1"', 'application/json', 'gzip', 'null'),
    fc.stringMatching(/^[!-~]{0,20}$/),
  ),
  { maxKeys: 3 },
);
const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND');

it('never fails inside, answers every refusal with a problem, and changes nothing when it refuses', async () => {
  await fc.assert(
    fc.asyncProperty(method, path, headers, body, async (verb, target, extra, content) => {
      const before = lattice.root();
      const forced = lattice.status().forcedMode;
      const answer = await call(port, verb, target, { headers: extra, body: content });
      expect(expectedStatuses(verb, target)).toContain(answer.status);
      if (answer.status < 400) return;
      expect(answer.status).toBeLessThan(500);
      expect(lattice.root()).toBe(before);
      expect(lattice.status().forcedMode).toBe(forced);
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      if (verb !== 'HEAD') expect(Problem.parse(JSON.parse(answer.text)).status).toBe(answer.status);
    }),
    { numRuns: 600 },
  );
});

it('answers the same on the short way as on the long way', async () => {
  await fc.assert(
    fc.asyncProperty(method, path, headers, body, async (verb, target, extra, content) => {
      const sent = { headers: extra, body: content };
      lattice.clear();
      twin.clear();
      const [short, long] = await Promise.all([
        call(port, verb, target, sent),
        call(longPort, verb, target, sent),
      ]);
      expect(comparable(short)).toEqual(comparable(long));
      expect(lattice.root()).toBe(twin.root());
    }),
    { numRuns: 400 },
  );
});

it('gives back every value that it takes, exactly', async () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
      value,
      async (key, wanted) => {
        fc.pre(key.isWellFormed() && key !== '.' && key !== '..');
        const target = `/api/lattice/state/${encodeURIComponent(key)}`;
        const text = JSON.stringify(wanted);
        expect((await call(port, 'PUT', target, { body: `{"value":${text}}` })).status).toBeLessThan(300);
        const read = await call(port, 'GET', target);
        const answer = JSON.parse(read.text) as { key: string };
        expect(answer.key).toBe(key);
        expect(read.text).toContain(`"value":${text},`);
      },
    ),
    { numRuns: 200 },
  );
});

it('takes every double and every safe integer for exact, and no integer that a double rounds', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => isExactNumber(JSON.stringify(n))),
  );
  fc.assert(fc.property(fc.maxSafeInteger(), (n) => isExactNumber(`${n}.000`) && isExactNumber(`${n}e0`)));
  fc.assert(
    fc.property(fc.bigInt(), (n) => isExactNumber(`${n}`) === (BigInt(Number(n)) === n && sameDigits(n))),
  );
});

/** What the OpenAPI document promises; HEAD as GET, OPTIONS always 204, another method 405, no such path 404. */
function expectedStatuses(verb: string, target: string): readonly number[] {
  const path = target.split('?', 1)[0] ?? '';
  const isKey = /^\/api\/lattice\/state\/[^/]+$/.test(path);
  const known = CALLS.filter((call) => call.path === path || (isKey && call.path.endsWith('{key}')));
  if (known.length === 0) return [404];
  const documented = known.find((call) => call.method === (verb === 'HEAD' ? 'get' : verb.toLowerCase()));
  // A path with broken encoding is refused before its method is looked at.
  if (documented === undefined) return isKey ? [204, 405, 400] : [204, 405];
  return statusesOf(documented);
}

/** An answer without what differs by time. */
function comparable({ status, headers, text }: Answer): unknown {
  const { date: _, ...rest } = headers;
  const timeless = text.replace(/"(timestamp|at)":\d+/g, '');
  return { status, headers: { ...rest, 'content-length': timeless.length }, text: timeless };
}

/** Writing a large double gives the shortest digits that read back the same, which may not be its own. */
function sameDigits(n: bigint): boolean {
  const [digits = '', exponent = '0'] = String(Number(n)).replace('-', '').split('e+');
  const [whole = '', fraction = ''] = digits.split('.');
  const written = (whole + fraction).padEnd(Number(exponent) + 1, '0');
  return written === String(n).replace('-', '');
}
