import { silentLogger } from '../../test/contract/lung-kit.ts';
import { DeadAddresses } from './dead-addresses.ts';

it('a configured address is told dead once when that has lasted, and alive once', () => {
  const told: string[] = [];
  let now = 0;
  const note = (message: string): number => told.push(`${now} ${message}`);
  const clock = { wallMs: () => now, monotonicMs: () => now, after: () => () => undefined };
  const dead = new DeadAddresses({ clock, logger: { ...silentLogger, warn: note, info: note } }, 'TEST');
  dead.answered('a');
  for (now = 0; now < 60_000; now += 1_000) {
    dead.failed('a', 'refused');
    // It comes and goes: never long enough.
    dead.failed('b', 'refused');
    if (now % 10_000 === 0) dead.answered('b');
  }
  dead.answered('a');
  dead.answered('a');
  expect(told).toEqual([
    '15000 nobody answers at a configured address',
    '60000 a configured address answers again',
  ]);
});
