import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { EXCHANGE_BYTES_MAX } from '../../ports.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { answerMac, digestOf, memberKeyOf, requestMac, type MemberKey } from './member.ts';
import {
  clockOff,
  CLUSTER_KEY,
  eventsOf,
  eventually,
  nodeId,
  OTHER_KEY,
  ROOT_A,
  World,
  type TestServer,
} from './world.fixture.ts';

const STATE = '/api/lattice/state';
const SYNC = '/api/lattice/sync';
const SELF = nodeId(1);
const SERVER = nodeId(2);

describe('the key of members', () => {
  // computed with another implementation of HKDF and HMAC (Python's hmac and hashlib)
  it('and its MACs are those of the protocol', () => {
    const key = memberKeyOf(Buffer.from('golden'));
    const facts = {
      method: 'GET',
      target: STATE,
      member: 'm' as NodeId,
      to: 't' as NodeId,
      time: 1,
      nonce: 'n',
      ifNoneMatch: '',
      digest: 'd',
    };
    expect(requestMac(key, facts)).toBe('93200267028722c4ff4cd4ad76342c362340a8ee0a60278401e3cce14953cdbd');
    const answer = {
      nonce: 'n',
      status: 200,
      member: 'm' as NodeId,
      etag: '"e"',
      records: '3',
      wall: '4',
      digest: 'd',
    };
    expect(answerMac(key, answer)).toBe('6896228ff13630ff06cd3b55b668eea6bf77f1f62d678814c1effca2cb2c19ef');
  });
});

