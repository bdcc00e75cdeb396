import express from 'express';
import { isLoopbackAddress, writerCheck } from './auth.ts';
import type { AuthOptions } from './auth.ts';
import { call } from './http-client.fixture.ts';
import { problemHandler } from './problems.ts';
import { HttpServer } from './server.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('a node with a token', () => {
  it.each([
    ['the token', { Authorization: 'Bearer s3cret-token' }, 200],
    ['the token, scheme in lower case', { Authorization: 'bearer s3cret-token' }, 200],
    ['no header', {}, 401],
    ['another token', { Authorization: 'Bearer s3cret-tokem' }, 401],
    ['a prefix of the token', { Authorization: 'Bearer s3cret' }, 401],
    ['an empty token', { Authorization: 'Bearer ' }, 401],
    ['another scheme', { Authorization: 'Basic s3cret-token' }, 401],
    ['two tokens', { Authorization: 'Bearer x s3cret-token' }, 401],
  ])('lets %s through as it should', async (_name, headers, status) => {
    const port = await start({ apiToken: 's3cret-token' });
    const answer = await call(port, 'POST', '/', { headers });
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="aethel"/);
    expect(answer.text).not.toContain('s3cret');
  });

  it('asks for it even on this machine and when insecure', async () => {
    const port = await start({ apiToken: 's3cret-token', insecure: true });
    expect((await call(port, 'POST', '/')).status).toBe(401);
  });
});

describe('a node without a token', () => {
  it.each([
    ['curl on this machine', {}, 200],
    ['a page of this machine', { Origin: 'http://localhost:8000' }, 200],
    ['a page of this machine over IPv6', { Origin: 'http://[::1]:8000' }, 200],
    ['a page of the own host', { Origin: 'http://node-1:8000' }, 200],
    ['a foreign page', { Origin: 'https://evil.example' }, 403],
    [
      'a foreign page after DNS rebinding',
      { Origin: 'http://evil.example:8000', Host: 'evil.example:8000' },
      403,
    ],
    ['a host that looks like loopback', { Origin: 'http://127.0.0.1.evil.example' }, 403],
    ['a page without an origin', { Origin: 'null' }, 403],
    ['an extension', { Origin: 'chrome-extension://abc' }, 403],
    ['what a proxy on this machine forwards', { 'X-Forwarded-For': '203.0.113.9' }, 403],
  ])('treats %s as it should', async (_name, headers, status) => {
    const port = await start({});
    const answer = await call(port, 'POST', '/', { headers });
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.text).toContain('AETHEL_API_TOKEN');
  });

  it('refuses foreign pages even when insecure, and forwarded clients then not', async () => {
    const port = await start({ insecure: true });
    expect((await call(port, 'POST', '/', { headers: { Origin: 'https://evil.example' } })).status).toBe(403);
    expect((await call(port, 'POST', '/', { headers: { Via: '1.1 proxy' } })).status).toBe(200);
  });
});

it.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:10.0.0.1', false],
  ['128.0.0.1', false],
  ['0.0.0.0', false],
  ['127.0.0.1.evil.example', false],
  ['', false],
  [undefined, false],
])('takes %s for loopback: %s', (address, isLoopback) => {
  expect(isLoopbackAddress(address)).toBe(isLoopback);
});

async function start(options: Partial<AuthOptions>): Promise<number> {
  const app = express();
  const assertWriter = writerCheck({ apiToken: null, insecure: false, ownHosts: ['node-1'], ...options });
  app.use((request, response) => {
    assertWriter(request);
    response.json({});
  });
  const ignore = (): void => undefined;
  app.use(problemHandler({ error: ignore, warn: ignore, info: ignore, debug: ignore }));
  const server = new HttpServer({ host: '127.0.0.1', port: 0 });
  server.serve(app);
  servers.push(server);
  return await server.listen();
}
