import { hkdfSync } from 'node:crypto';
import { DEFAULT_TOPIC, scopedKeyOf, type Scope } from './scope.ts';

const KEY = new Uint8Array(32).fill(7);

it('leaves the key of a cluster with the default topic as it was', () => {
  expect(scopedKeyOf(KEY, { topic: DEFAULT_TOPIC, name: null })).toBe(KEY);
});

it('makes another key of every topic and name', () => {
  const scopes: readonly Scope[] = [
    { topic: DEFAULT_TOPIC, name: null },
    { topic: DEFAULT_TOPIC, name: 'a' },
    { topic: DEFAULT_TOPIC, name: 'b' },
    { topic: 'a', name: null },
    { topic: 'a', name: 'a' },
    { topic: 'aa', name: null },
  ];
  const keys = scopes.map((scope) => Buffer.from(scopedKeyOf(KEY, scope)).toString('hex'));
  expect(new Set(keys).size).toBe(scopes.length);
});

it('is what PROTOCOL says', () => {
  const info = 'aethel/cluster-scope/v1\nmy/topic\nblue';
  const right = Buffer.from(hkdfSync('sha256', KEY, '', info, 32));
  expect(Buffer.from(scopedKeyOf(KEY, { topic: 'my/topic', name: 'blue' }))).toEqual(right);
});
