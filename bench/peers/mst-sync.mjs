/**
 * The Merkle search tree of @atproto/repo: the asker reads the other side's tree from the root, leaving out every node that it has
 * itself, since equal nodes have equal CIDs. This is `getBlocks` of its sync interface, which answers many CIDs with one CAR file.
 * Its own diff of two trees then says what each side lacks.
 *
 * In its favour: all nodes of a layer are asked for at once, so that a layer is a round trip; a CID in a question counts as its
 * bytes, not as text in a URL; the records' own blocks are not asked for.
 */
import {
  blocksToCarFile,
  CidSet,
  DataDiff,
  MemoryBlockstore,
  MST,
  readCar,
  SyncStorage,
} from '@atproto/repo';
import { links, load } from './mst.mjs';

/** Values' CIDs; which one a key has does not matter, as no key has two. */
const LINKS = await links(64);

/**
 * Each side has all nodes of its tree, and no others, in its store, as a repository on a server has them.
 *
 * @returns two sides that hold the same. @param entries { key }
 */
export async function open(entries) {
  const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const { tree } = await load(sorted.map(({ key }, i) => [key, LINKS[i % LINKS.length]]));
  const { root, blocks } = await tree.getUnstoredBlocks();
  return [1, 2].map(() => MST.load(new MemoryBlockstore(blocks), root));
}

export async function add(tree, entries) {
  let next = tree;
  for (const [i, { key }] of entries.entries()) next = await next.add(key, LINKS[i % LINKS.length]);
  const cid = await next.getPointer();
  const { newMstBlocks, removedCids } = await DataDiff.of(next, tree);
  await next.storage.applyCommit({ cid, newBlocks: newMstBlocks, removedCids });
  return next;
}

/** @returns what it took until the asker knew what each side lacks */
export async function reconcile(asking, answering) {
  const fetched = new MemoryBlockstore();
  const root = await answering.getPointer();
  let bytes = root.bytes.length;
  let roundTrips = 0;
  let wanted = [root];
  while (wanted.length > 0) {
    const { blocks } = await answering.storage.getBlocks(wanted);
    const car = await blocksToCarFile(null, blocks);
    roundTrips += 1;
    bytes += car.length + wanted.reduce((sum, cid) => sum + cid.bytes.length, 0);
    await fetched.putMany((await readCar(car)).blocks);
    const below = new CidSet();
    for (const cid of wanted) {
      for (const entry of await MST.load(fetched, cid).getEntries())
        if (entry.isTree() && !(await asking.storage.has(entry.pointer))) below.add(entry.pointer);
    }
    wanted = below.toList();
  }
  const theirs = MST.load(new SyncStorage(fetched, asking.storage), root);
  const { adds, updates, deletes } = await DataDiff.of(theirs, asking);
  return { bytes, roundTrips, found: [adds, updates, deletes].flatMap(Object.keys).length };
}
