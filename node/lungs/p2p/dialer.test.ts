/** How many dials are under way at once, by what strains the node. */
import { identityFrom } from '../../../test/contract/lung-kit.ts';
import { HandClock } from '../../hand-clock.fixture.ts';
import { CALM } from '../pace.ts';
import { AddressBook } from './addresses.ts';
import type { DialOutcome } from './dialer.ts';
import { Dialer } from './dialer.ts';

const DIALS_MAX = 16;
const places = Array.from({ length: 20 }, (_, i) => `/ip4/10.0.0.${i + 1}/tcp/9000`);

describe('the dialer', () => {
  it.each([
    [0, 16],
    [240, 4],
    [2_000, 1],
  ])('dials, with timers %d ms late, %d of twenty at once', (lagMs, count) => {
    const world = new World(lagMs);
    world.accepts();
    expect(world.underWay).toBe(count);
    world.clock.pass(60_000);
    expect(world.underWay).toBe(count);
  });

  it('takes the next when one has become a link', async () => {
    const world = new World(2_000);
    world.accepts();
    await world.ends({ kind: 'member', peer: identityFrom(2).id, answeredMs: 900 });
    expect(world.dialled).toBe(2);
    expect(world.answers).toEqual([900]);
  });

  it('waits while others become links, but never with its last dial', () => {
    const world = new World(240, 4);
    expect(world.underWay).toBe(1);
  });

  it.each([
    [7, 0, 16],
    [8, 0, 1],
    [8, 120, 1],
    [8, 121, 0],
  ])('with %d links and timers %d ms late dials %d places where nobody was met', (links, lagMs, count) => {
    const world = new World(lagMs, 0, links);
    world.accepts();
    world.clock.pass(60_000);
    expect(world.underWay).toBe(count);
  });

  it('dials who was met before, however many links stand', async () => {
    const world = new World(0, 0, 0);
    for (let n = 0; n < places.length; n += 1)
      await world.ends({ kind: 'member', peer: identityFrom(n + 2).id, answeredMs: 9 });
    world.links = 8;
    const before = world.dialled;
    world.clock.pass(2_000);
    expect(world.dialled - before).toBeGreaterThanOrEqual(DIALS_MAX);
  });

  it('does not let machines that do not answer keep others waiting', () => {
    const world = new World(2_000);
    expect(world.underWay).toBe(1);
    world.clock.pass(60_000);
    expect(world.underWay).toBe(DIALS_MAX);
  });
});

class World {
  readonly answers: number[] = [];
  dialled = 0;
  readonly clock = new HandClock();
  readonly #dials: { readonly accepted: () => void; readonly end: (outcome: DialOutcome) => void }[] = [];

  links: number;

  constructor(lagMs: number, becoming = 0, links = 0) {
    this.links = links;
    const book = new AddressBook(identityFrom(1).id, () => 0.5, {
      dialTimeoutsMs: [500],
      redialMinMs: 250,
      redialMaxMs: 1000,
      addressForgetMs: 600_000,
      addressesMax: 64,
    });
    for (const place of places) book.add(place, 'fixed', 0);
    const dialer = new Dialer(
      {
        clock: this.clock,
        book,
        dial: (_address, accepted) =>
          new Promise((end) => {
            this.dialled += 1;
            this.#dials.push({ accepted, end });
          }),
        connected: () => false,
        becoming: () => becoming,
        links: () => this.links,
        strain: () => ({ ...CALM, lagMs }),
        onAnswered: (answeredMs) => this.answers.push(answeredMs),
        onMet: () => undefined,
        onFailed: () => undefined,
      },
      { dialsMax: DIALS_MAX },
    );
    dialer.start();
  }

  get underWay(): number {
    return this.#dials.length;
  }

  accepts(): void {
    for (const { accepted } of this.#dials) accepted();
  }

  async ends(outcome: DialOutcome): Promise<void> {
    this.#dials.shift()?.end(outcome);
    await new Promise(setImmediate);
  }
}
