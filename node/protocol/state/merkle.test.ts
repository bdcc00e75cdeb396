import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import type { RecordId } from '../ids.ts';
import { MerkleTrie, pathOf } from './merkle.ts';

const VECTORS = new URL('../../../test/vectors/merkle-v1.json', import.meta.url);

describe('merkle trie', () => {
  it('has the root of what it holds, whatever was set and removed on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(path(), ids()), { maxLength: 120 }), (steps) => {
        const trie = new MerkleTrie();
        const model = new Map<string, readonly RecordId[]>();
        for (const [step, [at, set]] of steps.entries()) {
          trie.set(at, set);
          if (set.length === 0) model.delete(at);
          else model.set(at, set);
          // Asking now and then leaves some digests fresh and some stale.
          if (step % 7 === 0) trie.root();
        }
        expect(trie.root()).toBe(trieOf(shuffled(model)).root());
        expect(trie.root()).toBe(specified(model, ''));
        expect(trie.size).toBe(model.size);
      }),
      { numRuns: 150 },
    );
  });

  it('shrinks back to the shape of what is left', () => {
    const trie = new MerkleTrie();
    const model = new Map(Array.from({ length: 300 }, (_, i) => [pathOf(`k${i}`), [idOf(i)]]));
    for (const [at, set] of model) trie.set(at, set);
    for (const at of model.keys()) {
      trie.set(at, []);
      model.delete(at);
      expect(trie.root()).toBe(specified(model, ''));
    }
  });

  it('has equal roots only for equal sets', () => {
    fc.assert(
      fc.property(entries(), entries(), (a, b) => {
        const isEqual = textOf(a) === textOf(b);
        expect(trieOf([...a]).root() === trieOf([...b]).root()).toBe(isEqual);
        expect(trieOf([...a]).root()).toBe(trieOf(shuffled(a)).root());
      }),
    );
  });

  it('answers for every prefix as specified, also for one below a bucket', () => {
    fc.assert(
      fc.property(entries(), fc.tuple(path(), fc.nat(8)), (model, [at, depth]) => {
        const trie = trieOf([...model]);
        const prefix = at.slice(0, depth);
        const below = [...model].filter(([p]) => p.startsWith(prefix)).sort();
        const all = below.flatMap(([, set]) => set.toSorted());
        expect(trie.digest(prefix)).toBe(specified(model, prefix));
        expect(trie.count(prefix)).toBe(below.length);
        expect(trie.ids(prefix, 1000)).toEqual(all);
        expect(trie.ids(prefix, 3)).toEqual(all.slice(0, 3));
        const children = Array.from('0123456789abcdef').map((digit) => specified(model, prefix + digit));
        expect(trie.children(prefix)).toEqual(below.length > 16 ? children : null);
        const found = below.map(([path, set]) => ({ path, ids: set.toSorted() }));
        expect(trie.entries(prefix)).toEqual(below.length > 16 ? null : found);
      }),
    );
  });

  it('leads a descent to exactly the ids that differ', () => {
    fc.assert(
      fc.property(entries(), entries(), entries(), (common, a, b) => {
        const [left, right] = [new Map([...common, ...a]), new Map([...common, ...b])];
        const found = descend(trieOf([...left]), trieOf([...right]), '');
        const [ours, theirs] = [left, right].map((model) => [...model.values()].flat());
        expect(found.ours.toSorted()).toEqual(ours?.filter((id) => !theirs?.includes(id)).sort());
        expect(found.theirs.toSorted()).toEqual(theirs?.filter((id) => !ours?.includes(id)).sort());
      }),
    );
  });

  it('hashes nothing as an empty leaf', () => {
    expect(new MerkleTrie().root()).toBe(sha256('00'));
    expect(new MerkleTrie().digest('abc')).toBe(sha256('00'));
  });

  it('takes ids in any order', () => {
    const [a, b] = [new MerkleTrie(), new MerkleTrie()];
    a.set(pathOf('k'), [idOf(1), idOf(2)]);
    b.set(pathOf('k'), [idOf(2), idOf(1)]);
    expect(a.root()).toBe(b.root());
  });

  it('keeps paths apart from every other hash', () => {
    expect(pathOf('k')).toBe(createHash('sha256').update('aethel/path/v1\0k').digest('hex'));
  });

  it('keeps to the published vectors', () => {
    const vectors = goldenVectors();
    if (process.env['UPDATE_VECTORS'] === '1')
      writeFileSync(VECTORS, `${JSON.stringify(vectors, null, 2)}\n`);
    expect(vectors).toEqual(JSON.parse(readFileSync(VECTORS, 'utf8')));
  });

  it('uses the memory of removed entries again', () => {
    const trie = new MerkleTrie();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100_000; i++) {
      trie.set(pathOf(`k${i}`), [idOf(i)]);
      if (i >= 100) trie.set(pathOf(`k${i - 100}`), []);
    }
    // A hundred thousand entries would be 7 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(trie.size).toBe(100);
  });

  it('forgets a conflict when it is resolved or removed', () => {
    const trie = new MerkleTrie();
    const model = new Map(Array.from({ length: 40 }, (_, i) => [pathOf(`k${i}`), [idOf(i)]]));
    for (const [at, set] of model) trie.set(at, [idOf(7000), idOf(7001), ...set]);
    for (const [at, set] of model) {
      trie.set(at, set);
      if (set.includes(idOf(3))) trie.set(at, []);
    }
    model.delete(pathOf('k3'));
    expect(trie.root()).toBe(specified(model, ''));
    trie.set(pathOf('other'), [idOf(99)]);
    expect(trie.root()).toBe(specified(new Map([...model, [pathOf('other'), [idOf(99)]]]), ''));
  });

  it('changes nothing when a path or id is not 64 hex digits', () => {
    const trie = new MerkleTrie();
    trie.set(pathOf('k'), [idOf(1)]);
    const before = trie.root();
    for (const bad of ['', 'ab', 'g'.repeat(64), `${pathOf('k')}0`]) {
      expect(() => trie.set(bad, [idOf(1)])).toThrow(RangeError);
      expect(() => trie.set(pathOf('k'), [idOf(2), bad as RecordId])).toThrow(RangeError);
    }
    expect(trie.root()).toBe(before);
  });

  it('refuses a prefix that is no hex', () => {
    const trie = new MerkleTrie();
    for (let i = 0; i < 40; i++) trie.set(pathOf(`k${i}`), [idOf(i)]);
    expect(() => trie.digest('G')).toThrow(RangeError);
  });
});

