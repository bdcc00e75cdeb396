import type { Verifier } from '../ports.ts';
import type { Input } from '../protocol/border.ts';
import type { LatticeEvent } from '../protocol/events.ts';
import { encodeBatch } from '../protocol/gossip/batch.ts';
import { decodeRecord, type Dot, type SignedRecord, type VerifiedRecord } from '../protocol/state/record.ts';
import { testIdentity, testRecord } from '../protocol/state/test-records.ts';
import { VersionVector } from '../protocol/state/version-vector.ts';
import { encodeReply, encodeRequest } from '../protocol/sync/codec.ts';
import type { SyncReply, SyncRequest } from '../protocol/sync/messages.ts';
import { Intake } from './intake.ts';

const author = testIdentity(1);
const peer = testIdentity(2).id;
const root = '0'.repeat(64) as SyncRequest['root'];
const OPTIONS = { sliceRecords: 4, partRecords: 8, waitingMax: 20, waitingBytesMax: 1_000_000 };

describe('the intake', () => {
  it('puts what is sound before the core in the order of the message, whatever order the verdicts come in', async () => {
    const made = make();
    const records = recordsOf(10);
    made.sink({ type: 'answered', peer, exchange: 7, bytes: reply(records), rttMs: 1 });
    await made.verifier.asked(3);
    expect(made.inputs).toEqual([]);
    for (const at of [2, 0, 1]) made.verifier.tell(at);
    expect(keysIn(made.inputs)).toEqual([records.map(({ key }) => key)]);
  });

  it('has a page merged in parts as it is verified, and says at once where the next one begins', async () => {
    const made = make();
    const records = recordsOf(20);
    const after = { author: author.id, sequence: 20 };
    made.sink({ type: 'answered', peer, exchange: 7, bytes: reply(records, after), rttMs: 1 });
    expect(made.inputs).toMatchObject([{ type: 'arriving', exchange: 7, after, records: [] }]);
    await made.verifier.asked(5);
    for (const at of [1, 0, 2, 3, 4]) made.verifier.tell(at);
    expect(made.inputs.map(({ type }) => type)).toEqual(['arriving', 'arriving', 'arriving', 'answered']);
    const keys = records.map(({ key }) => key);
    expect(keysIn(made.inputs)).toEqual([[], keys.slice(0, 8), keys.slice(8, 16), keys.slice(16)]);
  });

  it('gives pages in the order in which they came, whichever is verified first', async () => {
    const made = make();
    for (const exchange of [7, 8])
      made.sink({ type: 'answered', peer, exchange, bytes: reply(recordsOf(3)), rttMs: 1 });
    made.verifier.tell(1);
    expect(made.inputs).toEqual([]);
    made.verifier.tell(0);
    expect(made.inputs).toMatchObject([{ exchange: 7 }, { exchange: 8 }]);
  });

  it('leaves out the records whose signature is not their author’s, tells of each, and takes the others', async () => {
    const made = make();
    const records = recordsOf(9);
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(records) });
    await made.verifier.asked(3);
    const bad = new Set([records[0], records[5], records[8]].map((record) => record?.id));
    for (const at of [0, 1, 2]) made.verifier.tell(at, (record) => !bad.has(record.id));
    expect(keysIn(made.inputs)).toEqual([records.filter(({ id }) => !bad.has(id)).map(({ key }) => key)]);
    const refusal = { type: 'refused', peer, lung: 'p2p', what: 'record', reason: 'bad_signature' };
    expect(made.events).toEqual([refusal, refusal, refusal]);
  });

  it('trusts a record that lives here, and has only the others verified', async () => {
    const records = recordsOf(6);
    const made = make(records.slice(1, 5));
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(records) });
    await made.verifier.asked(2);
    expect(made.verifier.keys()).toEqual([['k0'], ['k5']]);
    for (const at of [0, 1]) made.verifier.tell(at);
    expect(keysIn(made.inputs)).toEqual([records.map(({ key }) => key)]);
  });

  it('takes a message of known records without the verifier', () => {
    const records = recordsOf(3);
    const made = make(records);
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(records) });
    expect(keysIn(made.inputs)).toEqual([records.map(({ key }) => key)]);
  });

  it('says that a member is asking before its records are verified', async () => {
    const made = make();
    made.sink({ type: 'asked', peer, bytes: question(recordsOf(2)), answer: () => {} });
    await made.verifier.asked(1);
    expect(made.inputs.map(({ type }) => type)).toEqual(['asking']);
    made.verifier.tell(0);
    expect(made.inputs.map(({ type }) => type)).toEqual(['asking', 'asked']);
  });

  it('refuses a question of which one record is not its author’s: the answer counts them by their places', async () => {
    const made = make();
    const records = recordsOf(3);
    let answered: Uint8Array | null | undefined;
    made.sink({ type: 'asked', peer, bytes: question(records), answer: (bytes) => (answered = bytes) });
    await made.verifier.asked(1);
    made.verifier.tell(0, (record) => record.id !== records[1]?.id);
    expect(made.inputs.map(({ type }) => type)).toEqual(['asking']);
    expect(answered).toBeNull();
  });

  it('lets so many records wait and no more: gossip is left out, a question refused, an answer called none', async () => {
    const made = make();
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(recordsOf(12)) });
    let refused: Uint8Array | null | undefined;
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(recordsOf(9)) });
    made.sink({ type: 'asked', peer, bytes: question(recordsOf(9)), answer: (bytes) => (refused = bytes) });
    made.sink({ type: 'answered', peer, exchange: 7, bytes: reply(recordsOf(9)), rttMs: 1 });
    expect(refused).toBeNull();
    expect(made.inputs.map(({ type }) => type)).toEqual(['asking', 'unanswered']);
    expect(made.events.map((event) => event.type === 'refused' && event.reason)).toEqual([
      'too_many_records_waiting',
      'too_many_records_waiting',
      'too_many_records_waiting',
    ]);
    await made.verifier.asked(3);
    made.verifier.tell(0);
    made.sink({ type: 'gossip', peer, bytes: encodeBatch(recordsOf(9)) });
    expect(made.events).toHaveLength(3);
  });
});

