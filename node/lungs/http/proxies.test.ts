import { execFile } from 'node:child_process';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { forwardProxy, type ForwardProxy } from './forward-proxy.fixture.ts';
import { poolFor } from './proxies.ts';
import { hasOpenssl, throwAwayCa, type ThrowAwayCa } from './throw-away-ca.fixture.ts';
import { eventsOf, eventually, nodeId, ROOT_A, ROOT_B, World, type TestLung } from './world.fixture.ts';

const PEER = nodeId(2);

describe('the way to a member', () => {
  const PROXY = 'http://127.0.0.1:3128';

  it.each<[string, readonly string[], boolean]>([
    ['http://member.test:8000', [], true],
    ['http://192.0.2.1:8000', [], true],
    ['http://localhost:8000', [], false],
    ['http://127.0.0.1:8000', [], false],
    ['http://127.9.9.9:8000', [], false],
    ['http://[::1]:8000', [], false],
    ['http://[2001:db8::1]:8000', [], true],
    ['http://10.1.2.3:8000', ['10.0.0.0/8'], false],
    ['http://11.1.2.3:8000', ['10.0.0.0/8'], true],
    ['http://[2001:db8::1]:8000', ['2001:db8::/32'], false],
    ['http://10.1.2.3:8000', ['10.0.0.0/99', '/8', 'nonsense/8'], true],
  ])('to %s, with %j exempt, leads through the proxy: %s', (url, exempt, isProxied) => {
    expect(poolFor(url, { http: PROXY, https: null, exempt }).isProxied).toBe(isProxied);
  });

  it('is chosen by the scheme', () => {
    const proxies = { http: null, https: PROXY, exempt: [] };
    expect(poolFor('http://member.test', proxies).isProxied).toBe(false);
    expect(poolFor('https://member.test', proxies).isProxied).toBe(true);
  });
});

describe('HttpLung behind a proxy', () => {
  let world: World;
  let proxy: ForwardProxy;
  beforeEach(async () => {
    world = new World();
    proxy = await forwardProxy();
  });
  afterEach(async () => {
    await world.end();
    await proxy.end();
  });

  it('asks members with http:// by absolute URLs, and keeps the socket', async () => {
    const server = await world.server();
    const url = named(server.url);
    const through = proxy.url.replace('//', '//user:pass@');
    const lung = await world.lung({ urls: [url], proxies: { http: through, https: null, exempt: [] } });
    await eventually(() => eventsOf(lung.events, 'heard')[0]);
    await poll(lung);
    await ask(lung);
    expect(lung.lung.urlOf(PEER)).toBe(url);
    expect(proxy.asked).toEqual([
      `GET ${url}/api/lattice/state as user:pass`,
      `GET ${url}/api/lattice/state?wait=1 as user:pass`,
      `POST ${url}/api/lattice/sync as user:pass`,
    ]);
    expect(proxy.open()).toBe(1);
    expect([lung.lung.answering, lung.lung.proxiesInUse()]).toEqual([1, [proxy.url]]);
  });

  it('reaches nobody where the proxy swallows what is for members, and names the proxy without its password', async () => {
    const url = 'http://127.0.0.1:1';
    const through = url.replace('//', '//user:secret@');
    const lung = await world.lung({
      urls: ['http://member.test'],
      proxies: { http: through, https: null, exempt: [] },
    });
    await eventually(() => lung.warnings.length > 0);
    expect([lung.lung.answering, lung.lung.proxiesInUse()]).toEqual([0, [url]]);
  });

  it('goes straight to whom NO_PROXY names', async () => {
    const server = await world.server();
    const urls = [server.url.replace('127.0.0.1', 'localhost')];
    const lung = await world.lung({ urls, proxies: { http: proxy.url, https: null, exempt: ['localhost'] } });
    await eventually(() => eventsOf(lung.events, 'heard')[0]);
    expect(proxy.asked).toEqual([]);
  });

  const describeTls = hasOpenssl() ? describe : describe.skip;
  describeTls('over TLS with a private CA (skipped without openssl)', () => {
    const trusted = getCACertificates('default');
    let ca: ThrowAwayCa;
    beforeAll(() => {
      ca = throwAwayCa(['DNS:member.test', 'IP:127.0.0.1']);
      setDefaultCACertificates([...trusted, ca.pem]);
    });
    afterAll(() => {
      setDefaultCACertificates(trusted);
      ca.end();
    });

    it('asks members with https:// through a tunnel, and keeps it', async () => {
      const lung = await throughTunnel();
      await poll(lung);
      await ask(lung);
      expect(proxy.asked).toEqual([expect.stringMatching(/^CONNECT member\.test:\d+$/)]);
    });

    it('digs a new tunnel when the old one broke', async () => {
      const lung = await throughTunnel();
      lung.lung.perform({ type: 'reset', peer: PEER });
      await poll(lung);
      expect(proxy.asked).toHaveLength(2);
    });

    it('is silent where the proxy refuses or does not answer, hears again after, and leaves no tunnel behind', async () => {
      const lung = await throughTunnel({ answerMs: 200 });
      proxy.mood = 'forbidden';
      lung.lung.perform({ type: 'reset', peer: PEER });
      expect(await silence(lung)).toMatch(/403/);
      proxy.mood = 'mute';
      expect(await silence(lung)).toBe('timeout');
      proxy.mood = 'open';
      await poll(lung);
      proxy.mood = 'mute';
      lung.lung.perform({ type: 'reset', peer: PEER });
      lung.lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
      await eventually(() => proxy.asked.length >= 5);
      await lung.lung.stop();
      await eventually(() => proxy.open() === 0);
    });

    it('trusts a CA that NODE_EXTRA_CA_CERTS names, and nobody else’s', async () => {
      const server = await world.server({ tls: ca.server });
      expect(await heardByChild(server.url, { NODE_EXTRA_CA_CERTS: ca.file })).toBe(`heard ${PEER}`);
      expect(await heardByChild(server.url, {})).toMatch(/certificate/);
    });

    async function throughTunnel(options: { readonly answerMs?: number } = {}): Promise<TestLung> {
      const server = await world.server({ tls: ca.server });
      const lung = await world.lung({
        urls: [named(server.url)],
        proxies: { http: null, https: proxy.url, exempt: [] },
        ...options,
      });
      await eventually(() => eventsOf(lung.events, 'heard')[0]);
      return lung;
    }
  });
});

