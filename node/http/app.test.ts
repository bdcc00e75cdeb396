import { connect } from 'node:net';
import type { z } from 'zod';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call, eventually } from './http-client.fixture.ts';
import type { Answer, CallOptions } from './http-client.fixture.ts';
import type { AckDemand, WriteOutcome } from '../protocol/border.ts';
import {
  AbsentProblem,
  BatchResponse,
  EntriesResponse,
  EntryResponse,
  EventEnvelope,
  HealthResponse,
  IdentityResponse,
  NodesResponse,
  Problem,
  ReadyResponse,
  StateResponse,
  StatusResponse,
  SwitchResponse,
  TooFewAcksProblem,
  WriteResponse,
} from './schemas.ts';
import { HttpServer } from './server.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('what the node says of itself', () => {
  it('answers every read in the shape of the contract', async () => {
    const { get } = await start();
    expect(parse(HealthResponse, await get('/health')).status).toBe('healthy');
    expect(parse(ReadyResponse, await get('/ready')).reasons).toEqual([]);
    const status = parse(StatusResponse, await get('/api/lattice/p2p/status'));
    expect(status).toMatchObject({ sync_mode: 'P2P', peer_count: 1, has_peers: true, forced_mode: null });
    expect(parse(IdentityResponse, await get('/api/lattice/p2p/identity')).peer_id).toBe(status.peer_id);
    expect(parse(NodesResponse, await get('/api/lattice/nodes')).count).toBe(1);
    expect((await get('/metrics')).text).toBe('aethel_up 1\n');
    expect(JSON.parse((await get('/openapi.json')).text)).toMatchObject({ openapi: '3.1.0' });
  });

  it('is not ready while there are reasons, and says them', async () => {
    const { get, lattice } = await start();
    lattice.reasons = ['clock 90 s ahead'];
    const answer = await get('/ready');
    expect(answer.status).toBe(503);
    expect(ReadyResponse.parse(JSON.parse(answer.text)).reasons).toEqual(['clock 90 s ahead']);
    lattice.reasons = [];
    lattice.told = ['HTTP reaches no member'];
    // Whoever serves is ready, whatever there is to look at.
    expect(parse(ReadyResponse, await get('/ready')).warnings).toEqual(['HTTP reaches no member']);
    lattice.told = [];
  });

  it('switches lungs for the operator', async () => {
    const { send, lattice } = await start();
    const forced = parse(SwitchResponse, await send('POST', '/api/lattice/sync/switch?mode=http'));
    expect(forced).toEqual({ success: true, forced_mode: 'HTTP', sync_mode: 'HTTP' });
    await send('POST', '/api/lattice/sync/switch?mode=auto');
    expect(lattice.status().forcedMode).toBeNull();
    expectProblem(await send('POST', '/api/lattice/sync/switch?mode=radio'), 400, /p2p, http or auto/);
    expectProblem(await send('POST', '/api/lattice/sync/switch'), 400);
  });

  it('documents no route that it has not', async () => {
    const { get, send } = await start();
    const { paths } = JSON.parse((await get('/openapi.json')).text) as { paths: Record<string, object> };
    for (const [path, calls] of Object.entries(paths)) {
      const { headers } = await send('OPTIONS', path.replace('{key}', 'k'));
      const allowed = String(headers.allow).toLowerCase().split(', ');
      expect(allowed).toEqual(expect.arrayContaining(Object.keys(calls)));
    }
  });
});

