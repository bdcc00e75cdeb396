import { newsOf } from './slot-news.ts';

const HOUR_MS = 3_600_000;
const NOW = 1_000 * HOUR_MS;

describe('the news of a slot', () => {
  it('are none where it holds state', () => {
    expect(newsOf({ number: 1, isNew: false, others: [] }, NOW - 24 * HOUR_MS, NOW)).toBeNull();
    expect(newsOf({ number: 1, isNew: false, others: old(0, 2) }, NOW - 24 * HOUR_MS, NOW)).toBeNull();
  });

  it('are none in a cluster that was made just now', () => {
    expect(newsOf({ number: 0, isNew: true, others: [] }, NOW - 2_000, NOW)).toBeNull();
    expect(newsOf({ number: 0, isNew: true, others: [] }, null, NOW)).toBeNull();
  });

  it('say that others hold state where this one does not', () => {
    const news = newsOf({ number: 3, isNew: true, others: old(0, 1, 2) }, NOW - HOUR_MS, NOW);
    expect(news).toEqual({ level: 'info', message: 'slot 3 is new; 3 other slots hold state' });
  });

  it('do not warn of a replica that starts a little later than the higher ones', () => {
    const others = [{ number: 4, since: NOW - 3_000 }];
    expect(newsOf({ number: 1, isNew: true, others }, NOW - 4_000, NOW)?.level).toBe('info');
  });

  it('warn of a slot that lost its state', () => {
    const news = newsOf({ number: 1, isNew: true, others: old(0, 2) }, null, NOW);
    expect(news?.level).toBe('warn');
    expect(news?.message).toContain('slot 1 is new; 2 other slots hold state');
  });

  it.each([
    [10 * 60_000, '10 minutes'],
    [5 * HOUR_MS, '5 hours'],
    [72 * HOUR_MS, '3 days'],
  ])('warn of an empty cluster whose key is %d ms old', (ageMs, age) => {
    const news = newsOf({ number: 0, isNew: true, others: [] }, NOW - ageMs, NOW);
    expect(news?.level).toBe('warn');
    expect(news?.message).toContain(`starts empty although its key is ${age} old`);
  });
});

function old(...numbers: readonly number[]): readonly { readonly number: number; readonly since: number }[] {
  return numbers.map((number) => ({ number, since: NOW - HOUR_MS }));
}
