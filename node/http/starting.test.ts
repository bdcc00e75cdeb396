import { Agent, request as ask } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { createApp } from './app.ts';
import { FakeLattice } from './fake-lattice.ts';
import { call, eventually } from './http-client.fixture.ts';
import { Problem, ReadyResponse } from './schemas.ts';
import { HttpServer } from './server.ts';
import type { ServedApp } from './server.ts';

const KEY = '/api/lattice/state/k';

describe('a node that is starting', () => {
  let server: HttpServer;
  let port = 0;

  beforeEach(async () => {
    server = new HttpServer({ host: '127.0.0.1', port: 0 });
    port = await server.listen();
  });
  afterEach(() => server.close());

  it.each(['GET', 'HEAD'])(
    'answers %s /health and /ready as it does later, but for what they say',
    async (method) => {
      const early = [await call(port, method, '/health'), await call(port, method, '/ready')] as const;
      const lattice = new FakeLattice();
      lattice.reasons = ['starting'];
      server.serve(appOf(lattice));
      const late = [await call(port, method, '/health'), await call(port, method, '/ready')] as const;
      expect(early.map(({ status }) => status)).toEqual([200, 503]);
      expect(early.map(({ status, text }) => [status, text])).toEqual(
        late.map(({ status, text }) => [status, text]),
      );
      expect(early.map(({ headers }) => dateless(headers))).toEqual(
        late.map(({ headers }) => dateless(headers)),
      );
    },
  );

  it('says in /ready why it is not', async () => {
    const ready = ReadyResponse.parse(JSON.parse((await call(port, 'GET', '/ready')).text));
    expect(ready).toEqual({ status: 'not ready', reasons: ['starting'], warnings: [] });
  });

  it.each([
    ['GET', '/api/lattice/p2p/status'],
    ['PUT', KEY],
    ['POST', '/health'],
    ['GET', '/health?deep=1'],
    ['OPTIONS', '/ready'],
    ['GET', '/no/such/route'],
    ['POST', '/api/lattice/sync'],
  ])('refuses %s %s with a problem, for now', async (method, path) => {
    const answer = await call(port, method, path, method === 'PUT' ? { body: { value: 1 } } : {});
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': '1',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(Problem.parse(JSON.parse(answer.text))).toMatchObject({
      success: false,
      type: 'urn:aethel:problem:starting',
      status: 503,
    });
  });

  it('refuses what is no HTTP as ever', async () => {
    const answer = await call(port, 'GET', '/health', { headers: { 'X-Long': 'x'.repeat(20_000) } });
    expect(Problem.parse(JSON.parse(answer.text)).type).toBe('urn:aethel:problem:headers-too-large');
  });

  it('hands its connections over: the next request on the same one is answered by the app', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const lattice = new FakeLattice();
    expect(await on(agent, port, { value: 1 })).toMatchObject({ status: 503, reused: false });
    server.serve(appOf(lattice));
    expect(await on(agent, port, { value: 2 })).toMatchObject({ status: 201, reused: true });
    expect(lattice.values.size).toBe(1);
    agent.destroy();
  });

  it('leaves a request to the app that has not arrived when the app takes over', async () => {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    socket.on('data', (chunk) => (got += String(chunk)));
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /api/lattice/nodes HTT');
    await eventually(() => got.includes('healthy'));
    server.serve(appOf(new FakeLattice()));
    socket.write('P/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => got.includes('"nodes"'));
    expect(got.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    socket.destroy();
  });

  it('closes, and leaves no socket', async () => {
    const idle = connect(port, '127.0.0.1').resume();
    const closed = new Promise((resolve) => idle.once('close', resolve));
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => idle.once('data', resolve));
    await server.close();
    await closed;
    await expect(call(port, 'GET', '/health')).rejects.toThrow(/ECONNREFUSED/);
  });
});

function appOf(lattice: FakeLattice): ServedApp {
  const ignore = (): void => undefined;
  return createApp(
    {
      api: lattice,
      metricsText: async () => '',
      logger: { error: ignore, warn: ignore, info: ignore, debug: ignore },
    },
    { apiToken: null, insecure: false },
  );
}

function dateless(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return { ...headers, date: 'now' };
}

/** PUTs the key over the agent's connection. */
async function on(
  agent: Agent,
  port: number,
  body: unknown,
): Promise<{ readonly status: number; readonly reused: boolean }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const sent: ClientRequest = ask({ host: '127.0.0.1', port, agent, method: 'PUT', path: KEY, headers });
    sent.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve({ status: response.statusCode ?? 0, reused: sent.reusedSocket }));
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}
