import { watchedClock } from './lag.ts';

describe('the lag of a process', () => {
  it('is how late its timers fire, the worst of late, forgotten by half every second', () => {
    const world = new World();
    world.timer({ ms: 100, lateMs: 400 });
    expect(world.lagMs()).toBe(400);
    world.timer({ ms: 1_000, lateMs: 0 });
    expect(world.lagMs()).toBe(200);
    world.timer({ ms: 0, lateMs: 300 });
    expect(world.lagMs()).toBe(300);
  });

  it('is none where timers come in time, or a bit before', () => {
    const world = new World();
    world.timer({ ms: 100, lateMs: 0 });
    world.timer({ ms: 100, lateMs: -1 });
    expect(world.lagMs()).toBe(0);
  });

  it('is bounded: a process that was stopped is not busy once it goes on', () => {
    const world = new World();
    world.timer({ ms: 100, lateMs: 3_600_000 });
    expect(world.lagMs()).toBe(2_000);
  });

  it('is not told by a timer that was cancelled', () => {
    const world = new World();
    const cancel = world.clock.after(10, () => undefined);
    cancel();
    world.fire(500);
    expect(world.lagMs()).toBe(0);
  });
});

class World {
  #now = 0;
  #run: () => void = () => undefined;
  readonly clock = watchedClock({
    wallMs: () => this.#now,
    monotonicMs: () => this.#now,
    after: (_ms, run) => {
      this.#run = run;
      return () => {
        this.#run = () => undefined;
      };
    },
  });
  readonly lagMs = (): number => Math.round(this.clock.lagMs());

  timer({ ms, lateMs }: { readonly ms: number; readonly lateMs: number }): void {
    this.clock.after(ms, () => undefined);
    this.fire(ms + lateMs);
  }

  fire(afterMs: number): void {
    this.#now += afterMs;
    this.#run();
  }
}
