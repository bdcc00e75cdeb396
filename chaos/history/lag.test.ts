import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { poll } from '../cluster/poll.ts';
import { History } from './history.ts';
import { watchLag } from './lag.ts';
import type { LineOf } from './line.ts';

it('tells of the timers and of the disk, second by second, until it is ended, and leaves no file', async () => {
  const history = new History(null);
  const lags: LineOf<'lag'>[] = [];
  history.listen((line) => {
    if (line.type === 'lag') lags.push(line);
  });
  const end = watchLag(history);
  const told = await poll(async () => (lags.length >= 2 ? [...lags] : null), {
    everyMs: 50,
    budgetMs: 20_000,
  });
  end();
  expect(told?.map(({ flushMs }) => typeof flushMs)).toEqual(['number', 'number']);
  expect(told?.every(({ loopMs }) => loopMs >= 0)).toBe(true);
  expect(readdirSync(tmpdir()).filter((name) => name === `aethel-lab-disk-${process.pid}`)).toEqual([]);
});
