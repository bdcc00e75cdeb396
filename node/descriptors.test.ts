import { connectionsFor, shortOfDescriptors } from './descriptors.ts';

it('says what is short, in one line', () => {
  expect(shortOfDescriptors(24)).toMatch(/^file descriptors: 24 allowed, about 64 needed .*ulimit -n.*$/);
  expect(shortOfDescriptors(64)).toBeNull();
  expect(shortOfDescriptors(Number.POSITIVE_INFINITY)).toBeNull();
});

it.each([
  [64, 16],
  [256, 96],
  [1024, 480],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
])('of %d descriptors leaves clients %d', (limit, connections) => {
  expect(connectionsFor(limit)).toBe(connections);
});