describe('keys', () => {
  it('creates with 201, replaces with 200, reads back what was written', async () => {
    const { send, get } = await start();
    const value = { a: [1, 2.5, 'é', null], b: { c: true } };
    const created = await send('PUT', '/api/lattice/state/a', { body: { value } });
    expect(created.status).toBe(201);
    const written = WriteResponse.parse(JSON.parse(created.text));
    expect(created.headers.etag).toBe(`"${written.version}"`);
    expect(written.acks).toBe(1);
    expect((await send('PUT', '/api/lattice/state/a?w=1', { body: { value } })).status).toBe(200);
    const entry = parse(EntryResponse, await get('/api/lattice/state/a'));
    expect(entry.value).toEqual(value);
    expect(entry.conflict).toBe(false);
  });

  it.each([
    'a/b',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'ключ 🔑',
    '...',
    '%',
    'a?b#c',
    ' ',
    '\u0000',
  ])('takes %j for just a key', async (key) => {
    const { send, get, lattice } = await start();
    const path = `/api/lattice/state/${encodeURIComponent(key)}`;
    expect((await send('PUT', path, { body: { value: 1 } })).status).toBe(201);
    expect([...lattice.values.keys()]).toEqual([key]);
    expect(parse(EntryResponse, await get(path)).key).toBe(key);
    expect((await send('DELETE', path)).status).toBe(200);
  });

  it('keeps a value with __proto__ as it came', async () => {
    const { send, get } = await start();
    const text = '{"value":{"__proto__":{"admin":true}}}';
    expect((await send('PUT', '/api/lattice/state/k', { body: text })).status).toBe(201);
    expect((await get('/api/lattice/state/k')).text).toContain('"value":{"__proto__":{"admin":true}}');
  });

  it('shows a conflict with its siblings', async () => {
    const { get, lattice } = await start();
    const author = lattice.status().peerId;
    const siblings = [{ value: null, version: 'v0', author, timestamp: 1 }];
    lattice.values.set('k', {
      key: 'k',
      value: '12345678901234567890',
      version: 'v9',
      author,
      timestamp: 2,
      siblings,
    });
    const answer = await get('/api/lattice/state/k');
    const entry = parse(EntryResponse, answer);
    expect(entry.conflict).toBe(true);
    expect(entry.siblings).toEqual([{ value: null, deleted: true, version: 'v0', author, timestamp: 1 }]);
    expect(answer.text).toContain('"value":12345678901234567890');
  });

  it.each(['/openapi.json', '/health', '/api/lattice/nodes'])(
    'knows no tag of %s, and no condition on it',
    async (path) => {
      const { send } = await start();
      const answer = await send('GET', path, { headers: { 'If-None-Match': '*' } });
      expect(answer.status).toBe(200);
    },
  );

  it('honours conditions, and says the version that is there', async () => {
    const { send, get } = await start();
    const path = '/api/lattice/state/k';
    const first = await send('PUT', path, { body: { value: 1 }, headers: { 'If-None-Match': '*' } });
    expect(first.status).toBe(201);
    const tag = String(first.headers.etag);
    const again = await send('PUT', path, { body: { value: 2 }, headers: { 'If-None-Match': '*' } });
    expectProblem(again, 412);
    expect(JSON.parse(again.text)).toMatchObject({ version: tag.slice(1, -1) });
    expectProblem(await send('PUT', path, { body: { value: 2 }, headers: { 'If-Match': '"old"' } }), 412);
    expectProblem(await send('PUT', path, { body: { value: 2 }, headers: { 'If-Match': `W/${tag}` } }), 412);
    expectProblem(await send('PUT', path, { body: { value: 2 }, headers: { 'If-Match': 'old' } }), 400);
    expect((await get(path, { headers: { 'If-None-Match': `"x", W/${tag}` } })).status).toBe(304);
    expect((await get(path, { headers: { 'If-None-Match': tag, 'Cache-Control': 'no-cache' } })).status).toBe(
      304,
    );
    expect(
      (await send('PUT', path, { body: { value: 2 }, headers: { 'If-Match': `"x", ${tag}` } })).status,
    ).toBe(200);
  });

  it('answers 404 for a key without a value, reading or deleting', async () => {
    const { send, get } = await start();
    expectProblem(await get('/api/lattice/state/none'), 404);
    expectProblem(await send('DELETE', '/api/lattice/state/none'), 404);
  });

  it('reads with If-Match only the version asked for', async () => {
    const { send, get } = await start();
    const path = '/api/lattice/state/k';
    const tag = String((await send('PUT', path, { body: { value: 1 } })).headers.etag);
    expect((await get(path, { headers: { 'If-Match': tag } })).status).toBe(200);
    expectProblem(await get(path, { headers: { 'If-Match': '"other"', 'If-None-Match': tag } }), 412);
  });

  it.each([
    ['*', [201, 412]],
    ['"other"', [201, 200]],
    ['"with,comma", "other"', [201, 200]],
    [', "other" ,, ', [201, 200]],
    ['"v1"', [201, 412]],
    ['W/"v1"', [201, 412]],
    ['"other",W/"v1"', [201, 412]],
    ['"v1', [400, 400]],
    ['*, "v1"', [400, 400]],
    ['v1', [400, 400]],
    ['w/"v1"', [400, 400]],
    [Array.from({ length: 65 }, () => '"a"').join(','), [400, 400]],
  ])('takes If-None-Match: %s as RFC 9110 does', async (tags, statuses) => {
    const { send } = await start();
    const put = { body: { value: 1 }, headers: { 'If-None-Match': tags } };
    const first = await send('PUT', '/api/lattice/state/k', put);
    const second = await send('PUT', '/api/lattice/state/k', put);
    expect([first.status, second.status]).toEqual(statuses);
  });

  it('looks at conditions only where the request would succeed without them', async () => {
    const { send, get } = await start();
    expectProblem(await send('DELETE', '/api/lattice/state/none', { headers: { 'If-Match': '"v1"' } }), 404);
    expectProblem(await get('/api/lattice/state/none', { headers: { 'If-Match': '"v1"' } }), 404);
  });

  it('refuses a condition on a batch rather than ignore it', async () => {
    const { send, lattice } = await start();
    const body = { entries: [{ key: 'a', value: 1 }] };
    for (const name of ['If-Match', 'If-None-Match']) {
      expectProblem(await send('POST', '/api/lattice/state', { body, headers: { [name]: '*' } }), 400);
    }
    expect(lattice.values.size).toBe(0);
  });

  it('tells the siblings of a delete that won, and lists no value for it', async () => {
    const { get, lattice } = await start();
    const author = lattice.status().peerId;
    const siblings = [{ value: '[1]', version: 'v1', author, timestamp: 1 }];
    lattice.values.set('k', { key: 'k', value: null, version: 'v2', author, timestamp: 2, siblings });
    const answer = await get('/api/lattice/state/k');
    expectProblem(answer, 404, /deleted/);
    expect(AbsentProblem.parse(JSON.parse(answer.text))).toMatchObject({
      conflict: true,
      siblings: [{ value: [1], deleted: false, version: 'v1', author, timestamp: 1 }],
    });
    expect(parse(EntriesResponse, await get('/api/lattice/state?entries=1')).entries).toEqual([]);
  });
});

