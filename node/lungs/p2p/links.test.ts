import { identityFrom } from '../../../test/contract/lung-kit.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { Links } from './links.ts';
import { CALM } from '../pace.ts';
import type { Strain } from '../pace.ts';
import type { Connection, Stack } from './types.ts';

const PEER = identityFrom(2).id;
const TOPIC = 'test';
const OPTIONS = { topic: TOPIC, gossipTimeoutMinMs: 750, gossipTimeoutMaxMs: 3000 };

describe('a link', () => {
  it('is up when the peer is subscribed, our gossip has a stream to it, and large messages pass', async () => {
    const world = new FakeWorld();
    const connection = world.opens();
    expect(world.told).toEqual([]);
    connection.gossips = true;
    connection.isNarrow = true;
    await world.pass(100);
    expect(world.told).toEqual([]);
    connection.widen();
    await world.pass(10);
    expect(world.told).toEqual(['up']);
  });

  it('never is one on connections that pass small messages only, which is told each time, and that they pass again', async () => {
    const world = new FakeWorld();
    for (const patienceMs of [750, 1500, 3000, 3000]) {
      const connection = world.opens();
      connection.gossips = true;
      connection.isNarrow = true;
      await world.pass(patienceMs - 10);
      expect(connection.status).toBe('open');
      await world.pass(100);
      expect(connection.status).toBe('aborted');
    }
    const wide = world.opens();
    wide.gossips = true;
    await world.pass(100);
    expect(world.told).toEqual(['gone', 'gone', 'gone', 'gone', 'up']);
    expect(world.narrow).toEqual([1, 2, 3, 4, 0]);
  });

  it('gives a far member three times as long for it as its gossip took', async () => {
    const world = new FakeWorld();
    const connection = world.opens();
    await world.pass(600);
    connection.gossips = true;
    connection.isNarrow = true;
    await world.pass(1_700);
    connection.widen();
    await world.pass(10);
    expect(world.told).toEqual(['up']);
  });

  it('is given up when gossip does not come up, with more patience each time', async () => {
    const world = new FakeWorld();
    for (const patienceMs of [750, 1500, 3000, 3000]) {
      const connection = world.opens();
      await world.pass(patienceMs - 10);
      expect(connection.status).toBe('open');
      await world.pass(50);
      expect(connection.status).toBe('aborted');
    }
    expect(world.told).toEqual(['gone', 'gone', 'gone', 'gone']);
  });

  it('is waited for longer while this node is strained, though it was calm when the connection came', async () => {
    const world = new FakeWorld();
    const connection = world.opens();
    await world.pass(500);
    world.strain = { ...CALM, lagMs: 500 };
    await world.pass(3_400);
    expect(connection.status).toBe('open');
    connection.gossips = true;
    await world.pass(100);
    expect(world.told).toEqual(['up']);
  });

  it('is waited for anew when one of two connections was closed, and as briefly as at first once it was up', async () => {
    const world = new FakeWorld();
    world.opens();
    await world.pass(800);
    const [first, second] = [world.opens(), world.opens()];
    first.gossips = true;
    await world.pass(100);
    first.abort();
    second.gossips = true;
    await world.pass(100);
    second.abort();
    const [third, fourth] = [world.opens(), world.opens()];
    await world.pass(500);
    third.abort();
    await world.pass(700);
    expect(fourth.status).toBe('open');
    await world.pass(100);
    expect(fourth.status).toBe('aborted');
  });

  it('stays where gossip comes up on the other one', async () => {
    const world = new FakeWorld();
    const [first, second] = [world.opens(), world.opens()];
    first.abort();
    second.gossips = true;
    await world.pass(5_000);
    expect(second.status).toBe('open');
    expect(world.told).toEqual(['up']);
  });
});

class FakeConnection {
  readonly remotePeer = { toString: (): NodeId => PEER };
  readonly remoteAddr = '/ip4/10.0.0.2/tcp/1';
  status = 'open';
  gossips = false;
  isNarrow = false;
  readonly #passed = Promise.withResolvers<void>();
  readonly #closed: (connection: FakeConnection) => void;

  constructor(closed: (connection: FakeConnection) => void) {
    this.#closed = closed;
  }

  get streams(): readonly unknown[] {
    return this.gossips ? [{ direction: 'outbound', status: 'open', protocol: '/meshsub/1.1.0' }] : [];
  }

  passage(): Promise<void> {
    if (!this.isNarrow) this.widen();
    return this.#passed.promise;
  }

  widen(): void {
    this.#passed.resolve();
  }

  abort(): void {
    this.status = 'aborted';
    this.#closed(this);
  }
}

/** A peer that is subscribed, and as much of libp2p and of time as links touch. */
class FakeWorld {
  readonly told: string[] = [];
  readonly narrow: number[] = [];
  strain: Strain = CALM;
  readonly #stack = new EventTarget();
  #now = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor() {
    const gossip = Object.assign(new EventTarget(), { getSubscribers: () => [{ toString: () => PEER }] });
    const stack = Object.assign(this.#stack, { services: { gossip } }) as unknown as Stack;
    const clock = {
      wallMs: () => this.#now,
      monotonicMs: () => this.#now,
      after: (ms: number, run: () => void) => {
        const timer = { at: this.#now + ms, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
    };
    const links = new Links(
      {
        stack,
        clock,
        onUp: () => this.told.push('up'),
        onDown: () => this.told.push('down'),
        onGone: () => this.told.push('gone'),
        passage: (connection) => (connection as unknown as FakeConnection).passage(),
        onNarrow: (_peer, times) => this.narrow.push(times),
        strain: () => this.strain,
      },
      OPTIONS,
    );
    links.start();
  }

  opens(): FakeConnection {
    const connection = new FakeConnection((closed) => this.#tell('connection:close', closed));
    this.#tell('connection:open', connection);
    return connection;
  }

  /** Ten milliseconds at a time, timers as they fall due. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    while (this.#now < until) {
      this.#now += 10;
      const due = this.#timers.filter(({ at }) => at <= this.#now);
      this.#timers = this.#timers.filter(({ at }) => at > this.#now);
      for (const { run } of due) run();
      await Promise.resolve();
    }
  }

  #tell(name: string, connection: FakeConnection): void {
    this.#stack.dispatchEvent(new CustomEvent(name, { detail: connection as unknown as Connection }));
  }
}
