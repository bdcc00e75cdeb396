/**
 * Our Merkle trie beside @canvas-js/okra and the Merkle search tree of @atproto/repo: the root after every insert into
 * a large state, a bulk load with one root at the end, and the memory of an entry of ours.
 *
 * All get the same keys and values of 32 bytes, each in the form its interface asks for, made before the clock starts.
 * Ours begins at the key, so the hash that makes a path of it is in its time. Its keys come in no order, those of the
 * peers' bulk loads sorted, which suits them best. All load by the interface they have for that. okra's digests are of 16 bytes, its default, and ours and the MST's of 32.
 */
import { hash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RecordId } from '../node/protocol/ids.ts';
import { toEnd } from '../node/protocol/pieces.ts';
import { MerkleTrie, pathOf } from '../node/protocol/state/merkle.ts';
import { TrieLoad } from '../node/protocol/state/trie-load.ts';
import { takeTurns, timed } from './measure.ts';
import type { Row, RunOptions, Suite } from './suite.ts';

const INSERT = 'root after every insert';
const BULK = 'bulk load with root';
const MEMORY = 'index memory';
const OKRA = 'okra';
const MST = 'mst';

export const merkle: Suite = {
  name: 'merkle',
  describe: 'the trie beside @canvas-js/okra and the MST of @atproto/repo: insert + root, bulk load, memory',
  packages: ['@canvas-js/okra', '@canvas-js/okra-memory', '@atproto/repo'],
  size: { what: 'entries', usual: 100_000 },
  bars: [
    { what: INSERT, against: OKRA, limit: { atLeast: 40 } },
    { what: INSERT, against: MST, limit: { atLeast: 40 } },
    { what: BULK, against: OKRA, limit: { atLeast: 50 } },
    { what: BULK, against: MST, limit: { atLeast: 50 } },
    { what: MEMORY, against: null, limit: { atMost: 100 } },
  ],
  run,
};

const INSERT_ROUNDS = 10;
/** As many as take long enough to be timed and leave the caches that the others filled: 5 ms or more for everybody. */
const INSERTS_PER_ROUND = { ours: 1000, [OKRA]: 200, [MST]: 200 } as const;
const BULK_ROUNDS = 3;

async function run({ n, say }: RunOptions): Promise<readonly Row[]> {
  say('memory of our index');
  const bytesPerEntry = memoryPerEntry(n);
  const okra = (await import(new URL('peers/okra.mjs', import.meta.url).href)) as OkraPeer;
  const mst = (await import(new URL('peers/mst.mjs', import.meta.url).href)) as MstPeer;
  const links = await mst.links(64);

  const present = entriesOf(0, n, links);
  const sorted = present.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const okraSorted = sorted.map(({ keyBytes, idBytes }) => [keyBytes, idBytes] as const);
  const mstSorted = sorted.map(({ key, link }) => [key, link] as const);
  // A tenth of the work for everybody, so that the compiler knows the code when the clock starts.
  const tenth = Math.ceil(n / 10);
  loadOurs(present.slice(0, tenth));
  await okra.load(okraSorted.slice(0, tenth));
  await mst.load(mstSorted.slice(0, tenth));

  say(`${BULK}: ${BULK_ROUNDS} rounds of ${n}`);
  let ours = new MerkleTrie();
  let okraTree: unknown = null;
  let mstTree: unknown = null;
  const bulk = await takeTurns(
    {
      ours: () => timed(() => void (ours = loadOurs(present))),
      [OKRA]: () => timed(async () => void (okraTree = (await okra.load(okraSorted)).tree)),
      [MST]: () => timed(async () => void (mstTree = (await mst.load(mstSorted)).tree)),
    },
    BULK_ROUNDS,
  );

  say(`${INSERT}: ${INSERT_ROUNDS} rounds of ${Object.values(INSERTS_PER_ROUND).join(', ')} at ${n}`);
  const fresh = entriesOf(n, (INSERT_ROUNDS + 1) * INSERTS_PER_ROUND.ours, links);
  const turns: Record<Contender, number> = { ours: 0, [OKRA]: 0, [MST]: 0 };
  const next = (who: Contender): readonly Entry[] => {
    const from = turns[who];
    turns[who] = from + INSERTS_PER_ROUND[who];
    return fresh.slice(from, turns[who]);
  };
  const rounds = {
    ours: () => {
      const entries = next('ours');
      return timed(() => insertOurs(ours, entries));
    },
    [OKRA]: () => {
      const entries = next(OKRA).map(({ keyBytes, idBytes }) => [keyBytes, idBytes] as const);
      return timed(async () => void (await okra.insert(okraTree, entries)));
    },
    [MST]: () => {
      const entries = next(MST).map(({ key, link }) => [key, link] as const);
      return timed(async () => {
        mstTree = (await mst.insert(mstTree, entries)).tree;
      });
    },
  };
  await takeTurns(rounds, 1);
  const inserts = await takeTurns(rounds, INSERT_ROUNDS);
  assertSame(ours, [...present, ...fresh]);

  const perLoaded = n / 1000;
  return [
    row(INSERT, 'µs', 'lower', inserts, (ms, who) => (ms * 1000) / INSERTS_PER_ROUND[who]),
    row(BULK, 'k entries/s', 'higher', bulk, (ms) => perLoaded / (ms / 1000)),
    { what: MEMORY, unit: 'bytes/entry', better: 'lower', ours: bytesPerEntry, peers: {} },
  ];
}

