import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createApp } from './app.ts';
import { addressGroup, limitsFor } from './connections.ts';
import { FakeLattice } from './fake-lattice.ts';
import { eventually } from './http-client.fixture.ts';
import { HttpServer, type HttpServerOptions } from './server.ts';

const HEALTH = '/health';
const STATUS = '/api/lattice/p2p/status';
const KEY = '/api/lattice/state/k';
/** Members sign this call; here the name of the header is enough. */
const MEMBER = 'Aethel-Mac: x\r\n';

const servers: HttpServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('more connections than there is room for', () => {
  it('take the places of those that were idle longest', async () => {
    const { open, get } = await start({ max: 4, perAddressMax: 4 });
    const idle = [await open(), await open(), await open(), await open()];
    expect(await get(idle[0], HEALTH)).toBe('200');
    const late = await open();
    expect(await get(late, HEALTH)).toBe('200');
    await eventually(() => idle[1]?.isClosed === true);
    expect(idle.map(({ isClosed }) => isClosed)).toEqual([false, true, false, false]);
    expect(await get(idle[0], HEALTH)).toBe('200');
  });

  it('of one address take none of another', async () => {
    const { open, get } = await start({ max: 6, perAddressMax: 4 });
    const other = await open('127.0.0.2');
    const crowd: Client[] = [];
    for (let i = 0; i < 20; i += 1) crowd.push(await open('127.0.0.1'));
    await eventually(() => crowd.filter(({ isClosed }) => !isClosed).length === 4);
    expect(await get(other, KEY)).toBe('404');
    expect(await get(await open('127.0.0.3'), KEY)).toBe('404');
  });

  it('of two crowds take those of the larger', async () => {
    const { open, get } = await start({ max: 5, perAddressMax: 4 });
    const few = [await open('127.0.0.2')];
    for (let i = 0; i < 4; i += 1) await open('127.0.0.1');
    for (let i = 0; i < 2; i += 1) few.push(await open('127.0.0.2'));
    for (const one of few) expect(await get(one, KEY)).toBe('404');
  });

  it('find health, readiness, status and members served while all others are busy, and nothing else', async () => {
    const { open, get, busy } = await start({ max: 3, perAddressMax: 3, reserve: 2 });
    for (let i = 0; i < 3; i += 1) await busy();
    for (const path of [HEALTH, STATUS, '/ready']) expect(await get(await open(), path)).toBe('200');
    expect(await get(await open(), '/api/lattice/state', MEMBER)).toBe('200');
    const late = await open();
    expect(await get(late, KEY)).toBe('503');
    expect(late.heard).toMatch(/Retry-After: 1/);
    expect(late.heard).toMatch(/urn:aethel:problem:unavailable/);
    await eventually(() => late.isClosed);
  });

  it('get a place once there is room again, on the same connection', async () => {
    const { open, get, busy } = await start({ max: 1, perAddressMax: 1, reserve: 2 });
    const first = await busy();
    const late = await open();
    expect(await get(late, HEALTH)).toBe('200');
    first.socket.destroy();
    await eventually(() => first.isClosed);
    await eventuallyAsync(async () => (await get(late, KEY)) === '404');
  });

  it('do not end the idle connection of a member that was answered', async () => {
    const { open, get } = await start({ max: 2, perAddressMax: 2 });
    const member = await open();
    expect(await get(member, '/api/lattice/state', MEMBER)).toBe('200');
    for (let i = 0; i < 5; i += 1) await open();
    expect(await get(member, '/api/lattice/state', MEMBER)).toBe('200');
  });

  it('end the idle connection of whoever only claims to be a member', async () => {
    const { open, get } = await start({ max: 2, perAddressMax: 2 });
    const liar = await open();
    expect(await get(liar, `${KEY}/none`, MEMBER)).toBe('404');
    for (let i = 0; i < 2; i += 1) await open();
    await eventually(() => liar.isClosed);
  });

  it('are heard in the reserve however many come', async () => {
    const { open, get, busy } = await start({ max: 1, perAddressMax: 1, reserve: 3 });
    await busy();
    for (let i = 0; i < 30; i += 1) await open();
    expect(await get(await open(), HEALTH)).toBe('200');
  });
});

it('serves members and health beside 4,200 idle connections of one address, with its own limits', async () => {
  const { open, get } = await start({});
  const crowd: Client[] = [];
  // In waves that the queue of the listening socket holds.
  while (crowd.length < 4_200)
    crowd.push(...(await Promise.all(Array.from({ length: 100 }, () => open('127.0.0.1')))));
  await eventually(() => crowd.filter(({ isClosed }) => !isClosed).length === 3_072);
  expect(await get(await open('127.0.0.1'), HEALTH)).toBe('200');
  expect(await get(await open('127.0.0.1'), '/api/lattice/state', MEMBER)).toBe('200');
  expect(await get(await open('127.0.0.2'), KEY)).toBe('404');
});

it.each([
  [Infinity, { max: 4096, perAddressMax: 3072, reserve: 128 }],
  [4100, { max: 3972, perAddressMax: 2979, reserve: 128 }],
  [480, { max: 465, perAddressMax: 349, reserve: 15 }],
  [16, { max: 12, perAddressMax: 9, reserve: 4 }],
])('makes limits of %d connections', (most, limits) => {
  expect(limitsFor(most)).toEqual(limits);
});

it.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1:2:3:4', 'fe80:0:0:0'],
  ['', ''],
])('counts %s as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});

interface Client {
  readonly socket: Socket;
  heard: string;
  isClosed: boolean;
}

async function start(connections: NonNullable<HttpServerOptions['connections']>) {
  const ignore = (): void => undefined;
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const server = new HttpServer({ host: '127.0.0.1', port: 0, drainMs: 50, connections });
  servers.push(server);
  const app = createApp(
    {
      api: new FakeLattice(),
      metricsText: async () => '',
      logger,
      isExtensions: ({ headers }) => headers['aethel-mac'] !== undefined,
    },
    { apiToken: null, insecure: true },
  );
  server.serve(app);
  const port = await server.listen();

  const open = async (localAddress = '127.0.0.1'): Promise<Client> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    const client: Client = { socket, heard: '', isClosed: false };
    sockets.push(socket);
    socket.on('data', (bytes) => {
      client.heard += String(bytes);
    });
    socket.on('error', ignore);
    socket.on('close', () => {
      client.isClosed = true;
    });
    await once(socket, 'connect');
    return client;
  };
  /** The status of an answer; '' where there was none. */
  const get = async (client: Client | undefined, path: string, headers = ''): Promise<string> => {
    if (client === undefined) return '';
    client.heard = '';
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    await eventually(() => client.heard.includes('\r\n\r\n') || client.isClosed);
    return /^HTTP\/1\.1 (\d+)/.exec(client.heard)?.[1] ?? '';
  };
  /** Its request is under way for as long as it is open. */
  const busy = async (): Promise<Client> => {
    const client = await open();
    client.socket.write(
      `PUT ${KEY} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n`,
    );
    await eventually(() => client.heard.includes('100 Continue'));
    return client;
  };
  return { open, get, busy };
}

async function eventuallyAsync(claim: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await claim())) if (performance.now() > deadline) throw new Error('did not come true within 5 s');
}
