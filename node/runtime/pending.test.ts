import { Pending } from './pending.ts';

it('gives back what waits under a number, once', () => {
  const pending = new Pending<string>();
  const [a, b] = [pending.add('a'), pending.add('b')];
  expect(pending.take(b)).toBe('b');
  expect(pending.take(b)).toBeNull();
  expect(pending.take(a)).toBe('a');
});

it('never gives a number twice, so that a late answer finds nobody', () => {
  const pending = new Pending<number>();
  const numbers = Array.from({ length: 100 }, (_, i) => {
    const number = pending.add(i);
    expect(pending.take(number)).toBe(i);
    return number;
  });
  expect(new Set(numbers).size).toBe(100);
  const last = pending.add(7);
  for (const number of numbers) expect(pending.take(number)).toBeNull();
  expect(pending.take(last)).toBe(7);
});

it('gives back all that waits', () => {
  const pending = new Pending<string>();
  pending.take(pending.add('gone'));
  const number = pending.add('b');
  pending.add('c');
  expect(pending.takeAll()).toEqual(['b', 'c']);
  expect(pending.take(number)).toBeNull();
  expect(pending.takeAll()).toEqual([]);
});
