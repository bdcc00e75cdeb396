import fc from 'fast-check';
import type { Digest, NodeId } from '../ids.ts';
import type { VerifiedRecord } from '../state/record.ts';
import { Replica, REPLICA_DEFAULTS, type ReplicaOptions } from '../state/replica.ts';
import { testIdentity } from '../state/test-records.ts';
import { VersionVector } from '../state/version-vector.ts';
import { answer, ANSWER_DEFAULTS, type AnswerOptions } from './answer.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './codec.ts';
import { Settled } from './delta.ts';
import { ALL_FREIGHT } from './freight.ts';
import { recordsOf, type Offered, type SyncReply, type SyncRequest } from './messages.ts';
import { Session, SESSION_DEFAULTS, type SessionOptions, type SessionStart } from './session.ts';

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

  it('makes them equal as well where vectors explain nothing', () => {
    fc.assert(
      fc.property(keys(), keys(), keys(), fc.boolean(), (onlyOurs, onlyTheirs, shared, isStuck) => {
        const [ours, theirs] = twoReplicas(onlyOurs, onlyTheirs, shared);
        const end = reconcile(ours, theirs, { start: { settled: unexplained(ours, theirs), isStuck } });
        expect(end.wrong).toBeNull();
        expect(ours.root()).toBe(theirs.root());
        const rung = isStuck ? 'descent' : 'sketch';
        if (onlyOurs.length + onlyTheirs.length > 0) expect(end.rungs).toContain(rung);
      }),
      { numRuns: 60 },
    );
  });

  it('makes them equal however small the messages may be', () => {
    for (const isStuck of [false, true]) {
      const [ours, theirs] = twoReplicas(range('a', 90), range('b', 120), range('c', 200));
      const tight: AnswerOptions = {
        ...ANSWER_DEFAULTS,
        idsBelowKeys: 4,
        hashesMax: 40,
        recordBytesMax: 600,
      };
      const narrow: SessionOptions = { ...SESSION_DEFAULTS, subtreesMax: 3, wantMax: 5, pushBytesMax: 700 };
      const settled = isStuck ? unexplained(ours, theirs) : new Settled();
      const end = reconcile(ours, theirs, { options: narrow, answering: tight, start: { settled, isStuck } });
      expect(end.wrong).toBeNull();
      expect(ours.root()).toBe(theirs.root());
    }
  });

  it('asks once when nothing differs', () => {
    const [ours, theirs] = twoReplicas([], [], range('c', 50));
    expect(reconcile(ours, theirs).roundTrips).toBe(1);
  });

  it('replaces an old record by its successor, whichever side has it', () => {
    const [ours, theirs] = twoReplicas([], [], ['k']);
    write(theirs, 'k', '"newer"');
    reconcile(ours, theirs);
    expect(ours.get('k')?.winner.value).toBe('"newer"');
    expect(ours.root()).toBe(theirs.root());
  });
});

