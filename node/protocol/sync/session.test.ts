import fc from 'fast-check';
import { testIdentity } from '../state/test-records.ts';
import { Replica, REPLICA_DEFAULTS } from '../state/replica.ts';
import type { VerifiedRecord } from '../state/record.ts';
import type { Digest, NodeId } from '../ids.ts';
import { VersionVector } from '../state/version-vector.ts';
import { answer, ANSWER_DEFAULTS, type AnswerOptions } from './answer.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './codec.ts';
import type { SyncReply, SyncRequest } from './messages.ts';
import { Session, SESSION_DEFAULTS, type SessionOptions } from './session.ts';

const NOW = 1_767_225_600_000;
const PEER = 'peer' as NodeId;
const VECTOR = new VersionVector();
const ROOT = 'a'.repeat(64) as Digest;

describe('a session between two replicas', () => {
  it('makes any two replicas equal, in both directions, over the encoded messages', () => {
    fc.assert(
      fc.property(keys(), keys(), keys(), (onlyOurs, onlyTheirs, shared) => {
        const [ours, theirs] = twoReplicas(onlyOurs, onlyTheirs, shared);
        const end = reconcile(ours, theirs);
        expect(end.wrong).toBeNull();
        expect(ours.root()).toBe(theirs.root());
      }),
      { numRuns: 60 },
    );
  });

  it('makes them equal however small the messages may be', () => {
    const [ours, theirs] = twoReplicas(range('a', 90), range('b', 120), range('c', 200));
    const tight: AnswerOptions = { idsBelowKeys: 4, hashesMax: 40, recordBytesMax: 600 };
    const narrow: SessionOptions = { subtreesMax: 3, wantMax: 5, pushBytesMax: 700, roundTripsMax: 4_096 };
    const end = reconcile(ours, theirs, narrow, tight);
    expect(end.wrong).toBeNull();
    expect(ours.root()).toBe(theirs.root());
  });

  it('asks once when nothing differs', () => {
    const [ours, theirs] = twoReplicas([], [], range('c', 50));
    expect(reconcile(ours, theirs).roundTrips).toBe(1);
  });

  it('finds one difference in 5000 keys in a handful of round trips', () => {
    const [ours, theirs] = twoReplicas(['one'], [], range('c', 5_000));
    const end = reconcile(ours, theirs);
    expect(ours.root()).toBe(theirs.root());
    expect(end.roundTrips).toBeLessThanOrEqual(5);
    expect(end.pushed).toBe(1);
  });

  it('replaces an old record by its successor, whichever side has it', () => {
    const [ours, theirs] = twoReplicas([], [], ['k']);
    write(theirs, 'k', '"newer"');
    reconcile(ours, theirs);
    expect(ours.get('k')?.winner.value).toBe('"newer"');
    expect(ours.root()).toBe(theirs.root());
  });
});

describe('a session with a lying or broken peer', () => {
  const replies: readonly (readonly [string, SyncReply])[] = [
    ['wrong_reply_type', { type: 'transferred', root: ROOT, answered: 0, refused: 0, records: [] }],
    [
      'wrong_answered_count',
      { type: 'differences', root: ROOT, answered: 0, vector: VECTOR, differences: [] },
    ],
    [
      'wrong_answered_count',
      { type: 'differences', root: ROOT, answered: 2, vector: VECTOR, differences: [] },
    ],
    [
      'unasked_prefix',
      {
        type: 'differences',
        root: ROOT,
        answered: 1,
        vector: VECTOR,
        differences: [{ kind: 'entries', prefix: 'ab', ids: [] }],
      },
    ],
    ['refused_busy', { type: 'refused', reason: 'busy' }],
  ];

  it.each(replies)('ends with %s', (reason, reply) => {
    const [ours] = twoReplicas(['a'], [], []);
    const session = new Session(PEER, 'http', 0, SESSION_DEFAULTS);
    session.next(ours);
    expect(session.take(reply, ours)).toBe(reason);
  });

  it('ends a descent that never ends', () => {
    const [ours] = twoReplicas(range('a', 100), [], []);
    const session = new Session(PEER, 'http', 0, { ...SESSION_DEFAULTS, roundTripsMax: 50 });
    let rounds = 0;
    for (let question = session.next(ours); question !== null; question = session.next(ours)) {
      if (question.type !== 'compare') break;
      const digests = Array.from({ length: 16 }, () => ROOT);
      const differences = question.subtrees.map(
        ({ prefix }) => ({ kind: 'children', prefix, digests }) as const,
      );
      rounds += 1;
      if (
        session.take(
          { type: 'differences', root: ROOT, answered: differences.length, vector: VECTOR, differences },
          ours,
        ) !== null
      )
        break;
    }
    expect(rounds).toBeLessThanOrEqual(50);
  });
});

function reconcile(
  ours: Replica,
  theirs: Replica,
  options: SessionOptions = SESSION_DEFAULTS,
  answering: AnswerOptions = ANSWER_DEFAULTS,
) {
  const session = new Session(PEER, 'http', 0, options);
  for (let question = session.next(ours); question !== null; question = session.next(ours)) {
    const request = decodeRequest(encodeRequest(question));
    if (request.type === 'transfer') mergeAll(theirs, request);
    const reply = decodeReply(encodeReply(answer(request, 0, theirs, answering)));
    if (reply.type === 'transferred') mergeAll(ours, reply);
    const wrong = session.take(reply, ours);
    if (wrong !== null) return { wrong, roundTrips: session.roundTrips, pushed: session.pushed };
  }
  return { wrong: null, roundTrips: session.roundTrips, pushed: session.pushed };
}

function mergeAll(
  replica: Replica,
  message: (SyncRequest | SyncReply) & { readonly records: readonly unknown[] },
): void {
  for (const record of message.records) replica.merge(record as VerifiedRecord, NOW);
}

function twoReplicas(onlyOurs: readonly string[], onlyTheirs: readonly string[], shared: readonly string[]) {
  const [ours, theirs] = [1, 2].map((n) => {
    const identity = testIdentity(n);
    return new Replica({ self: identity.id, sign: (bytes) => identity.sign(bytes) }, REPLICA_DEFAULTS);
  });
  if (ours === undefined || theirs === undefined) throw new Error('two replicas');
  for (const key of shared) for (const record of write(ours, key, '"shared"')) theirs.merge(record, NOW);
  for (const key of onlyOurs) write(ours, key, '"ours"');
  for (const key of onlyTheirs) write(theirs, key, '"theirs"');
  return [ours, theirs] as const;
}

function write(replica: Replica, key: string, value: string): readonly VerifiedRecord[] {
  const result = replica.write([{ key, value }], null, NOW);
  return result.ok ? result.records : [];
}

function keys(): fc.Arbitrary<readonly string[]> {
  return fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 60 });
}

function range(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
