import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { RecordId } from '../ids.ts';
import { MerkleTrie, pathOf } from './merkle.ts';
import { parseProof, prove, verifyProof, type MerkleProof } from './proof.ts';

describe('merkle proof', () => {
  it('shows the ids of every key, and of every other key that there are none', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(1000), (size, probe) => {
        const trie = trieOf(size);
        const path = pathOf(`k${probe}`);
        const proof = prove(trie, path);
        expect(verifyProof(proof, trie.root(), path)).toEqual({
          ok: true,
          ids: probe < size ? idsOf(probe) : [],
        });
      }),
    );
  });

  it('survives JSON', () => {
    const trie = trieOf(300);
    const proof = prove(trie, pathOf('k9'));
    expect(parseProof(JSON.parse(JSON.stringify(proof)))).toEqual(proof);
  });

  it('holds for paths that are alike almost to the end', () => {
    const trie = new MerkleTrie();
    const paths = Array.from(
      { length: 17 },
      (_, i) => 'a'.repeat(62) + (i * 15).toString(16).padStart(2, '0'),
    );
    for (const [i, path] of paths.entries()) trie.set(path, idsOf(i));
    const [first = ''] = paths;
    const proof = prove(trie, first);
    expect(proof.siblings).toHaveLength(63);
    expect(verifyProof(proof, trie.root(), first)).toEqual({ ok: true, ids: idsOf(0) });
  });

  it('does not hold for another root, nor for a key of another bucket', () => {
    const trie = trieOf(1000);
    const proof = prove(trie, pathOf('k1'));
    expect(verifyProof(proof, trieOf(999).root(), pathOf('k1')).ok).toBe(false);
    for (let i = 2; i < 1000; i++) {
      const verdict = verifyProof(proof, trie.root(), pathOf(`k${i}`));
      if (verdict.ok) expect(verdict.ids).toEqual(idsOf(i));
    }
  });

  it('cannot be bent into saying that a key is not there', () => {
    const trie = trieOf(200);
    const path = pathOf('k5');
    const honest = prove(trie, path);
    const empty = verifyProof({ ...honest, entries: [] }, trie.root(), path);
    const without = honest.entries.filter((entry) => entry.path !== path);
    expect(empty.ok).toBe(false);
    expect(verifyProof({ ...honest, entries: without }, trie.root(), path).ok).toBe(false);
    for (let i = 0; i < 300; i++) {
      const other = prove(trie, pathOf(`k${i}`));
      const verdict = verifyProof(other, trie.root(), path);
      if (verdict.ok) expect(verdict.ids).toEqual(idsOf(5));
    }
  });

  it('is refused when any one digit of it is another', () => {
    const trie = trieOf(60);
    const path = pathOf('k7');
    const text = JSON.stringify(prove(trie, path));
    let tried = 0;
    for (let i = 0; i < text.length; i++) {
      if (!/[0-9a-f]/.test(text.charAt(i))) continue;
      const digit = text.charAt(i) === '7' ? '8' : '7';
      let bent: unknown;
      try {
        bent = JSON.parse(text.slice(0, i) + digit + text.slice(i + 1));
      } catch {
        continue;
      }
      expect(verifyProof(bent as MerkleProof, trie.root(), path).ok).toBe(false);
      tried += 1;
    }
    expect(tried).toBeGreaterThan(1000);
  });

  it.each([
    ['a level with 14 siblings', (p: MerkleProof) => ({ ...p, siblings: [p.siblings[0]?.slice(1)] })],
    [
      'two siblings in one',
      (p: MerkleProof) => ({ ...p, siblings: [[p.siblings[0]?.slice(0, 2).join('')]] }),
    ],
    ['65 levels', (p: MerkleProof) => ({ ...p, siblings: Array.from({ length: 65 }, () => p.siblings[0]) })],
    ['another version', (p: MerkleProof) => ({ ...p, version: 2 })],
    ['a field too many', (p: MerkleProof) => ({ ...p, hint: 'trust me' })],
    ['a field too few', ({ version, siblings }: MerkleProof) => ({ version, siblings })],
    ['entries out of order', (p: MerkleProof) => ({ ...p, entries: p.entries.toReversed() })],
    ['an entry twice', (p: MerkleProof) => ({ ...p, entries: [p.entries[0], p.entries[0]] })],
    ['17 entries', (p: MerkleProof) => ({ ...p, entries: Array.from({ length: 17 }, () => p.entries[0]) })],
    ['an entry without ids', (p: MerkleProof) => ({ ...p, entries: [{ path: pathOf('x'), ids: [] }] })],
    ['upper case', (p: MerkleProof) => ({ ...p, siblings: [p.siblings[0]?.map((d) => d.toUpperCase())] })],
    ['null', () => null],
    ['a list', () => []],
    ['a text', () => 'proof'],
  ])('is refused with %s', (_name, bend) => {
    const trie = trieOf(60);
    const bent = bend(prove(trie, pathOf('k1')));
    expect(() => parseProof(bent)).toThrow('codec');
    expect(verifyProof(bent as MerkleProof, trie.root(), pathOf('k1')).ok).toBe(false);
  });

  it('never throws on any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        expect(verifyProof(json as unknown as MerkleProof, trieOf(3).root(), pathOf('k')).ok).toBe(false);
      }),
    );
  });
});

function trieOf(size: number): MerkleTrie {
  const trie = new MerkleTrie();
  for (let i = 0; i < size; i++) trie.set(pathOf(`k${i}`), idsOf(i));
  return trie;
}

/** Every tenth key is in conflict. */
function idsOf(n: number): readonly RecordId[] {
  const ids = n % 10 === 0 ? [n, -n - 1] : [n];
  return ids.map((i) => createHash('sha256').update(String(i)).digest('hex') as RecordId).sort();
}