/** Sets with their roots and the digests of some prefixes, as another implementation should find them. */
function goldenVectors(): readonly object[] {
  const keyed = (count: number, ids: (i: number) => readonly RecordId[]): Entries =>
    new Map(Array.from({ length: count }, (_, i) => [pathOf(`k${i}`), ids(i)]));
  const one = (i: number): readonly RecordId[] => [idOf(i)];
  const crowded = new Map(
    Array.from({ length: 17 }, (_, i) => [`${'ab'.repeat(31)}${i.toString(16).padStart(2, '0')}`, one(i)]),
  );
  const sets: readonly (readonly [string, Entries, readonly string[]])[] = [
    ['nothing', new Map(), ['', 'a']],
    ['one key', keyed(1, one), ['', '0', pathOf('k0')]],
    ['one key in conflict', keyed(1, () => [idOf(2), idOf(1), idOf(3)]), ['']],
    ['sixteen keys, still a leaf', keyed(16, one), ['', '4']],
    ['seventeen keys, an inner node', keyed(17, one), ['', '4', '47']],
    [
      'a hundred keys, some in conflict',
      keyed(100, (i) => (i % 9 === 0 ? [idOf(i), idOf(900 + i)] : [idOf(i)])),
      ['', 'c', 'c0'],
    ],
    ['paths alike in 62 digits', crowded, ['', 'ab', 'ab'.repeat(31), 'ac']],
  ];
  return sets.map(([name, model, prefixes]) => {
    const trie = trieOf([...model]);
    return {
      name,
      entries: [...model].sort().map(([at, set]) => ({ path: at, ids: set.toSorted() })),
      root: trie.root(),
      digests: prefixes.map((prefix) => ({ prefix, digest: trie.digest(prefix), keys: trie.count(prefix) })),
    };
  });
}

