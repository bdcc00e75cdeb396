import { memoryLimitBytes, stateBytesMaxOf } from './memory.ts';

const MIB = 1_048_576;

it.each([
  // limit, bound, in MiB
  [128, 16],
  [256, 16],
  [300, 22],
  [512, 128],
  [1_024, 384],
  [24_576, 12_160],
])('of %d MiB of memory records may take %d', (limit, bound) => {
  expect(stateBytesMaxOf(limit * MIB) / MIB).toBe(bound);
});

it('knows a limit that is no more than the machine has', () => {
  expect(memoryLimitBytes()).toBeGreaterThan(64 * MIB);
  expect(memoryLimitBytes()).toBeLessThan(2 ** 50);
});