describe('a page asked ahead', () => {
  const tight: AnswerOptions = { ...ANSWER_DEFAULTS, recordBytesMax: 2_000 };

  /** Every page is merged one question late, as where the next one is fetched while it is verified. */
  function pull(ours: Replica, theirs: Replica, isLost: (question: number) => boolean = () => false) {
    const session = new Session(startOf({}), SESSION_DEFAULTS);
    const ask = (question: SyncRequest | null): (SyncReply & { type: 'missing' }) | null => {
      if (question === null) return null;
      const reply = decodeReply(
        encodeReply(answer(question, { refused: 0, covered: [] }, VECTOR, theirs, tight)),
      );
      if (reply.type !== 'missing') throw new Error(`answered by ${reply.type}`);
      return reply;
    };
    let ahead = 0;
    let page = ask(session.next(ours));
    while (page !== null) {
      const question = page.after === null ? null : session.nextAhead(page.after, ours);
      if (question !== null) ahead += 1;
      let next = question !== null && isLost(ahead) ? null : ask(question);
      if (question !== null && next === null) session.forgetAhead();
      const [part, rest] = [page.records.slice(0, 3), page.records.slice(3)];
      mergeAll(ours, { ...page, records: part });
      session.noteArrived(part.length);
      mergeAll(ours, { ...page, records: rest });
      expect(session.take({ ...page, records: rest }, ours)).toBeNull();
      if (!session.isAsking) next = ask(session.next(ours));
      page = next;
    }
    return { session, ahead };
  }

  it('brings every record once, in as many round trips', () => {
    const [ours, theirs] = twoReplicas([], range('b', 300), []);
    const { session, ahead } = pull(ours, theirs);
    expect(ours.root()).toBe(theirs.root());
    expect(session).toMatchObject({ pulled: 300, roundTrips: ahead + 1 });
    expect(ahead).toBeGreaterThan(10);
  });

  it('is asked again in its turn where it was not answered', () => {
    const [ours, theirs] = twoReplicas([], range('b', 300), []);
    const { session } = pull(ours, theirs, (question) => question % 3 === 0);
    expect(ours.root()).toBe(theirs.root());
    expect(session.pulled).toBe(300);
  });

  it('is one at most, goes on behind the page that came, and waits while there is something to push', () => {
    const [ours, theirs] = twoReplicas(range('a', 300), range('b', 300), []);
    const after = { author: [...theirs.vector.dots(null)][0]?.author ?? PEER, sequence: 2 };
    const session = new Session(startOf({}), SESSION_DEFAULTS);
    expect(session.nextAhead(after, ours)).toBeNull();
    session.next(ours);
    expect(session.nextAhead(after, ours)).toMatchObject({ type: 'delta', after, records: [] });
    expect(session.nextAhead({ ...after, sequence: 3 }, ours)).toBeNull();
    const settled = new Settled();
    settled.hear(theirs.vector.clone());
    const pushing = new Session(startOf({ settled }), SESSION_DEFAULTS);
    pushing.next(ours);
    expect(pushing.nextAhead(after, ours)).toBeNull();
  });
});

