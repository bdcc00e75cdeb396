import { toEnd } from '../pieces.ts';
import { hash } from 'node:crypto';
import type { RecordId } from '../ids.ts';
import { MerkleTrie, pathOf } from './merkle.ts';
import { TrieLoad } from './trie-load.ts';

describe('trie load', () => {
  it.each([0, 1, 100, 8_192, 8_193, 12_000])('makes the trie that setting %i entries makes', (count) => {
    const [loaded, set] = [new MerkleTrie(), new MerkleTrie()];
    const load = new TrieLoad(loaded);
    for (let n = 0; n < count; n++) {
      const path = pathOf(`key-${n}`);
      const id = hash('sha256', `${n}`, 'hex') as RecordId;
      load.add(Buffer.from(`00${path}${id}`, 'hex'), 1);
      set.set(path, [id]);
    }
    toEnd(load.finishing());
    expect(loaded.size).toBe(count);
    expect(loaded.root()).toBe(set.root());
    expect(loaded.ids('a', count)).toEqual(set.ids('a', count));
    loaded.set(pathOf('another'), [hash('sha256', 'x', 'hex') as RecordId]);
    expect(loaded.size).toBe(count + 1);
  });
});
