import { hash } from 'node:crypto';
import fc from 'fast-check';
import type { RecordId } from '../ids.ts';
import { toEnd } from '../pieces.ts';
import { MerkleTrie, pathOf } from './merkle.ts';
import { TrieLoad } from './trie-load.ts';

describe('trie load', () => {
  it.each([0, 1, 2, 15, 16, 17, 255, 256, 257, 6_554, 8_192, 8_193, 12_000])(
    'makes the trie that setting %i entries makes',
    (count) => {
      const entries = Array.from({ length: count }, (_, n) => [pathOf(`key-${n}`), idOf(n)] as const);
      const loaded = loadOf(entries);
      expectSame(loaded, setOf(entries));
      loaded.set(pathOf('another'), [idOf(-1)]);
      expect(loaded.size).toBe(count + 1);
    },
  );

  it('is as good as setting whatever was added and set, before and after', () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, steps(20)),
        steps(120),
        steps(60),
        (before, added, after) => {
          const [loaded, set] = [setOf(before), setOf(before)];
          load(loaded, added);
          for (const [path, id] of added) set.set(path, [id]);
          expectSame(loaded, set);
          for (const trie of [loaded, set]) {
            for (const [step, [path, id]] of after.entries()) trie.set(path, step % 2 === 0 ? [] : [id]);
            for (const [path] of added.slice(0, added.length / 2)) trie.set(path, []);
          }
          expectSame(loaded, set);
          for (const trie of [loaded, set]) for (const [path] of [...before, ...added]) trie.set(path, []);
          expectSame(loaded, set);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('knows of several entries with one path the last', () => {
    const path = pathOf('k');
    const others = Array.from(
      { length: 20 },
      (_, n) => [path.slice(0, 63) + 'f0'.charAt(n % 2), idOf(n)] as const,
    );
    const added = [[path, idOf(100)], ...others, [path, idOf(101)]] as const;
    expectSame(loadOf(added), setOf(added));
  });

  it('makes a path of a key', () => {
    const trie = new MerkleTrie();
    const all = new TrieLoad(trie);
    for (let n = 0; n < 40; n++) all.addKey(`ключ-${n}`, idOf(n));
    toEnd(all.finishing());
    expectSame(trie, setOf(Array.from({ length: 40 }, (_, n) => [pathOf(`ключ-${n}`), idOf(n)] as const)));
  });

  it('adds nothing when an id is not 64 hex digits', () => {
    const trie = new MerkleTrie();
    const all = new TrieLoad(trie);
    for (const bad of ['', 'ab', 'g'.repeat(64), `${idOf(1)}0`])
      expect(() => all.addKey('k', bad as RecordId)).toThrow(RangeError);
    toEnd(all.finishing());
    expect(trie.size).toBe(0);
  });

  it('comes in pieces, and all at once into the trie', () => {
    const trie = new MerkleTrie();
    const pieces = loading(
      trie,
      Array.from({ length: 20_000 }, (_, n) => [pathOf(`${n}`), idOf(n)] as const),
    ).finishing();
    let count = 0;
    for (; pieces.next().done !== true; count++) expect(trie.size).toBe(0);
    expect(count).toBeGreaterThan(16);
    expect(trie.size).toBe(20_000);
  });

  it('is not to be disturbed', () => {
    const trie = new MerkleTrie();
    const pieces = loading(
      trie,
      Array.from({ length: 20_000 }, (_, n) => [pathOf(`${n}`), idOf(n)] as const),
    ).finishing();
    // The first few put the entries in order.
    for (let n = 0; n < 10; n++) pieces.next();
    trie.set(pathOf('between'), [idOf(0)]);
    expect(() => toEnd(pieces)).toThrow(/was changed/);
  });

  it('takes no more memory than setting does', () => {
    const entries = Array.from({ length: 20_000 }, (_, n) => [pathOf(`${n}`), idOf(n)] as const);
    expect(loadOf(entries).bytes).toBeLessThanOrEqual(setOf(entries).bytes);
  });
});

type Entry = readonly [path: string, id: RecordId];

function expectSame(one: MerkleTrie, other: MerkleTrie): void {
  expect(one.size).toBe(other.size);
  expect(one.root()).toBe(other.root());
  for (const prefix of ['', 'a', 'abcdef01', pathOf('k').slice(0, 63)]) {
    expect(one.count(prefix)).toBe(other.count(prefix));
    expect(one.digest(prefix)).toBe(other.digest(prefix));
    expect(one.children(prefix)).toEqual(other.children(prefix));
    expect(one.entries(prefix)).toEqual(other.entries(prefix));
    expect(one.ids(prefix, 100_000)).toEqual(other.ids(prefix, 100_000));
  }
}

function loadOf(entries: readonly Entry[]): MerkleTrie {
  const trie = new MerkleTrie();
  load(trie, entries);
  return trie;
}

function load(trie: MerkleTrie, entries: readonly Entry[]): void {
  toEnd(loading(trie, entries).finishing());
}

function loading(trie: MerkleTrie, entries: readonly Entry[]): TrieLoad {
  const all = new TrieLoad(trie);
  for (const [path, id] of entries) all.add(Buffer.from(`00${path}${id}`, 'hex'), 1);
  return all;
}

function setOf(entries: readonly Entry[]): MerkleTrie {
  const trie = new MerkleTrie();
  for (const [path, id] of entries) trie.set(path, [id]);
  return trie;
}

/** Few distinct paths; many with long prefixes in common, up to all of the 32 bits that are sorted at once and further. */
function steps(maxLength: number): fc.Arbitrary<readonly Entry[]> {
  const spread = fc.nat(80).map((n) => pathOf(String(n)));
  const prefix = fc.constantFrom('', '', 'a', 'abc0', 'abcdef01', 'abcdef0123', 'abcdef01'.repeat(7));
  const path = fc.tuple(prefix, spread).map(([from, rest]) => (from + rest).slice(0, 64));
  return fc.array(fc.tuple(path, fc.nat(500).map(idOf)), { maxLength });
}

function idOf(n: number): RecordId {
  return hash('sha256', `${n}`, 'hex') as RecordId;
}
