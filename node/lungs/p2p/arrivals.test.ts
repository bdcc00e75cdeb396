import { HandClock } from '../../hand-clock.fixture.ts';
import { Arrivals } from './arrivals.ts';

describe('arrivals', () => {
  it('are admitted some at a time, the next when a handshake is over or its connection ends', async () => {
    const world = new World(2);
    const [first, second] = [await world.comes('a'), await world.comes('b')];
    await world.comes('c');
    await world.comes('d');
    expect(world.admitted).toEqual(['a', 'b']);
    world.arrivals.leave(first);
    await turn();
    expect(world.admitted).toEqual(['a', 'b', 'c']);
    second.close();
    await turn();
    expect(world.admitted).toEqual(['a', 'b', 'c', 'd']);
    expect(world.arrivals.underWay).toBe(2);
  });

  it('that say nothing more keep nobody waiting for long', async () => {
    const world = new World(1);
    await world.comes('silent');
    await world.comes('next');
    world.clock.pass(499);
    await turn();
    expect(world.admitted).toEqual(['silent']);
    world.clock.pass(1);
    await turn();
    expect(world.admitted).toEqual(['silent', 'next']);
  });

  it('that go away while they wait are no longer waited for', async () => {
    const world = new World(1);
    const first = await world.comes('first');
    const gone = await world.comes('gone');
    await world.comes('last');
    gone.close();
    world.arrivals.leave(first);
    await turn();
    expect(world.admitted).toEqual(['first', 'gone', 'last']);
    expect(world.arrivals.underWay).toBe(1);
  });

  it('that are over before their turn take none', async () => {
    const world = new World(1);
    const over = new FakeArrival();
    over.close();
    await world.arrivals.enter(over);
    expect(world.arrivals.underWay).toBe(0);
  });
});

class FakeArrival extends EventTarget {
  status = 'open';

  close(): void {
    this.status = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

class World {
  readonly admitted: string[] = [];
  readonly arrivals: Arrivals;
  readonly clock = new HandClock();

  constructor(atOnce: number) {
    this.arrivals = new Arrivals({ clock: this.clock, atOnce: () => atOnce, turnMs: () => 500 });
  }

  async comes(name: string): Promise<FakeArrival> {
    const arrival = new FakeArrival();
    void this.arrivals.enter(arrival).then(() => this.admitted.push(name));
    await turn();
    return arrival;
  }
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}
