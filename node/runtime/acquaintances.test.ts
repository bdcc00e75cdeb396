import type { Clock, ToldMember } from '../ports.ts';
import type { NodeId } from '../protocol/ids.ts';
import { Acquaintances, ACQUAINTANCES_DEFAULTS } from './acquaintances.ts';

const [SELF, A, B, C] = ['self', 'a', 'b', 'c'] as unknown as [NodeId, NodeId, NodeId, NodeId];
const HOUR_MS = 3_600_000;

describe('acquaintances', () => {
  it('ask whoever was met, and dial what it tells of those that are not reached', async () => {
    const world = new World([A, B]);
    world.tells = [
      { peer: SELF, addresses: ['/own'] },
      { peer: B, addresses: ['/reached'] },
      { peer: C, addresses: ['/ip4/192.0.2.3/tcp/1', 'http://192.0.2.3:8000'] },
    ];
    world.acquaintances.met(A);
    await world.pass(3_000);
    expect(world.asked).toEqual([A]);
    expect(world.introduced).toEqual(['/ip4/192.0.2.3/tcp/1', 'http://192.0.2.3:8000']);
  });

  it('cost a question a minute while nobody is new or missing, one in five seconds else', async () => {
    const world = new World([A]);
    world.acquaintances.met(A);
    await world.pass(HOUR_MS);
    expect(world.asked.length).toBeGreaterThan(45);
    expect(world.asked.length).toBeLessThan(90);
    world.asked.length = 0;
    world.isMissing = true;
    await world.pass(HOUR_MS);
    expect(world.asked.length).toBeGreaterThan(540);
    expect(world.asked.length).toBeLessThan(1_000);
  });

  it('are asked one after the other when twenty are met at once', async () => {
    const members = Array.from({ length: 20 }, (_, n) => `m${n}` as NodeId);
    const world = new World(members);
    for (const member of members) world.acquaintances.met(member);
    await world.pass(10_000);
    expect(world.asked.length).toBeLessThanOrEqual(3);
    await world.pass(200_000);
    expect(new Set(world.asked)).toEqual(new Set(members));
  });

  it('dial no more than so many addresses of a liar', async () => {
    const world = new World([A]);
    world.isMissing = true;
    world.tells = Array.from({ length: 64 }, (_, n) => ({
      peer: `lie${n}` as NodeId,
      addresses: [`/ip4/198.51.100.1/tcp/${n + 1}`],
    }));
    world.acquaintances.met(A);
    await world.pass(3_000);
    expect(world.introduced).toHaveLength(ACQUAINTANCES_DEFAULTS.addressesPerAnswerMax);
    await world.pass(59_000);
    expect(world.introduced.length).toBeLessThanOrEqual(2 * ACQUAINTANCES_DEFAULTS.addressesPerMinuteMax);
  });

  it('end when stopped, also while a question is under way', async () => {
    const world = new World([A]);
    world.acquaintances.met(A);
    await world.pass(2_600);
    world.acquaintances.stop();
    await world.pass(HOUR_MS);
    expect(world.asked.length).toBeLessThanOrEqual(1);
  });
});

/** Time in steps of a tenth of a second, and dice that show the middle. */
class World {
  readonly asked: NodeId[] = [];
  readonly introduced: string[] = [];
  tells: readonly ToldMember[] = [];
  isMissing = false;
  readonly acquaintances: Acquaintances;
  #now = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor(reached: readonly NodeId[]) {
    const clock: Clock = {
      wallMs: () => this.#now,
      monotonicMs: () => this.#now,
      after: (ms, run) => {
        const timer = { at: this.#now + ms, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((one) => one !== timer);
        };
      },
    };
    this.acquaintances = new Acquaintances(
      {
        clock,
        rng: () => 0.5,
        self: SELF,
        reached: () => reached,
        isMissing: () => this.isMissing,
        ask: (peer) => {
          this.asked.push(peer);
          return Promise.resolve(this.tells);
        },
        introduce: (address) => this.introduced.push(address),
      },
      ACQUAINTANCES_DEFAULTS,
    );
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.#now + ms; this.#now < end;) {
      this.#now += 100;
      const due = this.#timers.filter(({ at }) => at <= this.#now);
      if (due.length === 0) continue;
      this.#timers = this.#timers.filter(({ at }) => at > this.#now);
      for (const { run } of due) run();
      // a question and its answer
      for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
    }
  }
}