describe('the rung of version vectors', () => {
  it('pulls any number of records in one round trip', () => {
    const [ours, theirs] = twoReplicas([], range('b', 2_000), range('c', 100));
    const end = reconcile(ours, theirs);
    expect(end).toMatchObject({ wrong: null, roundTrips: 1, pulled: 2_000, rungs: ['delta', 'snapshot'] });
    expect(ours.root()).toBe(theirs.root());
  });

  it('moves records both ways in one round trip when the peer has said what it has seen', () => {
    const [ours, theirs] = twoReplicas(range('a', 20), range('b', 30), range('c', 100));
    const settled = new Settled();
    settled.hear(theirs.vector.clone());
    const end = reconcile(ours, theirs, { start: { settled } });
    expect(end).toMatchObject({ wrong: null, roundTrips: 1, pulled: 30, pushed: 20, rungs: ['delta'] });
    expect(ours.root()).toBe(theirs.root());
  });

  it('says little beside the records', () => {
    const [ours, theirs] = twoReplicas([], range('b', 10), range('c', 100));
    const end = reconcile(ours, theirs);
    const recordBytes = range('b', 10).reduce(
      (sum, key) => sum + (ours.get(key)?.winner.bytes.length ?? 0),
      0,
    );
    expect(end.bytes - recordBytes).toBeLessThan(100 * 2 + 0.02 * recordBytes);
  });

  it('goes on where a cut ended the session', () => {
    const [ours, theirs] = twoReplicas([], range('b', 500), []);
    const answering = { ...ANSWER_DEFAULTS, recordBytesMax: 20_000 };
    const settled = new Settled();
    const cut = reconcile(ours, theirs, { answering, start: { settled }, roundTripsMax: 3 });
    expect(cut.pulled).toBeGreaterThan(50);
    const rest = reconcile(ours, theirs, { answering, start: { settled: new Settled() } });
    expect(rest.pulled).toBe(500 - cut.pulled);
    expect(ours.root()).toBe(theirs.root());
  });

  it('looks a dead dot up once, not in every session', () => {
    const [ours, theirs] = twoReplicas([], [], range('c', 10));
    for (let n = 0; n < 50; n += 1) write(theirs, 'c1', String(n));
    const settled = new Settled();
    reconcile(ours, theirs, { start: { settled } });
    expect(ours.root()).toBe(theirs.root());
    expect(theirs.vector.without(ours.vector).countAfter(null)).toBe(49);
    expect(theirs.vector.without(ours.vector).without(settled.pulled).size).toBe(0);
  });

  it('goes on to the symbols when what comes is known, or not taken', () => {
    const [ours, theirs] = twoReplicas([], [], ['c']);
    const [ahead] = write(theirs, 'ahead', '1');
    if (ahead === undefined) throw new Error('it was written');
    const session = new Session(startOf({}), SESSION_DEFAULTS);
    const rungs: string[] = [];
    for (let question = session.next(ours); question !== null; question = session.next(ours)) {
      rungs.push(...session.takeSteps().map(({ rung }) => rung));
      const reply = answer(question, { refused: 0, covered: [] }, VECTOR, theirs, ANSWER_DEFAULTS);
      // Refused: a stamp beyond our clock.
      if (recordsOf(reply).length > 0) session.noteGap();
      expect(session.take(reply, ours)).toBeNull();
    }
    expect(rungs).toContain('sketch');
  });

  it('ends although both sides go on writing', () => {
    const [ours, theirs] = twoReplicas(range('a', 5), range('b', 5), []);
    let n = 0;
    const end = reconcile(ours, theirs, {
      between: () => {
        write(ours, `ours/${n}`, '1');
        write(theirs, `theirs/${n}`, '1');
        n += 1;
      },
    });
    expect(end.wrong).toBeNull();
    expect(end.roundTrips).toBeLessThan(10);
    expect(end.rungs).toEqual(['delta']);
  });

  it('pushes nothing to a peer that does not say what it has seen', () => {
    const [ours, theirs] = twoReplicas(range('a', 5), [], ['c']);
    const mute: AnswerOptions = { ...ANSWER_DEFAULTS, rangesMax: -1 };
    const end = reconcile(ours, theirs, { answering: mute });
    expect(end.rungs).toEqual(['delta', 'sketch']);
    expect(ours.root()).toBe(theirs.root());
  });
});

describe('the rung of coded symbols', () => {
  it('finds a hundred differences among 5000 records in two round trips', () => {
    const [ours, theirs] = twoReplicas(range('a', 50), range('b', 50), range('c', 5_000));
    const end = reconcile(ours, theirs, { start: { settled: unexplained(ours, theirs) } });
    expect(ours.root()).toBe(theirs.root());
    expect(end).toMatchObject({ pulled: 50, pushed: 50, rungs: ['sketch'] });
    expect(end.roundTrips).toBeLessThanOrEqual(3);
  });

  it('leaves it to the descent when there are more differences than symbols', () => {
    const few: ReplicaOptions = { ...REPLICA_DEFAULTS, sketch: { cellsMax: 64 } };
    const [ours, theirs] = twoReplicas(range('a', 80), range('b', 80), range('c', 100), few);
    const end = reconcile(ours, theirs, { start: { settled: unexplained(ours, theirs) } });
    expect(ours.root()).toBe(theirs.root());
    expect(end.rungs).toEqual(['sketch', 'descent']);
  });

  it('finds the way as well when the symbols are another salt’s', () => {
    const [ours, theirs] = twoReplicas(range('a', 8), range('b', 8), range('c', 100), REPLICA_DEFAULTS, 2);
    const end = reconcile(ours, theirs, { start: { settled: unexplained(ours, theirs) } });
    expect(end.wrong).toBeNull();
    expect(ours.root()).toBe(theirs.root());
  });
});

