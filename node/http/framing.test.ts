import { connect, type Socket } from 'node:net';
import { createApp } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { eventually } from './http-client.fixture.ts';
import { HttpServer } from './server.ts';

const BODY = '{"value":42}';
const PUT = `PUT /api/lattice/state/k HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const GET = 'GET /api/lattice/state/k HTTP/1.1\r\nHost: x\r\n\r\n';

const servers: HttpServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('a client that half-closes behind its request', () => {
  it('is answered what it wrote, and the connection ends', async () => {
    const { say, lattice } = await start();
    const client = say(PUT, 'and ends');
    await eventually(() => client.isClosed);
    expect(statuses(client.heard)).toEqual(['201']);
    expect(client.heard).toContain('"success":true');
    expect(lattice.values.get('k')?.value).toBe('42');
  });

  it('is answered all requests that it sent before', async () => {
    const { say } = await start();
    const client = say(PUT + GET, 'and ends');
    await eventually(() => client.isClosed);
    expect(statuses(client.heard)).toEqual(['201', '200']);
    expect(client.heard).toContain('"value":42');
  });

  it('is told that its request is broken when it ends within the body', async () => {
    const { say, lattice } = await start();
    const client = say(PUT.slice(0, -3), 'and ends');
    await eventually(() => client.isClosed);
    expect(statuses(client.heard)).toEqual(['400']);
    expect(lattice.values.size).toBe(0);
  });

  it('is answered a long poll at once, also where it ends later', async () => {
    const { say, lattice } = await start();
    const poll = 'GET /api/lattice/state?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n';
    const early = say(poll, 'and ends');
    const late = say(poll);
    await eventually(() => lattice.waiting > 0 && early.isClosed);
    late.socket.end();
    await eventually(() => late.isClosed);
    expect([statuses(early.heard), statuses(late.heard)]).toEqual([['200'], ['200']]);
    expect(lattice.waiting).toBe(0);
  });

  it('holds no event stream', async () => {
    const { say, lattice } = await start();
    const client = say('GET /api/lattice/events HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => lattice.listeners === 1);
    client.socket.end();
    await eventually(() => client.isClosed && lattice.listeners === 0);
  });

  it('holds no idle connection', async () => {
    const { say } = await start();
    const client = say('', 'and ends');
    await eventually(() => client.isClosed);
  });
});

describe('the Host of a request', () => {
  it.each([
    ['two', 'Host: a\r\nHost: b\r\n', 'HTTP/1.1', '400'],
    ['the same twice', 'Host: a\r\nHost: a\r\n', 'HTTP/1.1', '400'],
    ['two in one', 'Host: a, b\r\n', 'HTTP/1.1', '400'],
    ['none', '', 'HTTP/1.1', '400'],
    ['one', 'hOST: [::1]:8000\r\n', 'HTTP/1.1', '200'],
    ['an empty one', 'Host:\r\n', 'HTTP/1.1', '200'],
    ['none before 1.1', '', 'HTTP/1.0', '200'],
  ])('is one: %s', async (_what, headers, version, status) => {
    for (const path of ['/health', '/openapi.json', '/api/lattice/state']) {
      const { say } = await start();
      const client = say(`GET ${path} ${version}\r\n${headers}Connection: close\r\n\r\n`);
      await eventually(() => client.isClosed);
      expect(statuses(client.heard)).toEqual([status]);
      if (status === '400') expect(client.heard).toMatch(/urn:aethel:problem:bad-request.*Host header/);
    }
  });

  it('is one for a write too, which changes nothing else', async () => {
    const { say, lattice } = await start();
    const client = say(PUT.replace('Host: x\r\n', 'Host: x\r\nHost: y\r\n'));
    await eventually(() => client.isClosed);
    expect(statuses(client.heard)).toEqual(['400']);
    expect(lattice.values.size).toBe(0);
  });
});

it('believes no second Content-Type behind a first one', async () => {
  const { say, lattice } = await start();
  const client = say(PUT.replace('\r\n\r\n', '\r\nContent-Type: text/plain\r\n\r\n'), 'and ends');
  await eventually(() => client.isClosed);
  expect(statuses(client.heard)).toEqual(['415']);
  expect(lattice.values.size).toBe(0);
});

function statuses(heard: string): readonly string[] {
  return heard.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];
}

async function start() {
  const ignore = (): void => undefined;
  const logger = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const lattice = new FakeLattice();
  const server = new HttpServer({ host: '127.0.0.1', port: 0, drainMs: 50 });
  servers.push(server);
  server.serve(
    createApp({ api: lattice, metricsText: async () => '', logger }, { apiToken: null, insecure: true }),
  );
  const port = await server.listen();
  const say = (text: string, ending?: 'and ends') => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    const client = { socket, heard: '', isClosed: false };
    socket.on('data', (bytes) => {
      client.heard += String(bytes);
    });
    // Everything was heard; what is left is to close our side.
    socket.on('end', () => {
      client.isClosed = true;
      socket.destroy();
    });
    socket.on('error', ignore);
    if (ending === undefined) socket.write(text);
    else socket.end(text);
    return client;
  };
  return { say, lattice };
}