type Contender = keyof typeof INSERTS_PER_ROUND;

interface Entry {
  readonly key: string;
  readonly id: RecordId;
  readonly keyBytes: Uint8Array;
  readonly idBytes: Uint8Array;
  readonly link: unknown;
}

/** A bulk load of a peer gives a tree of its own kind. */
interface OkraPeer {
  load(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<{ readonly tree: unknown }>;
  insert(tree: unknown, entries: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<string>;
}

interface MstPeer {
  links(count: number): Promise<readonly unknown[]>;
  load(entries: readonly (readonly [string, unknown])[]): Promise<{ readonly tree: unknown }>;
  insert(
    tree: unknown,
    entries: readonly (readonly [string, unknown])[],
  ): Promise<{ readonly tree: unknown }>;
}

/** Keys as the MST allows them, spread by a hash: late ones fall between early ones, for everybody. */
function entriesOf(from: number, count: number, links: readonly unknown[]): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const key = `org.aethel.key/${hash('sha256', `key ${from + i}`, 'hex').slice(0, 20)}`;
    const id = hash('sha256', key, 'hex') as RecordId;
    const idBytes = new Uint8Array(Buffer.from(id, 'hex'));
    return { key, id, keyBytes: new TextEncoder().encode(key), idBytes, link: links[i % links.length] };
  });
}

function loadOurs(entries: readonly Entry[]): MerkleTrie {
  const trie = new MerkleTrie();
  const load = new TrieLoad(trie);
  for (const { key, id } of entries) load.addKey(key, id);
  toEnd(load.finishing());
  trie.root();
  return trie;
}

function insertOurs(trie: MerkleTrie, entries: readonly Entry[]): void {
  for (const { key, id } of entries) {
    trie.set(pathOf(key), [id]);
    trie.root();
  }
}

/** What was timed was the real thing: the root is that of inserts in another order. */
function assertSame(trie: MerkleTrie, entries: readonly Entry[]): void {
  const other = new MerkleTrie();
  for (const { key, id } of entries.toReversed()) other.set(pathOf(key), [id]);
  if (other.root() !== trie.root()) throw new Error('the order of inserts shows in our root');
}

/** Heap and array buffers that a full trie holds, after collections; measured first, while there is nothing else. */
function memoryPerEntry(n: number): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    for (let i = 0; i < 3; i++) collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  fill(new MerkleTrie(), 1000);
  const before = held();
  const trie = new MerkleTrie();
  fill(trie, n);
  const after = held();
  if (trie.size !== n) throw new Error('entries went missing');
  return (after - before) / n;
}

function fill(trie: MerkleTrie, n: number): void {
  for (let i = 0; i < n; i++) trie.set(pathOf(`key ${i}`), [hash('sha256', `id ${i}`, 'hex') as RecordId]);
  trie.root();
}

function row(
  what: string,
  unit: string,
  better: Row['better'],
  times: Readonly<Record<Contender, number>>,
  convert: (ms: number, who: Contender) => number,
): Row {
  const peers = { [OKRA]: convert(times[OKRA], OKRA), [MST]: convert(times[MST], MST) };
  return { what, unit, better, ours: convert(times.ours, 'ours'), peers };
}
