/**
 * The Merkle search tree of @atproto/repo over its memory block store. Digests are lazy: `add` marks, `getPointer` pays.
 *
 * Bulk is what `Repo.formatInitCommit` does: add after add, one pointer at the end; entries come sorted, its best case.
 * Nothing is written to the block store, which is what the pointer of a node that stays in memory costs least.
 */
import { BlockMap, MemoryBlockstore, MST } from '@atproto/repo';

/** Links for values, made beforehand as an application has them from its records. */
export async function links(count) {
  const blocks = new BlockMap();
  return Promise.all(Array.from({ length: count }, (_, i) => blocks.add({ i })));
}

/** @param entries [key, link], sorted by key */
export async function load(entries) {
  let tree = await MST.create(new MemoryBlockstore());
  for (const [key, link] of entries) tree = await tree.add(key, link);
  return { tree, root: String(await tree.getPointer()) };
}

/** Adds each entry and asks for the root after it. @returns the tree, which is a new one, and the last root */
export async function insert(tree, entries) {
  let root;
  for (const [key, link] of entries) {
    tree = await tree.add(key, link);
    root = await tree.getPointer();
  }
  return { tree, root: String(root) };
}