describe('proofs', () => {
  it('come with the value, without a tag that would outlive their root', async () => {
    const { send, get } = await start();
    const tag = String((await send('PUT', '/api/lattice/state/k', { body: { value: 1 } })).headers.etag);
    const answer = await get('/api/lattice/state/k?proof=1', { headers: { 'If-None-Match': tag } });
    const entry = parse(EntryResponse, answer);
    expect(entry.value).toBe(1);
    expect(entry.proof).toMatchObject({ key: 'k', path: { entries: [{}] } });
    expect(answer.headers.etag).toBeUndefined();
    expect(parse(EntryResponse, await get('/api/lattice/state/k?proof=0')).proof).toBeUndefined();
  });

  it('come with the absence of a value as well', async () => {
    const { get } = await start();
    const answer = await get('/api/lattice/state/none?proof=1');
    expectProblem(answer, 404);
    const { proof } = AbsentProblem.parse(JSON.parse(answer.text));
    expect(proof).toMatchObject({ key: 'none', path: { entries: [] } });
  });

  it.each(['proof=2', 'proof=', 'proof', 'proof=1&proof=1'])('are not asked for by %s', async (query) => {
    const { get } = await start();
    expectProblem(await get(`/api/lattice/state/k?${query}`), 400);
  });
});

describe('acknowledgements', () => {
  it.each<readonly [string, AckDemand | null]>([
    ['', null],
    ['?w=1', null],
    ['?w=1&timeout_ms=60000', null],
    ['?w=2', { need: 2, timeoutMs: 5000 }],
    ['?w=majority', { need: 'majority', timeoutMs: 5000 }],
    ['?w=all&timeout_ms=1', { need: 'all', timeoutMs: 1 }],
    ['?timeout_ms=60000&w=9999', { need: 9999, timeoutMs: 60_000 }],
  ])('are asked of the node as the query %j says', async (query, demand) => {
    const { send, lattice } = await start();
    const one = { body: { value: 1 } };
    expect((await send('PUT', `/api/lattice/state/k${query}`, one)).status).toBe(201);
    const batch = { body: { entries: [{ key: 'a', value: 1 }] } };
    expect((await send('POST', `/api/lattice/state${query}`, batch)).status).toBe(200);
    expect((await send('DELETE', `/api/lattice/state/k${query}`)).status).toBe(200);
    expect(lattice.demands).toEqual([demand, demand, demand]);
  });

  it.each([
    'w=0',
    'w=-1',
    'w=01',
    'w=1.5',
    'w=10000',
    'w=most',
    'w=',
    'w=Majority',
    'timeout_ms=0',
    'timeout_ms=60001',
    'timeout_ms=-1',
    'timeout_ms=1e3',
    'timeout_ms=',
  ])('are not asked for by %s', async (query) => {
    const { send, lattice } = await start();
    for (const [method, path, body] of [
      ['PUT', '/api/lattice/state/k', { value: 1 }],
      ['POST', '/api/lattice/state', { entries: [{ key: 'a', value: 1 }] }],
      ['DELETE', '/api/lattice/state/k', undefined],
    ] as const) {
      expectProblem(await send(method, `${path}?${query}`, { body }), 400, /Query/);
    }
    expect(lattice.demands).toEqual([]);
  });

  it('that do not come in time are 504, and say that the write stands', async () => {
    const { send, lattice } = await start();
    const root = lattice.root();
    lattice.outcome = { ok: false, reason: 'acks', acks: 2, need: 3 };
    const answer = await send('PUT', '/api/lattice/state/k?w=3&timeout_ms=10', { body: { value: 1 } });
    expectProblem(answer, 504);
    expect(TooFewAcksProblem.parse(JSON.parse(answer.text))).toMatchObject({
      accepted: true,
      acks: 2,
      need: 3,
      merkle_root: root,
    });
  });

  it.each<readonly [string, Extract<WriteOutcome, { ok: false }>, number, object]>([
    [
      'too few members',
      { ok: false, reason: 'members', reachable: 2, need: 3 },
      503,
      { type: 'urn:aethel:problem:too-few-members', reachable: 2, need: 3, accepted: false },
    ],
    [
      'a bad clock',
      { ok: false, reason: 'clock', detail: '90 s ahead of 3 members' },
      503,
      { type: 'urn:aethel:problem:bad-clock', accepted: false },
    ],
    [
      'an identity in use elsewhere',
      { ok: false, reason: 'twin', detail: 'another live process has it' },
      503,
      { type: 'urn:aethel:problem:identity-in-use', accepted: false },
    ],
    ['no legal record', { ok: false, reason: 'invalid', detail: 'x' }, 400, {}],
  ])(
    'are not waited for with %s: nothing is written, and that is said',
    async (_name, outcome, status, said) => {
      const { send, lattice } = await start();
      lattice.outcome = outcome;
      const answer = await send('DELETE', '/api/lattice/state/k');
      expectProblem(answer, status);
      expect(JSON.parse(answer.text)).toMatchObject(said);
    },
  );
});

