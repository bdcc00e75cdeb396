/** Every odd key and every shape of value goes in and comes back the same, by every way there is; what must not go in does not. */
import { createApp } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call } from './http-client.fixture.ts';
import type { Answer } from './http-client.fixture.ts';
import {
  BatchResponse,
  EntriesResponse,
  EntryResponse,
  Problem,
  VALUE_BYTES_MAX,
  WriteResponse,
} from './schemas.ts';
import { HttpServer } from './server.ts';

const ignore = (): void => undefined;
const lattice = new FakeLattice();
const server = new HttpServer({ host: '127.0.0.1', port: 0 });
server.serve(
  createApp(
    {
      api: lattice,
      metricsText: async () => '',
      logger: { error: ignore, warn: ignore, info: ignore, debug: ignore },
    },
    { apiToken: null, insecure: false },
  ),
);
let port = 0;
beforeAll(async () => {
  port = await server.listen();
});
afterAll(() => server.close());
beforeEach(() => lattice.clear());

const KEYS: readonly (readonly [name: string, key: string])[] = [
  ['one letter', 'a'],
  ['a slash', 'a/b'],
  ['only a slash', '/'],
  ['three dots', '...'],
  ['a dot and a blank', '. '],
  ['a path upwards', '../../etc/passwd'],
  ['a percent sign', '100%'],
  ['what looks encoded', '%2F'],
  ['what looks encoded twice', '%252F'],
  ['a plus', 'a+b'],
  ['a blank', ' '],
  ['blanks around', ' a '],
  ['a question mark and a hash', 'a?b#c'],
  ['separators', ';,:@&=$!*\'()[]{}<>|\\^`"~'],
  ['NUL', '\u0000'],
  ['NUL inside', 'a\u0000b'],
  ['line ends', 'a\r\nb'],
  ['a tab and DEL', '\t\u007f'],
  ['RTL text', 'שלום عالم'],
  ['an RTL override', 'abc\u202Efdc'],
  ['a zero-width joiner', '👩\u200D👩\u200D👧'],
  ['a byte order mark', '\uFEFFa'],
  ['a composed letter', 'é'],
  ['the same letter decomposed', 'e\u0301'],
  ['a noncharacter', '\uFFFF'],
  ['the replacement character', '\uFFFD'],
  ['the last code point', '\u{10FFFF}'],
  ['line separators', '\u2028\u2029'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['the name of a route', 'state'],
  ['a number', '0'],
  ['512 bytes of ASCII', 'x'.repeat(512)],
  ['512 bytes of two each', 'é'.repeat(256)],
  ['512 bytes of four each', '🔑'.repeat(128)],
];

describe.each(KEYS)('a key that is %s', (_name, key) => {
  const path = `/api/lattice/state/${encodeURIComponent(key)}`;
  /** every byte encoded, as the most careful client would */
  const wholly = `/api/lattice/state/${Buffer.from(key).toString('hex').replace(/../g, '%$&')}`;

  it('is put, read, listed and deleted under its own name', async () => {
    const put = WriteResponse.parse(await json(call(port, 'PUT', path, { body: { value: { key } } }), 201));
    expect(put.key).toBe(key);
    expect([...lattice.values.keys()]).toEqual([key]);
    for (const spelling of [path, wholly]) {
      const read = EntryResponse.parse(await json(call(port, 'GET', spelling), 200));
      expect([read.key, read.value, read.version]).toEqual([key, { key }, put.version]);
    }
    const page = EntriesResponse.parse(await json(call(port, 'GET', '/api/lattice/state?entries=1'), 200));
    expect(page.entries.map((entry) => entry.key)).toEqual([key]);
    const after = `/api/lattice/state?entries=1&after=${encodeURIComponent(key)}`;
    expect(EntriesResponse.parse(await json(call(port, 'GET', after), 200)).count).toBe(0);
    const gone = WriteResponse.parse(await json(call(port, 'DELETE', wholly), 200));
    expect(gone.key).toBe(key);
    await json(call(port, 'GET', path), 404);
  });

  it('goes through a batch', async () => {
    const body = {
      entries: [
        { key, value: key },
        { key: 'another', value: 1 },
      ],
    };
    const batch = BatchResponse.parse(await json(call(port, 'POST', '/api/lattice/state', { body }), 200));
    expect(batch.entries[0]?.key).toBe(key);
    expect(EntryResponse.parse(await json(call(port, 'GET', path), 200)).value).toBe(key);
    const remove = { entries: [{ key, delete: true }] };
    await json(call(port, 'POST', '/api/lattice/state', { body: remove }), 200);
    expect(lattice.values.has(key)).toBe(false);
  });
});

describe.each(['.', '..'])('the key %s, which URL clients take for a step', (key) => {
  const path = `/api/lattice/state/${key}`;

  it('is written in no way', async () => {
    for (const spelling of [path, `/api/lattice/state/${key.replaceAll('.', '%2E')}`]) {
      const answer = await json(call(port, 'PUT', spelling, { body: { value: 1 } }), 400);
      expect(Problem.parse(answer).type).toBe('urn:aethel:problem:invalid-key');
    }
    const entries = [
      { key: 'a', value: 1 },
      { key, value: 1 },
    ];
    await json(call(port, 'POST', '/api/lattice/state', { body: { entries } }), 400);
    expect(lattice.values.size).toBe(0);
  });

  it('is shown where a member has it, and can be deleted by every client', async () => {
    await lattice.write([{ key, value: '1' }], null, null);
    const url = `http://127.0.0.1:${port}/api/lattice/state`;
    const listed = await fetch(`${url}?entries=1`);
    expect(EntriesResponse.parse(await listed.json()).entries.map((entry) => entry.key)).toEqual([key]);
    await json(call(port, 'GET', path), 200);
    const deleted = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ entries: [{ key, delete: true }] }),
    });
    expect(deleted.status).toBe(200);
    expect(lattice.values.size).toBe(0);
  });
});