/** A name that only the proxy can resolve. */
function named(url: string): string {
  return url.replace('127.0.0.1', 'member.test');
}

async function poll({ lung, events }: TestLung): Promise<void> {
  const before = eventsOf(events, 'heard').length;
  lung.perform({ type: 'poll', peer: PEER, root: ROOT_B, waitMs: 1_000 });
  await eventually(() => eventsOf(events, 'heard').length > before);
}

async function ask({ lung, events }: TestLung): Promise<void> {
  lung.perform({ type: 'ask', peer: PEER, exchange: 1, bytes: Uint8Array.of(1, 2), timeoutMs: 5_000 });
  const answered = await eventually(() => eventsOf(events, 'answered')[0]);
  expect(Uint8Array.from(answered.bytes)).toEqual(Uint8Array.of(2, 1));
}

async function silence({ lung, events }: TestLung): Promise<string> {
  const before = eventsOf(events, 'silent').length;
  lung.perform({ type: 'poll', peer: PEER, root: ROOT_A, waitMs: 0 });
  const silent = await eventually(() => eventsOf(events, 'silent')[before]);
  return silent.reason;
}

/** Node reads its own variables at its start, so this takes a process of its own. @returns what a lung there hears first */
async function heardByChild(url: string, env: Readonly<Record<string, string>>): Promise<string> {
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { CLUSTER_KEY, clockOff, nodeId } from ${here('world.fixture.ts')};
    import { HttpLung } from ${here('http-lung.ts')};
    const ignore = () => undefined;
    const say = (line) => { console.log(line); process.exit(0); };
    const logger = { error: ignore, warn: ignore, info: ignore, debug: (_, { reason }) => reason && say(reason) };
    const lung = new HttpLung({ self: nodeId(1), key: CLUSTER_KEY, clock: clockOff(), logger }, { urls: ['${url}'], answerMs: 10000 });
    await lung.start((event) => event.type === 'heard' && say('heard ' + event.peer));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env['PATH'], ...env },
    timeout: 30_000,
  });
  return stdout.trim();
}