describe('the routes that answer members', () => {
  let world: World;
  let server: TestServer;
  beforeEach(async () => {
    world = new World();
    server = await world.server();
  });
  afterEach(() => world.end());

  it('leave the public as it was: answered, unsigned, unheard', async () => {
    const answer = await send(server, { path: STATE, headers: {} });
    expect(answer.status).toBe(200);
    expect(answer.headers).not.toHaveProperty('aethel-mac');
    expect(server.events).toEqual([]);
  });

  it('sign what a member gets, with a body and without', async () => {
    for (const [ifNoneMatch, status] of [
      ['', 200],
      [`"${ROOT_A}"`, 304],
    ] as const) {
      const asked = signed({ path: STATE, ifNoneMatch });
      const answer = await send(server, asked);
      expect(answer.status).toBe(status);
      expect(answer.headers['aethel-member']).toBe(SERVER);
      expect(answer.headers['aethel-mac']).toBe(rightMac(asked, answer));
      expect(Math.abs(Number(answer.headers['aethel-wall']) - Date.now())).toBeLessThan(60_000);
    }
    expect(server.events).toEqual(Array(2).fill({ type: 'heard', peer: SELF, rttMs: null, beacon: null }));
  });

  it('tell members, and only them, how many records stand behind a state', async () => {
    const counting = await world.server({ counted: () => 42 });
    const same = signed({ path: STATE, ifNoneMatch: `"${ROOT_A}"` });
    const answer = await send(counting, same);
    expect([answer.status, answer.headers['aethel-records']]).toEqual([304, '42']);
    expect(answer.headers['aethel-mac']).toBe(rightMac(same, answer));
    counting.records = null;
    const open = await send(counting, { path: STATE, headers: {} });
    expect(open.headers).not.toHaveProperty('aethel-records');
  });

  it('answer whoever has either key, by the key that was used, while the key is being changed', async () => {
    const changing = await world.server({ acceptedKey: OTHER_KEY });
    for (const key of [CLUSTER_KEY, OTHER_KEY]) {
      const asked = signed({ path: STATE, key });
      const answer = await send(changing, asked);
      expect([answer.status, answer.headers['aethel-mac']]).toEqual([200, rightMac(asked, answer, key)]);
    }
    const asked = signed({ path: STATE, key: memberKeyOf(Buffer.from('a third one')) });
    expect((await send(changing, asked)).status).toBe(401);
  });

  it.each<[string, (asked: Asked) => Asked]>([
    ['a MAC under another key', () => signed({ path: STATE, key: OTHER_KEY })],
    ['a MAC of another path', (asked) => ({ ...asked, path: `${STATE}?wait=1` })],
    ['a MAC of another tag', (asked) => changed(asked, 'if-none-match', '"x"')],
    ['a MAC of another time', (asked) => changed(asked, 'aethel-time', String(Date.now() + 1))],
    ['a MAC of another receiver', (asked) => changed(asked, 'aethel-to', nodeId(9))],
    ['a MAC without the receiver', (asked) => changed(asked, 'aethel-to', '')],
    ['a broken receiver', (asked) => changed(asked, 'aethel-to', 'you')],
    ['a MAC of another member', (asked) => changed(asked, 'aethel-member', nodeId(9))],
    ['a MAC of another nonce', (asked) => changed(asked, 'aethel-nonce', '0'.repeat(32))],
    ['no name', (asked) => changed(asked, 'aethel-member', '')],
    ['a broken name', (asked) => changed(asked, 'aethel-member', 'me')],
    ['a broken time', (asked) => changed(asked, 'aethel-time', '1e3')],
    ['a broken nonce', (asked) => changed(asked, 'aethel-nonce', 'zz')],
    ['a broken MAC', (asked) => changed(asked, 'aethel-mac', 'zz')],
  ])('turn away %s', async (_what, change) => {
    const answer = await send(server, change(signed({ path: STATE })));
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(answer.body.toString())).toMatchObject({ success: false, status: 401 });
    expect(answer.headers).not.toHaveProperty('aethel-mac');
    expect(server.events).toMatchObject([{ type: 'refused', peer: null, what: 'peer' }]);
  });

  it('turn away a replayed request', async () => {
    const asked = signed({ path: STATE });
    await send(server, asked);
    const answer = await send(server, asked);
    expect(answer.status).toBe(401);
    expect(server.events.map(({ type }) => type)).toEqual(['heard', 'refused']);
    expect(server.events[1]).toMatchObject({ peer: SELF, what: 'message' });
  });

  it('turn away, in an answer it can believe, what a member asked another member or nobody', async () => {
    for (const asked of [
      signed({ path: STATE, to: nodeId(9) }),
      signed({ path: SYNC, method: 'POST', body: Buffer.from('x'), to: nodeId(9) }),
      signed({ path: SYNC, method: 'POST', body: Buffer.from('x'), to: '' }),
      signed({ path: STATE, ifNoneMatch: `"${ROOT_A}"`, to: '' }),
      signed({ path: `${STATE}?wait=1`, to: '' }),
    ]) {
      server.events.length = 0;
      const answer = await send(server, asked);
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body.toString()).type).toBe('urn:aethel:problem:other-receiver');
      expect(answer.headers['aethel-mac']).toBe(rightMac(asked, answer));
      expect(server.events).toMatchObject([{ type: 'refused', peer: SELF, what: 'message' }]);
    }
  });

  it('answer who lives here to a member that does not know, and take that for no evidence of it', async () => {
    const asked = signed({ path: STATE, to: '' });
    const answer = await send(server, asked);
    expect(answer.status).toBe(200);
    expect(answer.headers['aethel-mac']).toBe(rightMac(asked, answer));
    expect(server.events).toEqual([]);
  });

  it('send away a member that floods them, and go on answering the others', async () => {
    const small = await world.server({ nonces: { noncesPerMemberMax: 3 } });
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const asked = signed({ path: STATE });
      const answer = await send(small, asked);
      expect(answer.headers['aethel-mac']).toBe(rightMac(asked, answer));
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([200, 200, 200, 503, 503]);
    expect((await send(small, signed({ path: STATE, member: nodeId(5) }))).status).toBe(200);
  });

  it('tell a member whose clock is off the time, in an answer it can believe, and nothing else', async () => {
    for (const offset of [-121_000, 121_000]) {
      const asked = signed({ path: STATE, time: Date.now() + offset });
      const answer = await send(server, asked);
      expect(answer.status).toBe(401);
      expect(answer.headers['aethel-mac']).toBe(rightMac(asked, answer));
      expect(Math.abs(JSON.parse(answer.body.toString()).time - Date.now())).toBeLessThan(60_000);
    }
    expect(server.events).toEqual([]);
  });

  describe('of exchanges', () => {
    it('let nobody but members in', async () => {
      const answer = await send(server, { path: SYNC, method: 'POST', headers: {}, body: Buffer.from('x') });
      expect(answer.status).toBe(401);
      expect(eventsOf(server.events, 'asked')).toEqual([]);
    });

    it('refuse a body that is not the signed one', async () => {
      const asked = signed({ path: SYNC, method: 'POST', body: Buffer.from('right') });
      const answer = await send(server, { ...asked, body: Buffer.from('wrong') });
      expect(answer.status).toBe(401);
      expect(server.events.map(({ type }) => type)).toEqual(['heard', 'refused']);
    });

    it('refuse another content type, and a body that is too large, announced or not', async () => {
      const typed = signed({ path: SYNC, method: 'POST', body: Buffer.from('x') });
      expect((await send(server, changed(typed, 'content-type', 'text/plain'))).status).toBe(415);
      const large = Buffer.alloc(EXCHANGE_BYTES_MAX + 1);
      const announced = signed({ path: SYNC, method: 'POST', body: large });
      expect((await send(server, changed(announced, 'content-length', String(large.length)))).status).toBe(
        413,
      );
      const chunked = signed({ path: SYNC, method: 'POST', body: large });
      expect((await send(server, changed(chunked, 'transfer-encoding', 'chunked'))).status).toBe(413);
      expect(eventsOf(server.events, 'asked')).toEqual([]);
    });

    it('answer so many at a time for one member, and so many for all', async () => {
      const small = await world.server({ sync: { exchangesMax: 3, exchangesPerMemberMax: 2 } });
      const answers: (() => void)[] = [];
      small.onAsked = ({ answer }) => answers.push(() => answer(Uint8Array.of(1)));
      const ask = (member: NodeId): Promise<Answered> =>
        send(small, signed({ path: SYNC, method: 'POST', body: Buffer.from('x'), member }));
      const first = [ask(nodeId(5)), ask(nodeId(5))];
      await eventually(() => answers.length === 2);
      const refused = await ask(nodeId(5));
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
      const third = ask(nodeId(6));
      await eventually(() => answers.length === 3);
      expect((await ask(nodeId(7))).status).toBe(503);
      for (const answer of answers.splice(0)) answer();
      expect((await Promise.all([...first, third])).map(({ status }) => status)).toEqual([200, 200, 200]);
      const again = ask(nodeId(5));
      await eventually(() => answers.length === 1);
      answers[0]?.();
      expect((await again).status).toBe(200);
    });

    it('give up an answer, or a body, that does not come in time', async () => {
      const hasty = await world.server({ sync: { timeLimitMs: 50 } });
      hasty.onAsked = () => undefined;
      const asked = signed({ path: SYNC, method: 'POST', body: Buffer.from('x') });
      expect((await send(hasty, asked)).status).toBe(504);
      const withheld = changed(
        signed({ path: SYNC, method: 'POST', body: Buffer.from('xx') }),
        'content-length',
        '2',
      );
      expect((await send(hasty, { ...withheld, body: Buffer.from('x'), isUnended: true })).status).toBe(408);
    });

    it('give the slot of an asker that left to the next one', async () => {
      const small = await world.server({ sync: { exchangesMax: 1 } });
      small.onAsked = () => undefined;
      const asked = signed({ path: SYNC, method: 'POST', body: Buffer.from('x') });
      const leaving = httpRequest(small.url + SYNC, { method: 'POST', headers: asked.headers });
      leaving.on('error', () => undefined);
      leaving.end('x');
      await eventually(() => eventsOf(small.events, 'asked')[0]);
      leaving.destroy();
      small.onAsked = ({ answer }) => answer(Uint8Array.of(1));
      let status = 503;
      while (status === 503) {
        status = (await send(small, signed({ path: SYNC, method: 'POST', body: Buffer.from('y') }))).status;
      }
      expect(status).toBe(200);
    });
  });

  it('never break on what a stranger may send', async () => {
    const port = Number(new URL(server.url).port);
    const line = fc.constantFrom(
      'POST /api/lattice/sync HTTP/1.1',
      'GET /api/lattice/state HTTP/1.1',
      'host: x',
      'aethel-mac: 00',
      `aethel-member: ${SELF}`,
      'aethel-time: 99999999999999999999',
      `aethel-nonce: ${'0'.repeat(32)}`,
      `aethel-digest: ${'0'.repeat(64)}`,
      'content-length: 10',
      'transfer-encoding: chunked',
      '',
    );
    const text = fc.array(fc.oneof({ weight: 4, arbitrary: line }, fc.string()), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(text, async (lines) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.end(`${lines.join('\r\n')}\r\n\r\n`);
        socket.resume();
        await new Promise((resolve) => socket.once('close', resolve));
      }),
      { numRuns: 100 },
    );
    expect(server.events.filter(({ type }) => type !== 'refused')).toEqual([]);
    expect((await send(server, signed({ path: STATE }))).status).toBe(200);
  });
});

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** leaves the body open */
  readonly isUnended?: boolean;
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