type Entries = ReadonlyMap<string, readonly RecordId[]>;

/** The comment of merkle.ts, word by word. */
function specified(model: Entries, prefix: string): string {
  const below = [...model].filter(([at]) => at.startsWith(prefix)).sort();
  if (below.length > 16) {
    return sha256(
      `01${Array.from('0123456789abcdef')
        .map((digit) => specified(model, prefix + digit))
        .join('')}`,
    );
  }
  const leaf = below.map(
    ([at, set]) => at + set.length.toString(16).padStart(4, '0') + set.toSorted().join(''),
  );
  return sha256(`00${leaf.join('')}`);
}

/** The walk of anti-entropy: ask the left for children or ids, go on where the right is unlike. */
function descend(
  left: MerkleTrie,
  right: MerkleTrie,
  prefix: string,
): { ours: RecordId[]; theirs: RecordId[] } {
  if (left.digest(prefix) === right.digest(prefix)) return { ours: [], theirs: [] };
  const children = left.children(prefix);
  if (children === null) {
    const [ours, theirs] = [left.ids(prefix, 10_000), right.ids(prefix, 10_000)];
    return {
      ours: ours.filter((id) => !theirs.includes(id)),
      theirs: theirs.filter((id) => !ours.includes(id)),
    };
  }
  const unlike = children.map((digest, i) => ({ digest, child: prefix + i.toString(16) }));
  const found = unlike
    .filter(({ digest, child }) => right.digest(child) !== digest)
    .map(({ child }) => descend(left, right, child));
  return { ours: found.flatMap(({ ours }) => ours), theirs: found.flatMap(({ theirs }) => theirs) };
}

function trieOf(entriesInOrder: readonly (readonly [string, readonly RecordId[]])[]): MerkleTrie {
  const trie = new MerkleTrie();
  for (const [at, set] of entriesInOrder) trie.set(at, set);
  return trie;
}

/** Some other order, the same for the same set. */
function shuffled(model: Entries): readonly (readonly [string, readonly RecordId[]])[] {
  return [...model].sort(([a], [b]) => (sha256(a) < sha256(b) ? -1 : 1));
}

function textOf(model: Entries): string {
  return JSON.stringify([...model].map(([at, set]) => [at, set.toSorted()]).sort());
}

/** Few distinct paths, many with long prefixes in common: hits, splits and merges of buckets at several depths. */
function path(): fc.Arbitrary<string> {
  const spread = fc.nat(80).map((n) => pathOf(String(n)));
  const crowded = fc.tuple(fc.constantFrom('', 'a', 'ab', 'abc0'), spread);
  return crowded.map(([prefix, rest]) => (prefix + rest).slice(0, 64));
}

/** Ids are unique per key in the lattice, so in the tests too: see `entries`. */
function ids(): fc.Arbitrary<readonly RecordId[]> {
  return fc.uniqueArray(fc.nat(500).map(idOf), { maxLength: 3 });
}

function entries(): fc.Arbitrary<Entries> {
  const entry = fc.tuple(path(), fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 }));
  return fc
    .array(entry, { maxLength: 100 })
    .map(
      (list) =>
        new Map(list.map(([at, set]) => [at, set.map((n) => sha256(at + at + at.charAt(n)) as RecordId)])),
    )
    .map((model) => new Map([...model].map(([at, set]) => [at, [...new Set(set)]])));
}

function idOf(n: number): RecordId {
  return sha256(n.toString(16).padStart(8, '0')) as RecordId;
}

function sha256(hex: string): string {
  return createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex');
}
