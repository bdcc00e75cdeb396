/**
 * A node's state directory with as many records as a measurement wants, written past the node: keys of 20 bytes, values of 100.
 */
import { join } from 'node:path';
import type { Identity } from '../node/ports.ts';
import { keptForm } from '../node/protocol/state/kept-record.ts';
import { MerkleTrie, pathOf } from '../node/protocol/state/merkle.ts';
import { signRecord, type VerifiedRecord } from '../node/protocol/state/record.ts';
import { loadOrCreateIdentity } from '../node/storage/identity.ts';
import { LmdbStorage } from '../node/storage/lmdb-storage.ts';

const KEY_BYTES = 20;
export const VALUE_BYTES = 100;
const BATCH = 10_000;
const WALL_MS = Date.UTC(2026, 0, 1);

/** Writes that many records into the store of a new state directory. @param sign default: the identity there. @returns their root */
export async function fillStore(
  directory: string,
  count: number,
  sign?: (bytes: Uint8Array) => Uint8Array,
): Promise<string> {
  const identity = await loadOrCreateIdentity(directory);
  const storage = await LmdbStorage.open(join(directory, 'store'));
  const trie = new MerkleTrie();
  const meta = { sequence: count, wallMs: WALL_MS, counter: 0, knowledge: null };
  for (let from = 0; from < count; from += BATCH) {
    const put: { slot: number; bytes: Uint8Array }[] = [];
    for (let n = from + 1; n <= Math.min(count, from + BATCH); n++) {
      const record = recordOf(identity, n, sign ?? ((bytes) => identity.sign(bytes)));
      trie.set(pathOf(record.key), [record.id]);
      put.push({ slot: n, bytes: keptForm(record) });
    }
    await storage.commit({ put, remove: [], meta });
  }
  await storage.close();
  return trie.root();
}

export function recordOf(
  author: Pick<Identity, 'id'>,
  n: number,
  sign: (bytes: Uint8Array) => Uint8Array,
): VerifiedRecord {
  // Keys in no order: neither the store's nor the listing's.
  const key = `key-${((n * 7_368_787) % 2 ** 32).toString(16)}-${n}`.padEnd(KEY_BYTES, '.');
  const head = `{"n":${n},"text":"`;
  const value = `${head}${'v'.repeat(VALUE_BYTES - head.length - 2)}"}`;
  const dot = { author: author.id, sequence: (WALL_MS - 1_000_000) * 1_000 + n };
  const stamp = { wallMs: WALL_MS - 1_000_000 + Math.floor(n / 100), counter: n % 100 };
  return signRecord({ key, value, dot, context: [], stamp }, sign);
}