interface Wish {
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  readonly ifNoneMatch?: string;
  readonly body?: Buffer;
  readonly key?: MemberKey;
  readonly member?: NodeId;
  readonly to?: NodeId | '';
  readonly time?: number;
}

function signed(wish: Wish): Asked {
  const { path, method = 'GET', ifNoneMatch = '', body = Buffer.alloc(0), key = CLUSTER_KEY } = wish;
  const { member = SELF, to = SERVER, time = Math.round(clockOff().wallMs()) } = wish;
  const nonce = randomBytes(16).toString('hex');
  const digest = digestOf(body);
  const mac = requestMac(key, { method, target: path, member, to, time, nonce, ifNoneMatch, digest });
  return {
    path,
    method,
    body,
    headers: {
      'aethel-member': member,
      'aethel-to': to,
      'aethel-time': String(time),
      'aethel-nonce': nonce,
      'aethel-digest': digest,
      'aethel-mac': mac,
      ...(ifNoneMatch !== '' && { 'if-none-match': ifNoneMatch }),
      ...(method === 'POST' && { 'content-type': 'application/octet-stream' }),
    },
  };
}

function changed(asked: Asked, header: string, value: string): Asked {
  return { ...asked, headers: { ...asked.headers, [header]: value } };
}

function rightMac(asked: Asked, { status, headers, body }: Answered, key = CLUSTER_KEY): string {
  const text = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value : '';
  };
  return answerMac(key, {
    nonce: asked.headers['aethel-nonce'] ?? '',
    status,
    member: SERVER,
    etag: text('etag'),
    records: text('aethel-records'),
    wall: text('aethel-wall'),
    digest: digestOf(body),
  });
}

function send(
  server: TestServer,
  { path, method = 'GET', headers, body, isUnended = false }: Asked,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    const request = httpRequest(server.url + path, { method, headers, agent: false });
    request.on('response', (response) => {
      isAnswered = true;
      const chunks: Uint8Array[] = [];
      response.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
        request.destroy();
      });
    });
    // an answer may come, and the socket close, before a large body is through
    request.on('error', (error) => {
      if (!isAnswered) reject(error);
    });
    if (body !== undefined) request.write(body);
    if (!isUnended) request.end();
  });
}
