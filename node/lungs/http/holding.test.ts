import { Holding } from './holding.ts';

const OPTIONS = { cutsMax: 3, againMs: 60_000, pauseMs: 100 };
/** no jitter */
const middling = (): number => 0.5;

describe('polls of a member', () => {
  it('are held until three in a row were cut off, and then plain for a minute', () => {
    const holding = new Holding(OPTIONS, middling);
    expect([holding.cut(0), holding.cut(0), holding.isAllowed(0)]).toEqual([false, false, true]);
    expect(holding.cut(1_000)).toBe(true);
    expect(holding.isAllowed(60_999)).toBe(false);
    expect(holding.isAllowed(61_000)).toBe(true);
  });

  it('forgive cuts between which one was carried', () => {
    const holding = new Holding(OPTIONS, middling);
    for (let n = 0; n < 5; n += 1) {
      expect([holding.cut(0), holding.cut(0), holding.carried()]).toEqual([false, false, false]);
    }
    expect(holding.isAllowed(0)).toBe(true);
  });

  it('are plain again after one try that was cut off, which is no news, and held after one that was carried', () => {
    const holding = plain();
    expect(holding.cut(60_000)).toBe(false);
    expect(holding.isAllowed(119_999)).toBe(false);
    expect(holding.carried()).toBe(true);
    expect([holding.cut(120_000), holding.isAllowed(120_000)]).toEqual([false, true]);
  });

  it('come at growing distances while nothing changes, never further apart than held ones', () => {
    const holding = plain();
    const pauses = [0, 1, 2, 3, 4, 5].map(() => {
      const ms = holding.pauseMs(1_000);
      holding.answeredPlainly(false, 1_000);
      return ms;
    });
    expect(pauses).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    holding.answeredPlainly(true, 1_000);
    expect(holding.pauseMs(1_000)).toBe(100);
  });

  it('of many nodes do not fall into step', () => {
    const early = new Holding(OPTIONS, () => 0);
    const late = new Holding(OPTIONS, () => 0.999);
    expect([early.pauseMs(1_000), Math.round(late.pauseMs(1_000))]).toEqual([75, 125]);
  });
});

function plain(): Holding {
  const holding = new Holding(OPTIONS, middling);
  for (let n = 0; n < OPTIONS.cutsMax; n += 1) holding.cut(0);
  return holding;
}
