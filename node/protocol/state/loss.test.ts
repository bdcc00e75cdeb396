import { Loss } from './loss.ts';
import { Replica, REPLICA_DEFAULTS } from './replica.ts';
import { TEST_SALT, testIdentity, testRecord } from './test-records.ts';
import { VersionVector } from './version-vector.ts';

const author = testIdentity(1);
const NOW = 10_000;
const record = (sequence: number, more: { key?: string; replaces?: number } = {}) =>
  testRecord({
    author,
    sequence,
    key: more.key ?? `key-${sequence}`,
    stamp: { wallMs: 1_000 + sequence, counter: 0 },
    context: more.replaces === undefined ? [] : [{ author: author.id, sequence: more.replaces }],
  });

describe('a loss', () => {
  it('is made good by the record that was lost, and by no other that was seen', () => {
    const { replica, loss } = damaged({ seen: [1, 2, 3], sound: [1, 3], records: 1 });
    expect(loss.isMadeGoodIn(replica)).toBe(false);
    replica.merge(record(9), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(false);
    replica.merge(record(2), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(true);
  });

  it('is made good by what replaced the record elsewhere', () => {
    const { replica, loss } = damaged({ seen: [1, 2], sound: [1], records: 1 });
    replica.merge(record(7, { key: 'key-2', replaces: 2 }), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(true);
  });

  it('of several records is made good by all of them', () => {
    const { replica, loss } = damaged({ seen: [1, 2, 3], sound: [1], records: 2 });
    replica.merge(record(2), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(false);
    replica.merge(record(3), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(true);
  });

  it('whose record can be told is not made good by another one', () => {
    const { replica, loss } = damaged({ seen: [1, 2, 3], sound: [1], records: 1, lost: [2] });
    replica.merge(record(3), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(false);
  });

  it('of unknown extent is made good by nobody who does not vouch', () => {
    const { replica, loss } = damaged({ seen: [1, 2], sound: [1], records: null });
    replica.merge(record(2), NOW);
    expect(loss.isMadeGoodIn(replica)).toBe(false);
    expect(loss.isVouchedFor(replica, null)).toBe(true);
  });

  it('is vouched for by a member that has seen what is open, and by none that has not', () => {
    const { replica, loss } = damaged({ seen: [1, 2, 3], sound: [1], records: 2 });
    expect(loss.isVouchedFor(replica, vectorOf([1, 2]))).toBe(false);
    expect(loss.isVouchedFor(replica, vectorOf([2, 3]))).toBe(true);
    expect(loss.isVouchedFor(replica, null)).toBe(false);
  });
});

function damaged(facts: {
  seen: readonly number[];
  sound: readonly number[];
  records: number | null;
  lost?: readonly number[];
}) {
  const replica = new Replica(
    { self: testIdentity(2).id, sign: (bytes) => testIdentity(2).sign(bytes), sketchSalt: TEST_SALT },
    REPLICA_DEFAULTS,
  );
  for (const sequence of facts.sound) replica.merge(record(sequence), NOW);
  const dots = (facts.lost ?? []).map((sequence) => ({ author: author.id, sequence }));
  const { records } = facts;
  const loss = new Loss({ seen: vectorOf(facts.seen), sound: vectorOf(facts.sound), records, dots });
  return { replica, loss };
}

function vectorOf(sequences: readonly number[]): VersionVector {
  const vector = new VersionVector();
  for (const sequence of sequences) vector.add({ author: author.id, sequence });
  return vector;
}