it('keeps all odd keys apart', async () => {
  const body = { entries: KEYS.map(([name, key]) => ({ key, value: name })) };
  await json(call(port, 'POST', '/api/lattice/state', { body }), 200);
  const page = EntriesResponse.parse(await json(call(port, 'GET', '/api/lattice/state?entries=1'), 200));
  expect(new Map(page.entries.map(({ key, value }) => [key, value]))).toEqual(
    new Map(KEYS.map(([name, key]) => [key, name])),
  );
});

describe.each<readonly [name: string, path: string, status: number]>([
  ['513 bytes of ASCII', 'x'.repeat(513), 400],
  ['513 bytes of mixed width', `${'%C3%A9'.repeat(256)}x`, 400],
  ['514 bytes of two each', '%C3%A9'.repeat(257), 400],
  ['a lone surrogate in UTF-8', '%ED%A0%80', 400],
  ['an overlong slash', '%C0%AF', 400],
  ['a lone continuation byte', '%80', 400],
  ['a cut code point', '%F0%9F%94', 400],
  ['beyond the last code point', '%F4%90%80%80', 400],
  ['half a percent encoding', '%4', 400],
  ['nothing', '', 404],
  ['two segments', 'a/b', 404],
  ['a trailing slash', 'a/', 404],
])('a path whose key is %s', (_name, raw, status) => {
  it.each(['GET', 'PUT', 'DELETE'])('is refused to %s', async (method) => {
    const body = method === 'PUT' ? { body: { value: 1 } } : {};
    const answer = await json(call(port, method, `/api/lattice/state/${raw}`, body), status);
    expect(Problem.parse(answer).status).toBe(status);
    expect(lattice.values.size).toBe(0);
  });
});