describe('the rung of the Merkle tries', () => {
  it('finds one difference in 5000 keys in a handful of round trips', () => {
    const [ours, theirs] = twoReplicas(['one'], [], range('c', 5_000));
    const end = reconcile(ours, theirs, { start: { settled: unexplained(ours, theirs), isStuck: true } });
    expect(ours.root()).toBe(theirs.root());
    expect(end.roundTrips).toBeLessThanOrEqual(5);
    expect(end.pushed).toBe(1);
  });
});

describe('a record that the peer has replaced', () => {
  it('is told as covered when it is offered, and is absent for the caller to judge', () => {
    const [ours, theirs] = twoReplicas([], [], ['k', 'l']);
    const [record] = theirs.get('k') === null ? [] : [theirs.get('k')?.winner];
    if (record === undefined) throw new Error('it is there');
    theirs.drop(record.id);
    const end = reconcile(ours, theirs);
    expect(end.absent).toEqual([record.id]);
    expect(end.pushed).toBe(0);
  });
});

describe('a session with a lying or broken peer', () => {
  const wrongs: readonly (readonly [string, SyncReply])[] = [
    [
      'wrong_reply_type',
      { type: 'transferred', root: ROOT, answered: 0, refused: 0, covered: [], records: [] },
    ],
    ['wrong_reply_type', { type: 'differences', root: ROOT, answered: 1, differences: [] }],
    ['wrong_reply_type', { type: 'cells', root: ROOT, from: 0, cells: new Uint8Array(10) }],
    ['refused_busy', { type: 'refused', reason: 'busy' }],
  ];

  it.each(wrongs)('ends with %s', (reason, reply) => {
    const [ours] = twoReplicas(['a'], [], []);
    const session = new Session(startOf({}), SESSION_DEFAULTS);
    session.next(ours);
    expect(session.take(reply, ours)).toBe(reason);
  });

  it('ends when pages do not go on', () => {
    const [ours, theirs] = twoReplicas(['a'], [], []);
    const session = new Session(startOf({}), SESSION_DEFAULTS);
    const after = { author: testIdentity(1).id, sequence: 5 };
    const page: SyncReply = {
      type: 'missing',
      root: theirs.root(),
      vector: VECTOR,
      after,
      left: 9,
      records: [],
    };
    session.next(ours);
    expect(session.take(page, ours)).toBeNull();
    session.next(ours);
    expect(session.take(page, ours)).toBe('no_progress');
  });

  const lies: readonly (readonly [string, SyncReply])[] = [
    ['wrong_answered_count', { type: 'differences', root: ROOT, answered: 0, differences: [] }],
    ['wrong_answered_count', { type: 'differences', root: ROOT, answered: 2, differences: [] }],
    [
      'unasked_prefix',
      {
        type: 'differences',
        root: ROOT,
        answered: 1,
        differences: [{ kind: 'entries', prefix: 'ab', ids: [] }],
      },
    ],
  ];

  it.each(lies)('ends a descent with %s', (reason, reply) => {
    const [ours, theirs] = twoReplicas(['a'], [], []);
    const session = new Session(
      startOf({ settled: unexplained(ours, theirs), isStuck: true }),
      SESSION_DEFAULTS,
    );
    session.next(ours);
    expect(session.take(reply, ours)).toBe(reason);
  });

  it('ends a descent that never ends', () => {
    const [ours, theirs] = twoReplicas(range('a', 100), [], []);
    const start = startOf({ settled: unexplained(ours, theirs), isStuck: true });
    const session = new Session(start, { ...SESSION_DEFAULTS, roundTripsMax: 50 });
    let rounds = 0;
    for (let question = session.next(ours); question?.type === 'compare'; question = session.next(ours)) {
      const digests = Array.from({ length: 16 }, () => ROOT);
      const differences = question.subtrees.map(
        ({ prefix }) => ({ kind: 'children', prefix, digests }) as const,
      );
      rounds += 1;
      const reply: SyncReply = { type: 'differences', root: ROOT, answered: differences.length, differences };
      if (session.take(reply, ours) !== null) break;
    }
    expect(rounds).toBeLessThanOrEqual(50);
  });

  it('goes down to the tries when cells are garbage, and never hangs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 400 }), (bytes) => {
        const [ours, theirs] = twoReplicas(range('a', 10), [], []);
        const start = startOf({ settled: unexplained(ours, theirs) });
        const session = new Session(start, { ...SESSION_DEFAULTS, roundTripsMax: 40 });
        const cells = bytes.subarray(0, bytes.length - (bytes.length % 10));
        for (let question = session.next(ours); question !== null; question = session.next(ours)) {
          const from = question.type === 'sketch' ? question.from : 0;
          const reply: SyncReply =
            question.type === 'sketch'
              ? { type: 'cells', root: ROOT, from, cells }
              : answer(question, { refused: 0, covered: [] }, VECTOR, theirs, ANSWER_DEFAULTS);
          if (session.take(reply, ours) !== null) break;
        }
        expect(session.roundTrips).toBeLessThanOrEqual(40);
      }),
      { numRuns: 30 },
    );
  });
});

