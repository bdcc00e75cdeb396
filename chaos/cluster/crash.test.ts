import { isCrash } from './crash.ts';

it.each([
  ['an abort', null, 'SIGABRT', true],
  ['an abort in a container', 134, null, true],
  ['a broken page in a container', 139, null, true],
  ['a good end', 0, null, false],
  ['an end that came late', 1, null, false],
  ['our own kill', null, 'SIGKILL', false],
  ['our own kill in a container', 137, null, false],
  ['our own request in a container', 143, null, false],
] as const)('%s', (_what, exitCode, signal, isOne) => {
  expect(isCrash(exitCode, signal)).toBe(isOne);
});
