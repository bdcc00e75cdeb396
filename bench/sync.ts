/**
 * What it costs to make unlike replicas equal: our ladder beside @nostr-dev-kit/sync (negentropy), @canvas-js/okra and the Merkle
 * search tree of @atproto/repo, and the heal of whole nodes beside @orbitdb/core and @canvas-js/gossiplog.
 *
 *   history    one side lacks what the members wrote lately: version vectors tell what
 *   random     both sides lack records anywhere in the state, and version vectors do not help: coded symbols
 *   heal       two processes each, real sockets, cut apart and joined again
 *   snapshot   a newcomer takes over everything, beside what the store can take
 *
 * Bytes are those of the encoded messages. Ours include asking for the records and everything around them, but not the records
 * themselves ("metadata"); a peer's end where the asker knows what each side lacks. Round trips of ours include the
 * records' way, a peer's do not. Processor time is that of both sides, all threads, from the first question on: without checking and
 * merging records (ours), and without making the sorted or hashed index that a peer goes by. What keeping our symbols
 * up to date costs is a row of its own.
 */
import { hash } from 'node:crypto';
import type { RecordId } from '../node/protocol/ids.ts';
import { Sketch, SKETCH_DEFAULTS } from '../node/protocol/state/sketch/sketch.ts';
import { median, takeTurns } from './measure.ts';
import type { Bar, Row, RunOptions, Suite } from './suite.ts';
import { SNAPSHOT_BARS, snapshotRows } from './sync-snapshot.ts';
import { healOurs, healPeer } from './sync-stacks.ts';
import type { Entry, Heal, Load } from './sync-stacks.ts';
import { CpuClock, MEMBERS, SALT, Twins } from './sync-twins.ts';
import type { Exchange } from './sync-twins.ts';

const NEGENTROPY = 'negentropy';
const OKRA = 'okra';
const MST = 'mst';
const ORBITDB = 'orbitdb';
const GOSSIPLOG = 'gossiplog';

const HISTORY = [10, 100, 1000, 10_000] as const;
const RANDOM = [1, 10, 100, 1000] as const;
const HEAL_EACH = 500;
const HEAL_SHARED = 1000;
const HEAL_ROUNDS = 3;
const ROUNDS = 5;

const history = (d: number) => ({
  roundTrips: `history, ${d} lacking: round trips`,
  metadata: `history, ${d} lacking: metadata`,
  share: `history, ${d} lacking: metadata of what is allowed`,
});
const random = (d: number) => ({
  bytes: `random, ${d} unlike: bytes`,
  roundTrips: `random, ${d} unlike: round trips`,
  cpu: `random, ${d} unlike: processor time`,
});
const UPKEEP = 'symbols kept up to date, per change';
const HEAL = `heal of ${2 * HEAL_EACH}`;
const HEAL_TIME = `${HEAL}: time`;
const HEAL_BYTES = `${HEAL}: bytes on the wire`;
const HEAL_METADATA = `${HEAL}: bytes beyond the records`;

export const sync: Suite = {
  name: 'sync',
  describe: 'unlike replicas made equal: bytes, round trips, processor time; heal of whole nodes',
  packages: [
    '@nostr-dev-kit/sync',
    '@canvas-js/okra',
    '@canvas-js/okra-memory',
    '@atproto/repo',
    '@orbitdb/core',
    '@helia/utils',
    'libp2p',
    '@canvas-js/gossiplog',
  ],
  size: { what: 'records', usual: 100_000 },
  bars: [
    ...HISTORY.flatMap((d): readonly Bar[] => [
      { what: history(d).roundTrips, against: null, limit: { atMost: 1 } },
      { what: history(d).share, against: null, limit: { atMost: 1 } },
    ]),
    ...[100, 1000].flatMap((d): readonly Bar[] => [
      { what: random(d).bytes, against: NEGENTROPY, limit: { atLeast: 30 } },
      { what: random(d).roundTrips, against: null, limit: { atMost: 3 } },
      { what: random(d).cpu, against: NEGENTROPY, limit: { atLeast: 50 } },
    ]),
    { what: random(100).bytes, against: OKRA, limit: { atLeast: 100 } },
    { what: random(100).bytes, against: MST, limit: { atLeast: 100 } },
    ...[ORBITDB, GOSSIPLOG].flatMap((against): readonly Bar[] => [
      { what: HEAL_TIME, against, limit: { atLeast: 5 } },
      { what: HEAL_BYTES, against, limit: { atLeast: 5 } },
    ]),
    ...SNAPSHOT_BARS,
  ],
  run,
};