describe('bad input', () => {
  const put = '/api/lattice/state/k';
  const cases: readonly [string, number, string, string, CallOptions][] = [
    ['malformed JSON', 400, 'PUT', put, { body: '{"value":' }],
    ['an empty body', 400, 'PUT', put, { body: '' }],
    ['no body', 415, 'PUT', put, {}],
    ['broken UTF-8', 400, 'PUT', put, { body: Buffer.from('7b2276616c7565223a22ff227d', 'hex') }],
    ['a byte order mark', 400, 'PUT', put, { body: '\ufeff{"value":1}' }],
    ['another content type', 415, 'PUT', put, { body: 'value=1', headers: { 'Content-Type': 'text/plain' } }],
    [
      'another charset',
      415,
      'PUT',
      put,
      { body: '{}', headers: { 'Content-Type': 'application/json; charset=utf-16' } },
    ],
    ['a compressed body', 415, 'PUT', put, { body: '{}', headers: { 'Content-Encoding': 'gzip' } }],
    ['no value', 400, 'PUT', put, { body: {} }],
    ['an unknown field', 400, 'PUT', put, { body: { value: 1, valeu: 2 } }],
    ['__proto__ as a field', 400, 'PUT', put, { body: '{"value":1,"__proto__":{"x":1}}' }],
    ['an array', 400, 'PUT', put, { body: [] }],
    ['a number that a double cannot hold', 400, 'PUT', put, { body: '{"value":[12345678901234567890]}' }],
    ['deep nesting', 400, 'PUT', put, { body: `{"value":${'['.repeat(5000)}${']'.repeat(5000)}}` }],
    ['a value above 64 KiB', 413, 'PUT', put, { body: { value: 'x'.repeat(65_535) } }],
    ['a body above the limit', 413, 'PUT', put, { body: { value: 'x'.repeat(1_100_000) } }],
    ['a key of 513 bytes', 400, 'PUT', `/api/lattice/state/${'%C3%A9'.repeat(256)}x`, { body: { value: 1 } }],
    ['percent encoding that is no UTF-8', 400, 'PUT', '/api/lattice/state/%ff', { body: { value: 1 } }],
    ['an encoded lone surrogate', 400, 'PUT', '/api/lattice/state/%ED%A0%80', { body: { value: 1 } }],
    ['half a percent sign', 400, 'GET', '/api/lattice/state/%', {}],
    [
      'a lone surrogate in a batch',
      400,
      'POST',
      '/api/lattice/state',
      { body: '{"entries":[{"key":"\\ud800","value":1}]}' },
    ],
    ['an empty batch', 400, 'POST', '/api/lattice/state', { body: { entries: [] } }],
    [
      'a key twice in a batch',
      400,
      'POST',
      '/api/lattice/state',
      {
        body: {
          entries: [
            { key: 'a', value: 1 },
            { key: 'a', value: 2 },
          ],
        },
      },
    ],
    [
      'value and delete at once',
      400,
      'POST',
      '/api/lattice/state',
      { body: { entries: [{ key: 'a', value: 1, delete: true }] } },
    ],
    [
      'a batch of 1001',
      400,
      'POST',
      '/api/lattice/state',
      { body: { entries: Array.from({ length: 1001 }, (_, i) => ({ key: `${i}`, value: i })) } },
    ],
    ['an unknown parameter', 400, 'PUT', `${put}?W=1`, { body: { value: 1 } }],
    ['a parameter twice', 400, 'PUT', `${put}?w=1&w=1`, { body: { value: 1 } }],
    ['a broken parameter', 400, 'GET', '/api/lattice/state?cursor=%ff&entries=1', {}],
    ['a wait of 31 seconds', 400, 'GET', '/api/lattice/state?wait=31', {}],
    ['a negative wait', 400, 'GET', '/api/lattice/state?wait=-1', {}],
    ['a cursor without entries', 400, 'GET', '/api/lattice/state?cursor=k1.YQ', {}],
    ['a key without entries', 400, 'GET', '/api/lattice/state?after=a', {}],
    ['a cursor and a key', 400, 'GET', '/api/lattice/state?entries=1&cursor=k1.YQ&after=a', {}],
    ['a limit of 0', 400, 'GET', '/api/lattice/state?entries=1&limit=0', {}],
    ['a broken condition', 400, 'GET', '/api/lattice/state', { headers: { 'If-None-Match': '"open' } }],
    ['an unknown route', 404, 'GET', '/api/lattice', {}],
    ['an empty key', 404, 'GET', '/api/lattice/state/', {}],
    ['a slash in the path of a key', 404, 'PUT', '/api/lattice/state/a/b', { body: { value: 1 } }],
    ['a wrong method', 405, 'PATCH', put, {}],
    ['an expectation', 417, 'PUT', put, { body: { value: 1 }, headers: { Expect: 'tea' } }],
  ];

  it.each(cases)('%s gets %i and changes nothing', async (_name, status, method, path, options) => {
    const { send, lattice } = await start();
    await send('PUT', '/api/lattice/state/before', { body: { value: 1 } });
    const root = lattice.root();
    expectProblem(await send(method, path, options), status);
    expect(lattice.root()).toBe(root);
  });

  it('names the methods a path takes', async () => {
    const { send } = await start();
    expect((await send('PATCH', '/api/lattice/state/k')).headers.allow).toBe(
      'GET, HEAD, PUT, DELETE, OPTIONS',
    );
    const options = await send('OPTIONS', '/api/lattice/sync/switch');
    expect([options.status, options.headers.allow]).toEqual([204, 'POST, OPTIONS']);
  });

  it('answers broken framing with a problem too', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    socket.end('GARBAGE\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('urn:aethel:problem:bad-request');
  });

  it('takes numbers that keep their meaning', async () => {
    const { send, get } = await start();
    const body =
      '{"value":[1.0,1e2,-0.10,9007199254740991,1.7976931348623157e308,5e-324,"12345678901234567890"]}';
    expect((await send('PUT', '/api/lattice/state/n', { body })).status).toBe(201);
    const { value } = parse(EntryResponse, await get('/api/lattice/state/n'));
    expect(value).toEqual([
      1,
      100,
      -0.1,
      Number.MAX_SAFE_INTEGER,
      Number.MAX_VALUE,
      5e-324,
      '12345678901234567890',
    ]);
  });
});

