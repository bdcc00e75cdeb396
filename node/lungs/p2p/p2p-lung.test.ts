/** What the P2P lung promises beyond the contract of every lung: membership, failing to start, and healing. */
import { execFile } from 'node:child_process';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import {
  identityFrom,
  linked,
  realClock,
  Recorded,
  silentLogger,
  timersEnded,
  until,
  beaconOf,
} from '../../../test/contract/lung-kit.ts';
import { SilentProxy } from '../../../test/contract/lung-proxy.ts';
import type { Clock, CountBytes, LungEvent } from '../../ports.ts';
import { P2pLung } from './p2p-lung.ts';
import type { P2pModules } from './p2p-lung.ts';
import { P2pStartError } from './errors.ts';
import type { P2pKnobs, P2pSettings } from './options.ts';

const KEY = new Uint8Array(32).fill(1);
const HERE = '/ip4/127.0.0.1/tcp/0';
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

afterAll(timersEnded);

interface Member extends Recorded {
  readonly lung: P2pLung;
}

function member(
  seedByte: number,
  options: Partial<P2pSettings & P2pKnobs> = {},
  modules: Partial<P2pModules> = {},
): Member {
  const identity = identityFrom(seedByte);
  const lung = new P2pLung(
    { identity, logger: silentLogger, clock: realClock, rng: Math.random, ...modules },
    { listen: [HERE], topic: 'test', clusterKey: KEY, bootstrap: [], ...options },
  );
  cleanups.push(() => lung.stop());
  return Object.assign(new Recorded(lung, identity.id), { lung });
}

async function started(
  seedByte: number,
  options: Partial<P2pSettings & P2pKnobs> = {},
  modules: Partial<P2pModules> = {},
): Promise<Member> {
  const made = member(seedByte, options, modules);
  await made.start();
  return made;
}

function portOf(of: Member): number {
  return Number(of.lung.listenMultiaddrs()[0]?.split('/')[4]);
}

async function proxyTo(of: Member): Promise<{ readonly proxy: SilentProxy; readonly address: string }> {
  const proxy = new SilentProxy(portOf(of));
  cleanups.push(() => proxy.stop());
  return { proxy, address: `/ip4/127.0.0.1/tcp/${await proxy.start()}` };
}

/** Two members whose only way to each other is a proxy. */
async function proxied(): Promise<{ readonly a: Member; readonly b: Member; readonly proxy: SilentProxy }> {
  const b = await started(2, { addressesPerPeerMax: 0 });
  const { proxy, address } = await proxyTo(b);
  const a = await started(1, { addressesPerPeerMax: 0, bootstrap: [address] });
  await linked(a, b);
  return { a, b, proxy };
}

async function gossipFlows(from: Member, to: Member): Promise<void> {
  let count = 0;
  const tag = `${from.id} ${performance.now()}`;
  await until('gossip arrives', () => {
    from.lung.perform({ type: 'publish', bytes: Buffer.from(`${tag} ${(count += 1)}`) });
    return to.all('gossip').some((event) => Buffer.from(event.bytes).toString().startsWith(tag));
  });
}

describe('membership', () => {
  it('has the name of its identity', async () => {
    const a = await started(1);
    expect(a.lung.listenMultiaddrs()).toEqual([
      expect.stringMatching(new RegExp(`^/ip4/127.0.0.1/tcp/\\d+/p2p/${a.id}$`)),
    ]);
  });

  it('never links to a peer with another cluster key, and reports the stranger', async () => {
    const a = await started(1, { handshakeTimeoutMs: 300 });
    const b = await started(2, {
      handshakeTimeoutMs: 300,
      clusterKey: new Uint8Array(32).fill(2),
      bootstrap: a.lung.listenMultiaddrs(),
    });
    await until('a refused', () => a.all('refused').some((event) => event.what === 'peer'));
    await until('b was refused', () => b.all('refused').some((event) => event.what === 'peer'));
    expect([...a.all('link'), ...b.all('link')]).toEqual([]);
  });

  it('does not link to a peer of another topic', async () => {
    const a = await started(1, { gossipTimeoutMinMs: 200 });
    const b = await started(2, {
      topic: 'other',
      gossipTimeoutMinMs: 200,
      bootstrap: a.lung.listenMultiaddrs(),
    });
    await until('connected for a while', () => {
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 1, bytes: new Uint8Array(1), timeoutMs: 500 });
      return b.all('asked').length >= 20;
    });
    expect([...a.all('link'), ...b.all('link')]).toEqual([]);
  });
});