async function run({ n, say }: RunOptions): Promise<readonly Row[]> {
  say('heals of whole nodes');
  const healed = await healRows();
  const taken = await snapshotRows(n, say);
  say(`two replicas of ${n}`);
  const twins = new Twins(n);
  const caughtUp = historyRows(twins);
  return [...caughtUp, ...(await randomRows(n, twins, say)), upkeepRow(n), ...healed, ...taken];
}

/** Round trips and metadata of the side that lacks something. */
function historyRows(twins: Twins): readonly Row[] {
  return HISTORY.flatMap((d) => {
    const { roundTrips, recordBytes, bytes } = twins.catchUp(d);
    const { roundTrips: trips, metadata, share } = history(d);
    const allowed = 100 * MEMBERS + 0.02 * recordBytes;
    return [
      ourRow(trips, '', roundTrips),
      ourRow(metadata, 'bytes', bytes - recordBytes),
      ourRow(share, '', (bytes - recordBytes) / allowed),
    ];
  });
}

/** What a peer of peers/*.mjs gives; what a side is, it alone knows. */
interface Peer {
  open(entries: readonly PeerEntry[]): Promise<readonly [unknown, unknown]>;
  /** @returns the side, which may be a new one */
  add(side: unknown, entries: readonly PeerEntry[]): Promise<unknown>;
  /** @returns also how many differences it found */
  reconcile(
    asker: unknown,
    answerer: unknown,
  ): Promise<{ readonly bytes: number; readonly roundTrips: number; readonly found: number }>;
}

/** What each of them takes its part of. */
interface PeerEntry {
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly idBytes: Uint8Array;
  readonly seconds: number;
}

async function randomRows(n: number, twins: Twins, say: RunOptions['say']): Promise<readonly Row[]> {
  const entries = peerEntries(0, n);
  const negentropy = await Contender.open('negentropy', entries, say);
  const okra = await Contender.open('okra-sync', entries, say);
  const mst = await Contender.open('mst-sync', entries, say);
  const rows: Row[] = [];
  let apart = 0;
  for (const d of RANDOM) {
    say(`${d} differences, ${ROUNDS} rounds`);
    const fresh = peerEntries(n + apart, d - apart);
    apart = d;
    // One measurement after the other is the point.
    // oxlint-disable-next-line no-await-in-loop
    for (const peer of [negentropy, okra, mst]) await peer.add(fresh);
    const exchanges: Exchange[] = [];
    const rounds = {
      ours: () => {
        const exchange = twins.reconcile(d);
        exchanges.push(exchange);
        return exchange.cpuMs;
      },
      [NEGENTROPY]: () => negentropy.reconcile(d),
      [OKRA]: () => okra.reconcile(d),
      [MST]: () => mst.reconcile(d),
    };
    // oxlint-disable-next-line no-await-in-loop
    await takeTurns(rounds, 1);
    // oxlint-disable-next-line no-await-in-loop
    const { ours, ...peers } = await takeTurns(rounds, ROUNDS);
    const byPeer = (pick: (peer: Contender) => number) => ({
      [NEGENTROPY]: pick(negentropy),
      [OKRA]: pick(okra),
      [MST]: pick(mst),
    });
    const named = random(d);
    rows.push(
      {
        ...ourRow(
          named.bytes,
          'bytes',
          median(exchanges.map(({ bytes, recordBytes }) => bytes - recordBytes)),
        ),
        peers: byPeer(({ bytes }) => bytes),
      },
      {
        // The worst of all rounds: each had other differences.
        ...ourRow(named.roundTrips, '', Math.max(...exchanges.map(({ roundTrips }) => roundTrips))),
        peers: byPeer(({ roundTrips }) => roundTrips),
      },
      { ...ourRow(named.cpu, 'ms', ours), peers },
    );
  }
  return rows;
}

/** A peer's two sides. */
class Contender {
  readonly #name: string;
  readonly #peer: Peer;
  #sides: readonly [unknown, unknown];
  bytes = 0;
  roundTrips = 0;

