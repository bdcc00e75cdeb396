/**
 * P8: a root means something. The root that a node names in the end is computed again, from the entries that it shows, with
 * the protocol's own trie: a root that does not stand for these very records is a lie, even if all nodes tell the same one.
 *
 * The trie holds tombstones as well, which no listing shows; no workload of the lab deletes anything.
 */
import type { HistoryLine } from '../history/line.ts';
import type { RecordId } from '../../node/protocol/ids.ts';
import { MerkleTrie, pathOf } from '../../node/protocol/state/merkle.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { versionOf } from './operations.ts';

export const honestRoot: Checker = {
  name: 'honest-root',
  claim: 'the root of a node is the root of its entries',
  begin: (nodes) => new HonestRoot(nodes),
};

const RECORD_ID = /^[0-9a-f]{64}$/;

class HonestRoot implements Judge {
  readonly #nodes: readonly string[];
  readonly #read = new Set<string>();
  readonly #violations: Violation[] = [];
  #trie = new MerkleTrie();
  #keys = 0;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    if (line.type === 'entries') {
      for (const { key, version, id: shown, siblings } of line.entries) {
        const ids = [shown, ...siblings.map((sibling) => sibling.version)];
        if (versionOf(ids) !== version)
          this.#say(`${line.node} gives ${key} a version that is not that of its records`, line);
        const strange = ids.find((id) => !RECORD_ID.test(id));
        if (strange === undefined) this.#trie.set(pathOf(key), ids as RecordId[]);
        else this.#say(`${line.node} gives ${key} the version ${strange}, which names no record`, line);
      }
    }
    if (line.type !== 'final') return;
    this.#read.add(line.node);
    const root = this.#trie.root();
    if (root !== line.root)
      this.#say(
        `${line.node} says ${short(line.root)} of ${this.#trie.size} keys with root ${short(root)}`,
        line,
      );
    if (this.#trie.size !== line.size)
      this.#say(`${line.node} counts ${line.size} keys and shows ${this.#trie.size}`, line);
    this.#keys = Math.max(this.#keys, this.#trie.size);
    this.#trie = new MerkleTrie();
  }

  verdict(): Finding {
    const unread = this.#nodes.filter((node) => !this.#read.has(node));
    if (unread.length > 0) return unknown(`no final read of ${unread.join(', ')}`);
    if (this.#keys === 0 && this.#violations.length === 0) return unknown('no node has any entry');
    return judged(this.#violations, `${this.#keys} keys, computed again for ${this.#nodes.length} nodes`);
  }

  #say(text: string, { at, node }: { readonly at: number; readonly node: string }): void {
    this.#violations.push({ text, at, node });
  }
}

function short(root: string): string {
  return `${root.slice(0, 12)}…`;
}