describe('starting', () => {
  it('fails with p2p_listen_failed when the port is taken, and leaves nothing', async () => {
    const holder = net.createServer();
    await new Promise<void>((resolve) => {
      holder.listen(0, '127.0.0.1', resolve);
    });
    cleanups.push(
      () =>
        new Promise((resolve) => {
          holder.close(() => resolve());
        }),
    );
    const { port } = holder.address() as AddressInfo;
    const a = member(1, { listen: [`/ip4/127.0.0.1/tcp/${port}`] });
    await expect(a.start()).rejects.toEqual(
      expect.objectContaining({ code: 'p2p_listen_failed', message: expect.stringContaining('EADDRINUSE') }),
    );
    expect(a.lung.listenMultiaddrs()).toEqual([]);
  });

  it('fails when one of two ports is taken', async () => {
    const b = await started(2);
    const a = member(1, { listen: [HERE, `/ip4/127.0.0.1/tcp/${portOf(b)}`] });
    await expect(a.start()).rejects.toBeInstanceOf(P2pStartError);
  });

  it('fails with p2p_listen_failed on an address that is none', async () => {
    await expect(member(1, { listen: ['nonsense'] }).start()).rejects.toEqual(
      expect.objectContaining({ code: 'p2p_listen_failed' }),
    );
  });

  it('fails with p2p_start_timeout when it takes too long', async () => {
    const hasty: Clock = {
      ...realClock,
      after: (_ms, run) => {
        queueMicrotask(run);
        return () => undefined;
      },
    };
    await expect(member(1, {}, { clock: hasty }).start()).rejects.toEqual(
      expect.objectContaining({ code: 'p2p_start_timeout' }),
    );
  });

  it('fails with p2p_bad_key on a short cluster key', async () => {
    await expect(member(1, { clusterKey: new Uint8Array(16) }).start()).rejects.toEqual(
      expect.objectContaining({ code: 'p2p_bad_key' }),
    );
  });

  it('fails with p2p_bad_key when the seed is not the identity’s', async () => {
    const identity = { ...identityFrom(1), id: identityFrom(2).id };
    const lung = new P2pLung(
      { identity, logger: silentLogger, clock: realClock, rng: Math.random },
      { listen: [], topic: 'test', clusterKey: KEY, bootstrap: [] },
    );
    await expect(lung.start(() => undefined)).rejects.toEqual(
      expect.objectContaining({ code: 'p2p_bad_key' }),
    );
  });

  it('gives up a start when stopped', async () => {
    const a = member(1);
    const start = a.start();
    const stop = a.lung.stop();
    await expect(start).rejects.toEqual(expect.objectContaining({ code: 'p2p_stopped' }));
    await stop;
  });

  it('lets the process end by itself after stop', async () => {
    const script = `
      const { P2pLung } = await import(${JSON.stringify(new URL('p2p-lung.ts', import.meta.url).href)});
      const { identityFrom, linked, realClock, Recorded, silentLogger, beaconOf } = await import(${JSON.stringify(new URL('../../../test/contract/lung-kit.ts', import.meta.url).href)});
      const make = async (seed, bootstrap) => {
        const identity = identityFrom(seed);
        const modules = { identity, logger: silentLogger, clock: realClock, rng: Math.random };
        const lung = new P2pLung(modules, { listen: ['${HERE}'], topic: 't', clusterKey: new Uint8Array(32), bootstrap });
        const recorded = new Recorded(lung, identity.id);
        await recorded.start();
        return recorded;
      };
      const a = await make(1, []);
      const b = await make(2, [...a.lung.listenMultiaddrs(), '/ip4/127.0.0.1/tcp/9']);
      await linked(a, b);
      a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 1) });
      a.lung.perform({ type: 'ask', peer: b.id, exchange: 1, bytes: new Uint8Array(9), timeoutMs: 60000 });
      await Promise.all([a.lung.stop(), b.lung.stop()]);
      console.log('stopped');`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 20_000,
    });
    expect(stdout.trim()).toBe('stopped');
  });
});

