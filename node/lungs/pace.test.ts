import { HandClock } from '../hand-clock.fixture.ts';
import { CALM, afterPatience, atOnce, headStartMs, patienceMs, pauseMs, SlowAnswers } from './pace.ts';
import type { Strain } from './pace.ts';

const lag = (lagMs: number): Strain => ({ ...CALM, lagMs });

describe('the pace of a node', () => {
  it.each([
    [0, 16, 250, 500, 0],
    [60, 16, 250, 500, 0],
    [120, 8, 500, 960, 1_920],
    [240, 4, 1_000, 1_920, 3_840],
    [480, 2, 2_000, 3_840, 7_680],
    [960, 1, 4_000, 7_680, 15_360],
    [2_000, 1, 8_333, 15_000, 20_000],
    [60_000, 1, 10_000, 15_000, 20_000],
  ])('with timers %d ms late', (lagMs, links, pause, patience, headStart) => {
    const strain = lag(lagMs);
    expect(atOnce(16, strain)).toBe(links);
    expect(Math.round(pauseMs(250, strain))).toBe(pause);
    expect(patienceMs(500, strain)).toBe(patience);
    expect(headStartMs(strain)).toBe(headStart);
  });

  it('never makes a pause or a patience shorter than it was', () => {
    expect(pauseMs(60_000, lag(2_000))).toBe(60_000);
    expect(patienceMs(60_000, lag(2_000))).toBe(60_000);
  });

  it('is patient where others were slow to answer, though this node is calm', () => {
    const strain = { lagMs: 0, answerMs: 900 };
    expect(patienceMs(500, strain)).toBe(1_800);
    expect(patienceMs(2_000, strain)).toBe(2_000);
    expect(atOnce(16, strain)).toBe(16);
  });
});

describe('the slowest answer of late', () => {
  it('is forgotten by half in five seconds, or for a slower one', () => {
    const answers = new SlowAnswers();
    expect(answers.ms(1_000)).toBe(0);
    answers.saw(800, 1_000);
    answers.saw(100, 2_000);
    expect(answers.ms(6_000)).toBe(400);
    answers.saw(500, 6_000);
    expect(answers.ms(6_000)).toBe(500);
  });
});

describe('patience', () => {
  it('ends as configured on a calm node', () => {
    const world = new World();
    world.waits(500);
    world.pass(499);
    expect(world.ended).toEqual([]);
    world.pass(1);
    expect(world.ended).toEqual([500]);
  });

  it('grows while it is waited, when the node turns out to be strained', () => {
    const world = new World();
    world.waits(500);
    world.pass(400);
    world.strain = lag(300);
    world.pass(1_900);
    expect(world.ended).toEqual([]);
    world.pass(100);
    expect(world.ended).toEqual([2_400]);
  });

  it('ends never once it is cancelled, however often it grew', () => {
    const world = new World();
    const cancel = world.waits(500);
    world.strain = lag(300);
    world.pass(600);
    cancel();
    world.pass(60_000);
    expect(world.ended).toEqual([]);
  });
});

class World {
  strain = CALM;
  readonly ended: number[] = [];
  readonly #clock = new HandClock();

  waits(ms: number): () => void {
    return afterPatience(
      this.#clock,
      ms,
      () => this.strain,
      () => this.ended.push(this.#clock.monotonicMs()),
    );
  }

  pass(ms: number): void {
    this.#clock.pass(ms);
  }
}
