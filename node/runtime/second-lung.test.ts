import { SecondLung } from './second-lung.ts';

describe('the second lung', () => {
  it('that reaches nobody is told once when that has lasted, with the proxy, and is no warning once it does', () => {
    const world = new World();
    world.reached = { p2p: 2, http: 0 };
    world.pass(30_000);
    expect([world.told, world.lung.warnings()]).toEqual([[], []]);
    world.pass(300_000);
    expect(world.told).toEqual([
      expect.stringMatching(/^warn HTTP reaches no member .*http:\/\/proxy\.test:3128/),
    ]);
    expect(world.lung.warnings()).toHaveLength(1);
    world.reached = { p2p: 2, http: 1 };
    world.pass(10_000);
    expect(world.lung.warnings()).toEqual([]);
    expect(world.told).toHaveLength(2);
  });

  it('is P2P where HTTP carries, without a word of proxies', () => {
    const world = new World();
    world.reached = { p2p: 0, http: 2 };
    world.pass(60_000);
    expect(world.lung.warnings()).toEqual([
      'P2P reaches no member though HTTP does: without HTTP this node is alone',
    ]);
  });

  it.each([
    [{ p2p: 0, http: 0 }, 'nobody is there'],
    [{ p2p: null, http: 2 }, 'P2P is switched off'],
    [{ p2p: 1, http: 1 }, 'both reach somebody'],
  ])('is no matter where %j: %s', (reached, _why) => {
    const world = new World();
    world.reached = reached;
    world.pass(300_000);
    expect(world.told).toEqual([]);
  });

  it('that comes and goes is not told', () => {
    const world = new World();
    for (let n = 0; n < 20; n += 1) {
      world.reached = { p2p: 2, http: n % 2 };
      world.pass(20_000);
    }
    expect(world.told).toEqual([]);
  });
});

class World {
  reached: { readonly p2p: number | null; readonly http: number } = { p2p: 0, http: 0 };
  readonly told: string[] = [];
  readonly lung: SecondLung;
  #now = 0;
  #next: { readonly at: number; readonly run: () => void } | null = null;

  constructor() {
    const note =
      (level: string) =>
      (message: string): number =>
        this.told.push(`${level} ${message}`);
    this.lung = new SecondLung({
      clock: {
        wallMs: () => this.#now,
        monotonicMs: () => this.#now,
        after: (ms, run) => {
          this.#next = { at: this.#now + ms, run };
          return () => (this.#next = null);
        },
      },
      logger: { error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') },
      p2pReached: () => this.reached.p2p,
      httpReached: () => this.reached.http,
      proxies: () => ['http://proxy.test:3128'],
    });
    this.lung.start();
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    while (this.#next !== null && this.#next.at <= end) {
      const { at, run } = this.#next;
      this.#now = at;
      run();
    }
    this.#now = end;
  }
}
