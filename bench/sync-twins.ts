/**
 * Our side of the sync suite without a network: two replicas, a session of one and the answers of the other, every message through
 * its codec, every byte and round trip counted.
 *
 * Records carry a signature that is none: nobody here verifies, and real ones would take longer to make than all the rest.
 */
import { hash } from 'node:crypto';
import type { NodeId } from '../node/protocol/ids.ts';
import { toEnd } from '../node/protocol/pieces.ts';
import { VersionVector } from '../node/protocol/state/version-vector.ts';
import { Replica, REPLICA_DEFAULTS } from '../node/protocol/state/replica.ts';
import { signRecord, type SignedRecord, type VerifiedRecord } from '../node/protocol/state/record.ts';
import { identityFromSeed, SEED_BYTES } from '../node/protocol/state/signature.ts';
import { answer, ANSWER_DEFAULTS } from '../node/protocol/sync/answer.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../node/protocol/sync/codec.ts';
import { Settled } from '../node/protocol/sync/delta.ts';
import { ALL_FREIGHT } from '../node/protocol/sync/freight.ts';
import { recordsOf, type Offered, type SyncReply, type SyncRequest } from '../node/protocol/sync/messages.ts';
import { Session, SESSION_DEFAULTS } from '../node/protocol/sync/session.ts';

export const MEMBERS = 5;
export const SALT = hash('sha256', 'bench', 'buffer');

/** What one session took. */
export interface Exchange {
  readonly roundTrips: number;
  /** all bytes of all messages, both ways */
  readonly bytes: number;
  /** of which records themselves */
  readonly recordBytes: number;
  /** processor time of both sides, without checking and merging the records: that is no part of finding them */
  readonly cpuMs: number;
}

const AUTHORS: readonly NodeId[] = Array.from(
  { length: MEMBERS },
  (_, i) => identityFromSeed(new Uint8Array(SEED_BYTES).fill(i + 1)).id,
);
const PEER = AUTHORS[0] ?? ('' as NodeId);
const SIGNATURE = new Uint8Array(64).fill(0x5a);
const WALL_MS = Date.UTC(2026, 0, 1);
const VALUE_BYTES = 130;

const NOTHING = new VersionVector();

export class Twins {
  readonly #one: Replica;
  readonly #other: Replica;
  #records = 0;

  /** @param n records that both hold */
  constructor(n: number) {
    const records = this.#fresh(n);
    this.#one = replicaOf(records);
    this.#other = replicaOf(records);
  }

  /** One side gets so many new records, which all members wrote. @returns what the session of the other side took */
  catchUp(d: number): Exchange {
    addTo(this.#other, this.#fresh(d));
    return this.#run(new Settled());
  }

  /**
   * Each side gets half of so many new records of its own, at random places among the others; the last one alone may be only there.
   * Version vectors do not help: whatever they say counts as settled before.
   */
  reconcile(d: number): Exchange {
    const before = this.#one.vector.clone();
    const fresh = this.#fresh(d);
    addTo(this.#one, fresh.slice(0, Math.floor(d / 2)));
    addTo(this.#other, fresh.slice(Math.floor(d / 2)));
    const settled = new Settled();
    settled.hear(before);
    settled.pushed.join(this.#one.vector);
    return this.#run(settled);
  }

  /** @throws Error when the two are not equal after it */
  #run(settled: Settled): Exchange {
    const roots = { local: this.#one.root(), remote: this.#other.root() };
    const session = new Session(
      {
        peer: PEER,
        lung: 'p2p',
        at: 0,
        roots,
        settled,
        freight: ALL_FREIGHT,
        isStuck: false,
      },
      SESSION_DEFAULTS,
    );
    const asker = this.#one;
    const clock = new CpuClock();
    let bytes = 0;
    let recordBytes = 0;
    const deliver = (encoded: Uint8Array, message: SyncRequest | SyncReply, to: Replica): Offered => {
      const records = recordsOf(message);
      bytes += encoded.length;
      recordBytes += bytesOf(records);
      clock.pause();
      const offered = addTo(to, records);
      clock.resume();
      return offered;
    };
    clock.resume();
    for (let question = session.next(asker); question !== null; question = session.next(asker)) {
      const asked = encodeRequest(question);
      const request = decodeRequest(asked);
      const offered = deliver(asked, request, this.#other);
      const answered = encodeReply(answer(request, offered, NOTHING, this.#other, ANSWER_DEFAULTS));
      const reply = decodeReply(answered);
      deliver(answered, reply, asker);
      const wrong = session.take(reply, asker);
      if (wrong !== null) throw new Error(`our session ended: ${wrong}`);
    }
    clock.pause();
    if (asker.root() !== this.#other.root()) throw new Error('our session left the roots unlike');
    return { roundTrips: session.roundTrips, bytes, recordBytes, cpuMs: clock.ms };
  }

  #fresh(count: number): readonly VerifiedRecord[] {
    const first = this.#records;
    this.#records += count;
    return Array.from({ length: count }, (_, i) => recordOf(first + i));
  }
}

/** Of this process, all its threads. */
export class CpuClock {
  #spentUs = 0;
  #since: NodeJS.CpuUsage | null = null;

  resume(): void {
    this.#since = process.cpuUsage();
  }

  pause(): void {
    if (this.#since === null) return;
    const { user, system } = process.cpuUsage(this.#since);
    this.#spentUs += user + system;
    this.#since = null;
  }

  get ms(): number {
    return this.#spentUs / 1000;
  }
}

/** Keys in no order, members in turns, some 270 bytes. */
function recordOf(n: number): VerifiedRecord {
  const author = AUTHORS[n % MEMBERS] ?? PEER;
  const digest = hash('sha256', `record ${n}`, 'hex');
  const dot = { author, sequence: WALL_MS * 1000 + Math.floor(n / MEMBERS) + 1 };
  const stamp = { wallMs: WALL_MS + Math.floor(n / 100), counter: n % 100 };
  const value = JSON.stringify({ n, text: digest.padEnd(VALUE_BYTES - 20, '.') });
  return signRecord({ key: digest.slice(0, 20), value, dot, context: [], stamp }, () => SIGNATURE);
}

function replicaOf(records: readonly VerifiedRecord[]): Replica {
  const replica = new Replica({ self: PEER, sign: () => SIGNATURE, sketchSalt: SALT }, REPLICA_DEFAULTS);
  const stored = records.map(({ bytes }, i) => ({ slot: i + 1, bytes }));
  toEnd(replica.loading(null, stored, null, WALL_MS));
  return replica;
}

/** Stands for the check of signatures as well. */
function addTo(replica: Replica, records: readonly SignedRecord[]): Offered {
  const covered: number[] = [];
  for (const [position, record] of records.entries())
    if (replica.merge(record as VerifiedRecord, WALL_MS + 10_000_000) === 'covered') covered.push(position);
  replica.takeChanges();
  replica.root();
  return { refused: 0, covered };
}

function bytesOf(records: readonly SignedRecord[]): number {
  return records.reduce((sum, record) => sum + record.bytes.length, 0);
}