it.each([
  ['an empty key', '""'],
  ['a lone surrogate', '"\\ud800"'],
  ['a lone low surrogate', '"a\\udc00b"'],
  ['513 bytes', JSON.stringify('x'.repeat(513))],
  ['a number for a key', '1'],
  ['null for a key', 'null'],
])('a batch with %s is refused whole', async (_name, key) => {
  const body = `{"entries":[{"key":"good","value":1},{"key":${key},"value":1}]}`;
  await json(call(port, 'POST', '/api/lattice/state', { body }), 400);
  expect(lattice.values.size).toBe(0);
});

/** n bytes of JSON text: a string between its quotes */
const stringOf = (bytes: number): string => `"${'x'.repeat(bytes - 2)}"`;
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

const VALUES: readonly (readonly [name: string, text: string])[] = [
  ['null', 'null'],
  ['true', 'true'],
  ['false', 'false'],
  ['zero', '0'],
  ['a fraction', '-0.1'],
  ['the largest safe integer', '9007199254740991'],
  ['the largest double', '1.7976931348623157e+308'],
  ['the smallest double', '5e-324'],
  ['the empty string', '""'],
  [
    'every control character',
    JSON.stringify(String.fromCharCode(...Array.from({ length: 32 }, (_, i) => i))),
  ],
  ['astral text', '"🔑"'],
  ['the empty array', '[]'],
  ['the empty object', '{}'],
  ['an object with odd names', '{"__proto__":{"a":1},"":0,"constructor":null,"a\\u0000":[]}'],
  ['arrays in arrays', nested(120)],
  ['integer names in another order', '{"1":0,"2":0,"b":0,"a":0}'],
  ['exactly 64 KiB', stringOf(VALUE_BYTES_MAX)],
];

it.each(VALUES)('the value %s comes back as it went', async (_name, text) => {
  const path = '/api/lattice/state/k';
  await json(call(port, 'PUT', path, { body: `{"value":${text}}` }), 201);
  expect(lattice.values.get('k')?.value).toBe(text);
  const single = await call(port, 'GET', path);
  expect(single.text).toContain(`"value":${text},`);
  await json(
    call(port, 'POST', '/api/lattice/state', { body: `{"entries":[{"key":"b","value":${text}}]}` }),
    200,
  );
  const page = await call(port, 'GET', '/api/lattice/state?entries=1');
  expect(page.text.split(`"value":${text},`)).toHaveLength(3);
});

it.each<readonly [name: string, text: string, status: number]>([
  ['64 KiB + 1', stringOf(VALUE_BYTES_MAX + 1), 413],
  ['64 KiB + 1 of two-byte text', `"x${'é'.repeat((VALUE_BYTES_MAX - 2) / 2)}"`, 413],
  ['an integer that a double rounds', '9007199254740993', 400],
  ['an integer of many digits', '12345678901234567890', 400],
  ['more than the largest double', '1e309', 400],
  ['less than the smallest', '1e-400', 400],
  ['NaN', 'NaN', 400],
  ['a bare word', 'undefined', 400],
  ['a comma too many', '[1,]', 400],
  ['single quotes', "'a'", 400],
  ['a raw control character', '"\u0001"', 400],
  ['deep nesting', nested(128), 400],
])('the value %s is refused, alone and in a batch', async (_name, text, status) => {
  await json(call(port, 'PUT', '/api/lattice/state/k', { body: `{"value":${text}}` }), status);
  const body = `{"entries":[{"key":"a","value":1},{"key":"b","value":${text}}]}`;
  await json(call(port, 'POST', '/api/lattice/state', { body }), status);
  expect(lattice.values.size).toBe(0);
});

it('takes spaces and another order of names in a body, and keeps the value compact', async () => {
  await json(
    call(port, 'PUT', '/api/lattice/state/k', { body: ' { "value" : { "b" : [ 1 , 2 ] } } \n' }),
    201,
  );
  expect(lattice.values.get('k')?.value).toBe('{"b":[1,2]}');
});

async function json(answering: Promise<Answer>, status: number): Promise<unknown> {
  const answer = await answering;
  expect(`${answer.status} ${answer.text.slice(0, 300)}`).toMatch(new RegExp(`^${status} `));
  return JSON.parse(answer.text);
}
