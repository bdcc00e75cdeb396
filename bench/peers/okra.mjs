/**
 * @canvas-js/okra with its in-memory backend, by its own advice: a key-value store in a skip list of hashes.
 *
 * Bulk goes through `Tree.fromEntries`, the builder that makes each level in one pass; entries come sorted, its best
 * case. Single inserts share one write transaction, so that no commit is paid for, and the root is read from it.
 */
import { Tree } from '@canvas-js/okra-memory';

/** @param entries [key bytes, value bytes], sorted by key */
export async function load(entries) {
  const tree = await Tree.fromEntries({}, entries);
  return { tree, root: await tree.read((transaction) => hex(transaction.getRoot().hash)) };
}

/** Sets each entry and reads the root after it. @returns the last root */
export async function insert(tree, entries) {
  return tree.write((transaction) => {
    let root;
    for (const [key, value] of entries) {
      transaction.set(key, value);
      root = transaction.getRoot();
    }
    return hex(root.hash);
  });
}

function hex(bytes) {
  return Buffer.from(bytes).toString('hex');
}