describe('batches and pages', () => {
  it('accepts all entries or none', async () => {
    const { send, lattice } = await start();
    const both = {
      entries: [
        { key: 'a', value: null },
        { key: 'missing', delete: true },
      ],
    };
    expectProblem(await send('POST', '/api/lattice/state', { body: both }), 404);
    expect(lattice.values.size).toBe(0);
    const good = {
      entries: [
        { key: 'a', value: null },
        { key: 'b', value: [2] },
      ],
    };
    const written = parse(BatchResponse, await send('POST', '/api/lattice/state', { body: good }));
    expect(written.entries.map(({ key, created }) => [key, created])).toEqual([
      ['a', true],
      ['b', true],
    ]);
    expect(lattice.values.get('a')?.value).toBe('null');
  });

  it('pages through every entry once, in key order', async () => {
    const { send, get } = await start();
    const keys = Array.from({ length: 25 }, (_, i) => `k/${String(i).padStart(2, '0')}`);
    await send('POST', '/api/lattice/state', { body: { entries: keys.map((key) => ({ key, value: key })) } });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = parse(EntriesResponse, await get(`/api/lattice/state?entries=1&limit=10${query}`));
      seen.push(...page.entries.map(({ key }) => key));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(keys);
  });
});

describe('the root', () => {
  it('is signed over the documented text, and tagged', async () => {
    const { get, lattice } = await start();
    const answer = await get('/api/lattice/state');
    const state = parse(StateResponse, answer);
    expect(answer.headers.etag).toBe(`"${state.merkle_root}"`);
    expect(lattice.signedTexts).toEqual([
      `aethel/state/v1\n${state.merkle_root}\n${state.timestamp}\n${state.peer_id}`,
    ]);
    const again = await get('/api/lattice/state', {
      headers: { 'If-None-Match': String(answer.headers.etag) },
    });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it('is held until it changes', async () => {
    const { get, send, lattice } = await start();
    const held = get('/api/lattice/state?wait=30', { headers: { 'If-None-Match': `"${lattice.root()}"` } });
    await eventually(() => lattice.waiting === 1);
    await send('PUT', '/api/lattice/state/k', { body: { value: 1 } });
    expect(parse(StateResponse, await held).merkle_root).toBe(lattice.root());
  });

  it('is answered at once where the client has another', async () => {
    const { get } = await start();
    expect(
      (await get('/api/lattice/state?wait=30', { headers: { 'If-None-Match': '"other"' } })).status,
    ).toBe(200);
  });

  it('is answered 304 when the time is over', async () => {
    const { get, lattice } = await start();
    const tag = `"${lattice.root()}"`;
    expect((await get('/api/lattice/state?wait=0.02', { headers: { 'If-None-Match': tag } })).status).toBe(
      304,
    );
  });

  it('is let go when the client goes away', async () => {
    const { get, lattice } = await start();
    const leaving = new AbortController();
    const held = get('/api/lattice/state?wait=30', { signal: leaving.signal });
    const failed = held.then(String, String);
    await eventually(() => lattice.waiting === 1);
    leaving.abort();
    expect(await failed).toMatch(/abort/i);
    await eventually(() => lattice.waiting === 0);
  });

  it('holds no more clients than it may', async () => {
    const { get, lattice } = await start({ parkedMax: 1 });
    const held = get('/api/lattice/state?wait=30');
    await eventually(() => lattice.waiting === 1);
    expect((await get('/api/lattice/state?wait=30')).status).toBe(200);
    await lattice.write([{ key: 'k', value: '1' }], null, null);
    expect((await held).status).toBe(200);
  });
});

describe('the event stream', () => {
  it('starts with a snapshot, then tells every event', async () => {
    const { port, lattice } = await start({ streamHeartbeatMs: 10 });
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write('GET /api/lattice/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.listeners === 1);
    lattice.emit({ type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence\ndata: forged' });
    await eventually(() => text.includes('event: mode') && text.includes(': still here'));
    const [snapshot, dated] = [...text.matchAll(/^data: (.*)$/gm)].map(
      (found) => JSON.parse(String(found[1])) as unknown,
    );
    expect(StatusResponse.parse(snapshot).sync_mode).toBe('P2P');
    expect(EventEnvelope.parse(dated)).toMatchObject({ id: 1, event: { type: 'mode', to: 'HTTP' } });
    socket.destroy();
    await eventually(() => lattice.listeners === 0);
  });

  it('drops a client that does not read', async () => {
    const { port, lattice } = await start({ streamBufferBytesMax: 10_000 });
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    socket.write('GET /api/lattice/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.listeners === 1);
    const reason = 'x'.repeat(100_000);
    await eventually(() => {
      for (let i = 0; i < 20; i += 1) lattice.emit({ type: 'lung', lung: 'p2p', state: 'up', reason });
      return lattice.listeners === 0;
    });
    socket.destroy();
  });

  it('refuses more clients than it may have', async () => {
    const { port, lattice, get } = await start({ streamsMax: 1 });
    const socket = connect(port, '127.0.0.1').resume();
    socket.write('GET /api/lattice/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.listeners === 1);
    expectProblem(await get('/api/lattice/events'), 503);
    socket.destroy();
  });
});

describe('trouble inside', () => {
  it.each([
    ['a full disk', named('StorageFailedError', 'ENOSPC'), 507],
    ['a failing disk', named('StorageFailedError', 'EIO'), 503],
    ['a stopping node', named('NodeStoppingError', 'stopping'), 503],
    ['a bug', new TypeError('secret inside'), 500],
  ])('%s is a problem that tells no secrets', async (_name, failure, status) => {
    const { send, lattice, logged } = await start();
    lattice.failure = failure;
    const answer = await send('PUT', '/api/lattice/state/k', { body: { value: 1 } });
    expectProblem(answer, status);
    expect(answer.text).not.toContain('secret inside');
    expect(logged).toHaveLength(status === 500 ? 1 : 0);
  });

  it('finds ENOSPC in the cause as well', async () => {
    const { send, lattice } = await start();
    lattice.failure = named('StorageFailedError', 'storage_failed', named('Error', 'ENOSPC'));
    expectProblem(await send('PUT', '/api/lattice/state/k', { body: { value: 1 } }), 507);
  });
});

describe('the server', () => {
  it('releases held requests and streams when it closes, and leaves no socket', async () => {
    const { port, server, lattice, get } = await start();
    const held = get('/api/lattice/state?wait=30');
    const streamed = get('/api/lattice/events');
    const idle = connect(port, '127.0.0.1').resume();
    const idleClosed = new Promise((resolve) => idle.once('close', resolve));
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.waiting === 1 && lattice.listeners === 1);
    await server.close();
    expect((await held).status).toBe(200);
    expect((await streamed).text).toContain('event: snapshot');
    await idleClosed;
    await expect(get('/health')).rejects.toThrow(/ECONNREFUSED/);
    await server.close();
  });

  it('cuts what does not end within the drain time', async () => {
    const { port, server, lattice } = await start({}, { drainMs: 50 });
    const stuck = connect(port, '127.0.0.1').resume();
    stuck.on('error', () => undefined);
    stuck.write(
      'PUT /api/lattice/state/k HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"v',
    );
    const other = connect(port, '127.0.0.1').resume();
    other.write('GET /api/lattice/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.listeners === 1);
    await server.close();
    expect(lattice.values.size).toBe(0);
  });

  it('rejects with the reason when the port is taken', async () => {
    const { port } = await start();
    const second = new HttpServer({ host: '127.0.0.1', port });
    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.close();
  });

  it('mounts extensions before the routes, their failures as problems', async () => {
    const lattice = new FakeLattice();
    const app = createApp(
      {
        api: lattice,
        metricsText: async () => '',
        logger: quiet([]),
        extensions: [
          (request, response, next) => {
            if (request.path === '/api/lattice/sync') response.json({ mine: true });
            else if (request.path === '/broken') throw new Error('inside');
            else next();
          },
        ],
      },
      { apiToken: null, insecure: false },
    );
    const server = new HttpServer({ host: '127.0.0.1', port: 0 });
    server.serve(app);
    servers.push(server);
    const port = await server.listen();
    expect((await call(port, 'POST', '/api/lattice/sync')).text).toBe('{"mine":true}');
    expectProblem(await call(port, 'GET', '/broken'), 500);
  });

  it('says nothing of its make, and nothing may be sniffed or kept', async () => {
    const { get } = await start();
    const { headers } = await get('/health');
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['cache-control']).toBe('no-store');
  });
});

async function start(options: Partial<AppOptions> = {}, serverOptions: { drainMs?: number } = {}) {
  const lattice = new FakeLattice();
  const logged: string[] = [];
  const server = new HttpServer({ host: '127.0.0.1', port: 0, ...serverOptions });
  server.serve(appOf(lattice, options, logged));
  servers.push(server);
  const port = await server.listen();
  const send = (method: string, path: string, more?: CallOptions): Promise<Answer> =>
    call(port, method, path, more);
  const get = (path: string, more?: CallOptions): Promise<Answer> => call(port, 'GET', path, more);
  return { lattice, logged, server, port, send, get };
}

function appOf(lattice: FakeLattice, options: Partial<AppOptions>, logged: string[]) {
  return createApp(
    { api: lattice, metricsText: async () => 'aethel_up 1\n', logger: quiet(logged) },
    { apiToken: null, insecure: false, ...options },
  );
}

function quiet(logged: string[]) {
  const ignore = (): void => undefined;
  return { error: (message: string) => void logged.push(message), warn: ignore, info: ignore, debug: ignore };
}

function parse<S extends z.ZodType>(schema: S, answer: Answer): z.infer<S> {
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`);
  return schema.parse(JSON.parse(answer.text));
}

function expectProblem(answer: Answer, status: number, detail = /./): void {
  expect(`${answer.status} ${answer.text}`).toMatch(new RegExp(`^${status} `));
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(JSON.parse(answer.text));
  expect(problem.status).toBe(status);
  expect(problem.type).toMatch(/^urn:aethel:problem:[a-z-]+$/);
  expect(problem.detail).toMatch(detail);
}

function named(name: string, code: string, cause?: Error): Error {
  const error = Object.assign(new Error(code, { cause }), { code });
  error.name = name;
  return error;
}