class HeldVerifier implements Verifier {
  readonly #batches: {
    readonly records: readonly SignedRecord[];
    readonly told: (verdicts: readonly (VerifiedRecord | null)[]) => void;
  }[] = [];

  verify(
    records: readonly SignedRecord[],
    told: (verdicts: readonly (VerifiedRecord | null)[]) => void,
  ): void {
    this.#batches.push({ records, told });
  }

  /** Resolves when so many batches came. */
  async asked(count: number): Promise<void> {
    for (let turns = 0; this.#batches.length < count && turns < 1_000; turns += 1)
      await new Promise(setImmediate);
    expect(this.#batches).toHaveLength(count);
  }

  keys(): readonly (readonly string[])[] {
    return this.#batches.map(({ records }) => records.map(({ key }) => key));
  }

  tell(at: number, isSound: (record: SignedRecord) => boolean = () => true): void {
    const batch = this.#batches[at];
    batch?.told(batch.records.map((record) => (isSound(record) ? (record as VerifiedRecord) : null)));
  }
}

/** @param known records that live here */
function make(known: readonly SignedRecord[] = []) {
  const inputs: Input[] = [];
  const events: LatticeEvent[] = [];
  const verifier = new HeldVerifier();
  const intake = new Intake(
    {
      driver: { failure: null, expectAnswer: () => 1, dispatch: (input) => inputs.push(input) },
      core: { replica: { record: (id) => known.find((record) => record.id === id) ?? null } },
      verifier,
      emit: (event) => events.push(event),
      met: () => {},
    },
    OPTIONS,
  );
  return { sink: intake.sinkOf('p2p'), inputs, events, verifier };
}

function recordsOf(count: number): readonly SignedRecord[] {
  return Array.from({ length: count }, (_, i) =>
    decodeRecord(testRecord({ author, key: `k${i}`, sequence: i + 1 }).bytes),
  );
}

function reply(records: readonly SignedRecord[], after: Dot | null = null): Uint8Array {
  const message: SyncReply = {
    type: 'missing',
    root,
    vector: new VersionVector(),
    after,
    left: 0,
    records,
  };
  return encodeReply(message);
}

function question(records: readonly SignedRecord[]): Uint8Array {
  const vector = new VersionVector();
  return encodeRequest({ type: 'delta', root, vector, after: null, bytesMax: 1, records });
}

/** Of the records in each input that has some. */
function keysIn(inputs: readonly Input[]): readonly (readonly string[])[] {
  return inputs.flatMap((input) => {
    const holder = 'message' in input ? input.message : input;
    return 'records' in holder ? [holder.records.map(({ key }) => key)] : [];
  });
}