  private constructor(name: string, peer: Peer, sides: readonly [unknown, unknown]) {
    this.#name = name;
    this.#peer = peer;
    this.#sides = sides;
  }

  static async open(name: string, entries: readonly PeerEntry[], say: RunOptions['say']): Promise<Contender> {
    say(`${name} of ${entries.length}`);
    const peer = (await import(new URL(`peers/${name}.mjs`, import.meta.url).href)) as Peer;
    return new Contender(name, peer, await peer.open(entries));
  }

  /** Half of them on each side. */
  async add(entries: readonly PeerEntry[]): Promise<void> {
    const [one, other] = this.#sides;
    this.#sides = [
      await this.#peer.add(
        one,
        entries.filter((_, i) => i % 2 === 1),
      ),
      await this.#peer.add(
        other,
        entries.filter((_, i) => i % 2 === 0),
      ),
    ];
  }

  /** @returns ms of processor time. @throws Error when it did not find all d */
  async reconcile(d: number): Promise<number> {
    const clock = new CpuClock();
    clock.resume();
    const { bytes, roundTrips, found } = await this.#peer.reconcile(...this.#sides);
    clock.pause();
    if (found !== d) throw new Error(`${this.#name} found ${found} of ${d} differences`);
    this.bytes = bytes;
    this.roundTrips = roundTrips;
    return clock.ms;
  }
}

/** Spread over keys and a year by a hash, so that late ones fall between early ones. */
function peerEntries(from: number, count: number): readonly PeerEntry[] {
  const seconds = 365 * 24 * 3600;
  return Array.from({ length: count }, (_, i) => {
    const digest = hash('sha256', `entry ${from + i}`, 'hex');
    const key = `org.aethel.key/${digest.slice(0, 20)}`;
    return {
      key,
      keyBytes: new TextEncoder().encode(key),
      idBytes: new Uint8Array(Buffer.from(hash('sha256', digest, 'hex'), 'hex')),
      seconds: Date.UTC(2025, 0, 1) / 1000 + (Number.parseInt(digest.slice(20, 28), 16) % seconds),
    };
  });
}

/** What every write pays so that the symbols are there when they are asked for. */
function upkeepRow(n: number): Row {
  const sketch = new Sketch(SALT, SKETCH_DEFAULTS);
  const ids = Array.from({ length: n }, (_, i) => hash('sha256', `id ${i}`, 'hex') as RecordId);
  for (const id of ids) sketch.add(id);
  const clock = new CpuClock();
  clock.resume();
  for (const id of ids) sketch.remove(id);
  for (const id of ids) sketch.add(id);
  clock.pause();
  return ourRow(UPKEEP, 'µs', (clock.ms * 1000) / (2 * n));
}

async function healRows(): Promise<readonly Row[]> {
  const entries = (name: string, count: number): readonly Entry[] =>
    Array.from({ length: count }, (_, i) => ({
      key: hash('sha256', `${name} ${i}`, 'hex').slice(0, 20),
      value: hash('sha256', `value ${name} ${i}`, 'hex').repeat(2),
    }));
  const load: Load = {
    shared: entries('shared', HEAL_SHARED),
    apart: [entries('one', HEAL_EACH), entries('other', HEAL_EACH)],
  };
  // Ours takes so little that the moment of a redial shows; a peer takes so much that once will do.
  const ours: Heal[] = [];
  for (let round = 0; round < HEAL_ROUNDS; round++) {
    // oxlint-disable-next-line no-await-in-loop
    ours.push(await healOurs(load));
  }
  const orbitdb = await healPeer('orbitdb.mjs', load);
  const gossiplog = await healPeer('gossiplog.mjs', load);
  const row = (what: string, unit: string, pick: (heal: Heal) => number): Row => ({
    ...ourRow(what, unit, median(ours.map(pick))),
    peers: { [ORBITDB]: pick(orbitdb), [GOSSIPLOG]: pick(gossiplog) },
  });
  return [
    row(HEAL_TIME, 'ms', ({ ms }) => ms),
    row(HEAL_BYTES, 'bytes', ({ bytes }) => bytes),
    row(HEAL_METADATA, 'bytes', ({ bytes, recordBytes }) => bytes - recordBytes),
  ];
}

function ourRow(what: string, unit: string, ours: number): Row {
  return { what, unit, better: 'lower', ours, peers: {} };
}