describe('gossip', () => {
  it('is relayed by a node in the middle', async () => {
    const b = await started(2);
    const a = await started(1, { bootstrap: b.lung.listenMultiaddrs() });
    const c = await started(3, { bootstrap: b.lung.listenMultiaddrs() });
    await Promise.all([linked(a, b), linked(c, b)]);
    await gossipFlows(a, c);
    expect(c.all('gossip').every((event) => event.peer === b.id)).toBe(true);
    expect(c.isLinked(a.id)).toBe(false);
  });
});

describe('finding peers', () => {
  it('ends with one working link when both dial at once', async () => {
    const a = await started(1);
    const b = await started(2);
    a.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(b)}`);
    b.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(a)}`);
    await linked(a, b);
    await Promise.all([gossipFlows(a, b), gossipFlows(b, a)]);
  });

  it('learns an address without id, and drops its own', async () => {
    const a = await started(1);
    const b = await started(2);
    a.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(a)}`);
    a.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(b)}`);
    await linked(a, b);
    await until('learned', () => a.lung.knownAddresses().length === 1);
    expect(a.lung.knownAddresses()).toEqual([expect.objectContaining({ peer: b.id })]);
    a.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(a)}`);
    expect(a.lung.knownAddresses().length).toBe(1);
    expect(a.all('refused')).toEqual([]);
  });

  it('keeps the link when a second address leads to a connected member', async () => {
    const { a, b } = await proxied();
    a.lung.addAddress(`/ip4/127.0.0.1/tcp/${portOf(b)}`);
    const { address } = await proxyTo(b);
    a.lung.addAddress(address);
    await until('learned', () => {
      a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 1) });
      b.lung.perform({ type: 'beat', peer: a.id, beacon: beaconOf('a', 1) });
      return a.lung.knownAddresses().every((known) => known.peer === b.id);
    });
    await gossipFlows(b, a);
    expect(a.isLinked(b.id)).toBe(true);
  });

  it('waits for a peer that comes later', async () => {
    const first = await started(2);
    const port = portOf(first);
    await first.lung.stop();
    const a = await started(1, { bootstrap: [`/ip4/127.0.0.1/tcp/${port}`] });
    const b = await started(2, { listen: [`/ip4/127.0.0.1/tcp/${port}`] });
    await linked(a, b);
  });
});

describe('a far peer', () => {
  /** Each way takes 80 ms. */
  async function far(dialTimeoutsMs: P2pKnobs['dialTimeoutsMs']): Promise<readonly [Member, Member]> {
    const b = await started(2, { addressesPerPeerMax: 0 });
    const way = net.createServer((near) => {
      const ends = net.connect(portOf(b), '127.0.0.1');
      for (const [from, to] of [
        [near, ends],
        [ends, near],
      ] as const) {
        from.on('data', (bytes) => void setTimeout(() => to.write(bytes), 80));
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
      }
    });
    await new Promise<void>((resolve) => {
      way.listen(0, '127.0.0.1', resolve);
    });
    cleanups.push(
      () =>
        new Promise((resolve) => {
          way.close(() => resolve());
        }),
    );
    const bootstrap = [`/ip4/127.0.0.1/tcp/${(way.address() as AddressInfo).port}`];
    const a = await started(1, { addressesPerPeerMax: 0, bootstrap, redialMinMs: 50, dialTimeoutsMs });
    return [a, b];
  }

  it('is reached, as not every dial is a short one', async () => {
    await linked(...(await far([50, 1000])));
  });
});

describe('what is told of a peer beside gossip', () => {
  it('is where it answers HTTP, at the host where it is seen', async () => {
    const listen = { host: '0.0.0.0', port: 8123 };
    const a = await started(1);
    const b = await started(2, { bootstrap: a.lung.listenMultiaddrs() }, { httpListen: () => listen });
    await linked(a, b);
    expect(await a.lung.httpUrlsOf(b.id)).toEqual(['http://127.0.0.1:8123']);
    expect(await b.lung.httpUrlsOf(a.id)).toEqual([]);
    expect(await a.lung.httpUrlsOf(identityFrom(9).id)).toBeNull();
    await b.lung.stop();
    expect(await a.lung.httpUrlsOf(b.id)).toBeNull();
    expect(await b.lung.httpUrlsOf(a.id)).toBeNull();
  });

  it('counts its bytes by what they are for', async () => {
    const bytes = new Map<string, number>();
    const onBytes: CountBytes = (direction, kind, n) => {
      bytes.set(`${direction} ${kind}`, (bytes.get(`${direction} ${kind}`) ?? 0) + n);
    };
    const a = await started(1, {}, { onBytes });
    const b = await started(2, { bootstrap: a.lung.listenMultiaddrs() });
    await linked(a, b);
    b.onAsked = () => new Uint8Array(300);
    a.lung.perform({ type: 'ask', peer: b.id, exchange: 1, bytes: new Uint8Array(200), timeoutMs: 5000 });
    a.lung.perform({ type: 'publish', bytes: new Uint8Array(1000) });
    b.lung.perform({ type: 'publish', bytes: new Uint8Array(500) });
    a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 1) });
    b.lung.perform({ type: 'beat', peer: a.id, beacon: beaconOf('b', 1) });
    await until('all are counted', () => bytes.size === 6);
    expect(Object.fromEntries(bytes)).toEqual({
      'out exchange': 200,
      'in exchange': 300,
      'out gossip': 1000,
      'in gossip': 500,
      'out beat': 73,
      'in beat': 73,
    });
  });
});

describe('a long answer over a thin line', () => {
  it('shows all the while that its sender lives, though its heartbeats wait behind it', async () => {
    const { a, b, proxy } = await proxied();
    const [asker, answerer] = [a, b];
    answerer.onAsked = () => new Uint8Array(1_000_000);
    proxy.slow(2_000_000);
    asker.lung.perform({
      type: 'ask',
      peer: answerer.id,
      exchange: 1,
      bytes: new Uint8Array(10),
      timeoutMs: 9_000,
    });
    await until('it is answered', () => asker.all('answered').length === 1);
    const whole = asker.events.findIndex(({ type }) => type === 'answered');
    const signs = asker.events.slice(0, whole).filter(({ type }) => type === 'heard');
    expect(signs.length).toBeGreaterThanOrEqual(4);
  });
});

describe('healing', () => {
  it('relinks after a reset, and gossip flows both ways again', async () => {
    const a = await started(1);
    const b = await started(2, { bootstrap: a.lung.listenMultiaddrs() });
    await linked(a, b);
    a.lung.perform({ type: 'reset', peer: b.id });
    await until('a let go', () => a.all('link').length >= 2);
    expect(a.all('link')[1]).toEqual(expect.objectContaining({ state: 'down', reason: 'reset' }));
    await until('b noticed', () => b.all('link').length >= 2);
    await linked(a, b);
    await Promise.all([gossipFlows(a, b), gossipFlows(b, a)]);
  });

  it('notices a killed peer', async () => {
    const { a, b, proxy } = await proxied();
    proxy.kill();
    await until('both noticed', () => a.all('link').length >= 2 && b.all('link').length >= 2);
    await linked(a, b);
  });

  it('comes back from a black hole that both sides noticed', async () => {
    const { a, b, proxy } = await proxied();
    proxy.silence();
    a.lung.perform({ type: 'reset', peer: b.id });
    b.lung.perform({ type: 'reset', peer: a.id });
    proxy.heal();
    await linked(a, b);
    await Promise.all([gossipFlows(a, b), gossipFlows(b, a)]);
  });

  it('replaces a dead connection that only the other side has given up', async () => {
    const { a, b, proxy } = await proxied();
    proxy.silence();
    a.lung.perform({ type: 'reset', peer: b.id });
    expect(b.isLinked(a.id)).toBe(true);
    proxy.heal();
    await until('b replaced it', () => b.all('link').length >= 3);
    await linked(a, b);
    await Promise.all([gossipFlows(a, b), gossipFlows(b, a)]);
  });

  it('is no link again while small messages pass and large ones do not, and says so once', async () => {
    const warned: string[] = [];
    const warn = (message: string): number => warned.push(message);
    const b = await started(2, { addressesPerPeerMax: 0 }, { logger: { ...silentLogger, warn } });
    const { proxy, address } = await proxyTo(b);
    const a = await started(1, { addressesPerPeerMax: 0, bootstrap: [address] });
    await linked(a, b);
    proxy.narrow(4_000);
    proxy.kill();
    await until('it is told', () => warned.length > 0, 15_000);
    const isUp = (event: LungEvent): boolean => event.type === 'link' && event.state === 'up';
    expect([a.events.filter(isUp).length, b.events.filter(isUp).length]).toEqual([1, 1]);
    // Nobody may take such a connection for a way, by whatever came before the large message.
    const since = b.events.findLastIndex((event) => event.type === 'link' && event.state === 'down');
    expect(b.events.slice(since).filter(({ type }) => type === 'heard')).toEqual([]);
    proxy.heal();
    await until('up again', () => [a, b].every(({ events }) => events.filter(isUp).length === 2), 15_000);
    await gossipFlows(a, b);
    expect(warned.filter((message) => message.includes('MTU'))).toHaveLength(1);
  }, 40_000);

  it('answers within the time-out when the path is a black hole', async () => {
    const { a, b, proxy } = await proxied();
    proxy.silence();
    a.lung.perform({ type: 'ask', peer: b.id, exchange: 1, bytes: new Uint8Array(8), timeoutMs: 200 });
    await until('unanswered', () => a.all('unanswered').length > 0);
    expect(a.all('unanswered')).toEqual([expect.objectContaining({ exchange: 1 })]);
  });

  it('stops while the path is a black hole', async () => {
    const { a, b, proxy } = await proxied();
    proxy.silence();
    a.lung.perform({ type: 'publish', bytes: new Uint8Array(1_000_000) });
    a.lung.perform({ type: 'beat', peer: b.id, beacon: beaconOf('a', 1) });
    await Promise.all([a.lung.stop(), b.lung.stop()]);
  });

  it('gives up a peer whose gossip piles up, instead of keeping it in memory', async () => {
    const b = await started(2, { addressesPerPeerMax: 0 });
    const { proxy, address } = await proxyTo(b);
    const a = await started(1, {
      addressesPerPeerMax: 0,
      bootstrap: [address],
      gossipBufferBytesMax: 1_500_000,
    });
    await linked(a, b);
    proxy.silence();
    let count = 0;
    await until('cut off', () => {
      a.lung.perform({ type: 'publish', bytes: Buffer.alloc(1_000_000, (count += 1)) });
      return !a.isLinked(b.id);
    });
    proxy.heal();
    await linked(a, b);
  });
});