interface Scene {
  readonly options?: SessionOptions;
  readonly answering?: AnswerOptions;
  readonly start?: Partial<SessionStart>;
  readonly roundTripsMax?: number;
  /** what happens while a question is under way */
  readonly between?: () => void;
}

function startOf(start: Partial<SessionStart>): SessionStart {
  const roots = { local: ROOT, remote: ROOT };
  return {
    peer: PEER,
    lung: 'http',
    at: 0,
    roots,
    settled: new Settled(),
    freight: ALL_FREIGHT,
    isStuck: false,
    ...start,
  };
}

/** Both have settled all that their vectors say: what differs is for the other rungs. */
function unexplained(ours: Replica, theirs: Replica): Settled {
  const settled = new Settled();
  settled.hear(theirs.vector.clone());
  settled.pulled.join(theirs.vector);
  settled.pushed.join(ours.vector);
  return settled;
}

function reconcile(ours: Replica, theirs: Replica, scene: Scene = {}) {
  const { options = SESSION_DEFAULTS, answering = ANSWER_DEFAULTS, roundTripsMax = 1_000 } = scene;
  const session = new Session(startOf(scene.start ?? {}), options);
  const rungs: string[] = [];
  let bytes = 0;
  let wrong: string | null = null;
  while (wrong === null && session.roundTrips < roundTripsMax) {
    const question = session.next(ours);
    rungs.push(...session.takeSteps().map(({ rung }) => rung));
    if (question === null) break;
    const asked = encodeRequest(question);
    const request = decodeRequest(asked);
    const offered = mergeAll(theirs, request);
    const answered = encodeReply(answer(request, offered, VECTOR, theirs, answering));
    scene.between?.();
    const reply = decodeReply(answered);
    mergeAll(ours, reply);
    wrong = session.take(reply, ours);
    bytes += asked.length + answered.length;
  }
  const { roundTrips, pulled, pushed, transfers } = session;
  return { wrong, roundTrips, pulled, pushed, bytes, rungs, absent: transfers.absent };
}

function mergeAll(replica: Replica, message: SyncRequest | SyncReply): Offered {
  const covered: number[] = [];
  for (const [position, record] of recordsOf(message).entries()) {
    if (replica.merge(record as VerifiedRecord, NOW) === 'covered') covered.push(position);
  }
  return { refused: 0, covered };
}

function twoReplicas(
  onlyOurs: readonly string[],
  onlyTheirs: readonly string[],
  shared: readonly string[],
  options: ReplicaOptions = REPLICA_DEFAULTS,
  theirSalt = 1,
) {
  const [ours, theirs] = [1, 2].map((n) => {
    const identity = testIdentity(n);
    const sketchSalt = new Uint8Array(16).fill(n === 1 ? 1 : theirSalt);
    return new Replica({ self: identity.id, sign: (bytes) => identity.sign(bytes), sketchSalt }, options);
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
