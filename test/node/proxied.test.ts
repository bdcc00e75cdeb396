/** Real nodes that breathe over HTTP alone, one of them behind a proxy with a habit. Whatever the habit, all that fits through arrives. */
import { LatticeClient } from '../../chaos/cluster/client.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { ReverseProxy, type Habits } from './reverse-proxy.ts';

const LIMIT = 65_536;
const LARGE = 'x'.repeat(60_000);

interface World {
  readonly asker: LatticeClient;
  readonly behind: LatticeClient;
  readonly proxy: ReverseProxy;
  readonly nodes: readonly NodeProcess[];
}

describe('behind a proxy', () => {
  const ends: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  it.each(['refused', 'reset'] as const)(
    'that takes bodies of 64 KiB at most (more is %s) eight values of 60 KB arrive, with one warning',
    async (tooLarge) => {
      const world = await opened({ bodyBytesMax: LIMIT, tooLarge });
      await Promise.all(Array.from({ length: 8 }, (_, n) => world.asker.put(`large/${n}`, LARGE)));
      await arrived(world, 'behind', 8);
      const warned = world.nodes[0]?.output.match(/something between takes no/g) ?? [];
      expect([world.proxy.tooLarge > 0, warned.length <= 1]).toEqual([true, true]);
    },
    60_000,
  );

  it('that passes answers of 64 KiB at most, eight values of 60 KB come', async () => {
    const world = await opened({ answerBytesMax: LIMIT });
    await Promise.all(Array.from({ length: 8 }, (_, n) => world.behind.put(`large/${n}`, LARGE)));
    await arrived(world, 'asker', 8);
    expect(world.proxy.tooLarge).toBeGreaterThan(0);
  }, 60_000);

  it.each(['refused', 'reset'] as const)(
    'that is too small for one value (it is %s) the others go on, and the one is named in one warning',
    async (tooLarge) => {
      const world = await opened({ bodyBytesMax: 32_768, tooLarge });
      await world.asker.put('a/large', LARGE);
      for (let n = 0; n < 5; n += 1) await world.asker.put(`small/${n}`, n);
      await arrived(world, 'behind', 5);
      await world.nodes[0]?.says(/a record of 60\d{3} bytes does not reach/, 20_000);
      const before = world.proxy.tooLarge;
      for (let n = 5; n < 25; n += 1) {
        await world.asker.put(`small/${n}`, n);
        await arrived(world, 'behind', n + 1);
      }
      // Held: it is not tried again and again.
      expect(world.proxy.tooLarge - before).toBeLessThanOrEqual(1);
      expect(world.nodes[0]?.output.match(/a record of 60\d{3} bytes does not reach/g)).toHaveLength(1);
    },
    60_000,
  );

  it.each([
    ['drops If-None-Match', { dropped: ['if-none-match', 'aethel-port'] }],
    ['drops ETag', { dropped: ['etag', 'aethel-port'] }],
    ['makes tags weak', { isWeakening: true }],
  ] satisfies (readonly [string, Habits])[])(
    'that %s polls are evidence all the same: the mode stays HTTP and writes arrive',
    async (_what, habits) => {
      const world = await opened(habits);
      for (let n = 1; n <= 12; n += 1) {
        await world.behind.put(`small/${n}`, n);
        await arrived(world, 'asker', n);
      }
      const [asker] = world.nodes;
      expect(asker?.output).not.toMatch(/→ NONE|dead|refused a/);
    },
    60_000,
  );

  async function opened(habits: Habits): Promise<World> {
    const [portA, portB] = [await freePort(), await freePort()];
    // The one behind it is not to find another way.
    const proxy = new ReverseProxy(portB, { dropped: ['aethel-port'], ...habits });
    const url = await proxy.start();
    ends.push(() => proxy.stop());
    const nodes = [start(portA, { AETHEL_LATTICE_NODES: url }), start(portB, {})];
    const [asker, behind] = [portA, portB].map((port) => {
      const client = new LatticeClient(() => `http://127.0.0.1:${port}`, null, { timeoutMs: 5_000 });
      ends.push(() => client.close());
      return client;
    });
    if (asker === undefined || behind === undefined) throw new Error('two nodes');
    await until(async () => ((await asker.status()).sync_mode === 'HTTP' ? true : null), nodes, 30_000);
    return { asker, behind, proxy, nodes };
  }

  async function arrived(world: World, at: 'asker' | 'behind', count: number): Promise<void> {
    const claim = async (): Promise<true | null> =>
      (await world[at].status()).state_size >= count ? true : null;
    await until(claim, world.nodes, 40_000);
  }

  function start(http: number, env: Readonly<Record<string, string>>): NodeProcess {
    const node = new NodeProcess();
    ends.push(() => node.close());
    node.start(environment(http, env));
    return node;
  }
});
