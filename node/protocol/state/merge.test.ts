import fc from 'fast-check';
import { STAMP_ZERO, observe, tick, type Stamp } from './clock.ts';
import { contextOf, isCovered, mergeKey, winnerOf } from './merge.ts';
import type { VerifiedRecord } from './record.ts';
import { testIdentity, testRecord } from './test-records.ts';

const NODES = [1, 2, 3].map(testIdentity);
const [ada, bob] = [testIdentity(1), testIdentity(2)];

describe('merge', () => {
  it('keeps exactly what nobody who knew it replaced, in whatever order and however often records arrive', () => {
    fc.assert(
      fc.property(history(), fc.infiniteStream(fc.nat()), ({ records, replaced }, shuffle) => {
        const alive = records.map(({ id }) => id).filter((id) => !replaced.has(id));
        const arrivals = permuted([...records, ...records], shuffle);
        expect(idsOf(arrivals.reduce(join, []))).toEqual(alive.sort());
      }),
      { numRuns: 200 },
    );
  });

  it('is commutative, associative and idempotent over the states of replicas', () => {
    fc.assert(
      fc.property(history(), ({ states: [a = [], b = [], c = []] }) => {
        expect(idsOf(union(a, b))).toEqual(idsOf(union(b, a)));
        expect(idsOf(union(union(a, b), c))).toEqual(idsOf(union(a, union(b, c))));
        expect(idsOf(union(a, a))).toEqual(idsOf(a));
      }),
      { numRuns: 200 },
    );
  });

  it('shows the same winner everywhere, and shows it first', () => {
    fc.assert(
      fc.property(history(), fc.infiniteStream(fc.nat()), ({ records }, shuffle) => {
        const live = permuted(records, shuffle).reduce(join, []);
        expect(live[0] ?? null).toBe(winnerOf(live));
        expect(winnerOf(live.toReversed())).toBe(winnerOf(live));
      }),
      { numRuns: 100 },
    );
  });

  it('says what became of a record', () => {
    const old = testRecord({ author: ada });
    const stamp = { wallMs: 1001, counter: 0 };
    const young = testRecord({ author: bob, context: [{ author: ada.id, sequence: 1 }], stamp });
    expect(mergeKey([], old)).toEqual({ outcome: 'fresh', live: [old], removed: [] });
    expect(mergeKey([old], old)).toEqual({ outcome: 'known', live: [old], removed: [] });
    expect(mergeKey([old], young)).toEqual({ outcome: 'fresh', live: [young], removed: [old] });
    expect(mergeKey([young], old)).toEqual({ outcome: 'covered', live: [young], removed: [] });
  });

  it('keeps a delete and a write that did not know of each other', () => {
    const [gone, kept] = [testRecord({ author: ada, value: null }), testRecord({ author: bob })];
    expect(idsOf(mergeKey([gone], kept).live)).toEqual(idsOf([gone, kept]));
  });

  it('keeps both records of an author who used a dot twice', () => {
    const [one, two] = [testRecord({ author: ada, value: '1' }), testRecord({ author: ada, value: '2' })];
    expect(idsOf(mergeKey([one], two).live)).toEqual(idsOf([two, one]));
    expect(mergeKey([one], two).live).toEqual(mergeKey([two], one).live);
  });

  it('does not believe a context that claims writes from its future', () => {
    const forged = testRecord({ author: bob, context: [{ author: ada.id, sequence: 1000 }] });
    const later = testRecord({ author: ada, sequence: 5, stamp: { wallMs: 1001, counter: 0 } });
    expect(isCovered(later, forged)).toBe(false);
  });

  it('breaks a tie of stamps by author, then by id', () => {
    const [a1, a2] = [testRecord({ author: ada, value: '1' }), testRecord({ author: ada, value: '2' })];
    const b = testRecord({ author: bob });
    const greatest = ada.id > bob.id ? (a1.id > a2.id ? a1 : a2) : b;
    expect(winnerOf([a1, a2, b])).toBe(greatest);
    expect(winnerOf([])).toBeNull();
  });
});

interface History {
  readonly records: readonly VerifiedRecord[];
  /** ids that some writer knew, or knew to be replaced, when it wrote: found with plain sets, without contexts */
  readonly replaced: ReadonlySet<string>;
  /** what each replica has at the end */
  readonly states: readonly (readonly VerifiedRecord[])[];
}

/**
 * One key on three replicas whose clocks jump about; any record may reach any replica at any time, or never, so every
 * partition and every order of delivery is among them.
 */
function history(): fc.Arbitrary<History> {
  const node = fc.nat(NODES.length - 1);
  const write = fc.record({ node, wallMs: fc.integer({ min: 1, max: 4 }), isDelete: fc.boolean() });
  const deliver = fc.record({ node, record: fc.nat() });
  return fc.array(fc.oneof(write, deliver), { maxLength: 30 }).map((steps) => {
    const records: VerifiedRecord[] = [];
    const past = new Map<string, ReadonlySet<string>>();
    const replicas = NODES.map((author) => ({
      author,
      live: [] as readonly VerifiedRecord[],
      sequence: 0,
      clock: STAMP_ZERO,
    }));
    for (const step of steps) {
      const replica = replicas[step.node];
      if (replica === undefined) continue;
      if ('record' in step) {
        const record = records[step.record % Math.max(1, records.length)];
        if (record === undefined) continue;
        replica.live = join(replica.live, record);
        replica.clock = observe(replica.clock, record.stamp, 0);
      } else {
        const stamp: Stamp = tick(replica.clock, step.wallMs);
        replica.clock = stamp;
        replica.sequence += 1;
        const value = step.isDelete ? null : String(records.length);
        const { author, sequence, live } = replica;
        const record = testRecord({ author, sequence, stamp, value, context: contextOf(live) });
        past.set(record.id, new Set(live.flatMap(({ id }) => [id, ...(past.get(id) ?? [])])));
        replica.live = join(live, record);
        records.push(record);
      }
    }
    const replaced = new Set([...past.values()].flatMap((ids) => [...ids]));
    return { records, replaced, states: replicas.map(({ live }) => live) };
  });
}

function join(live: readonly VerifiedRecord[], record: VerifiedRecord): readonly VerifiedRecord[] {
  return mergeKey(live, record).live as readonly VerifiedRecord[];
}

function union(a: readonly VerifiedRecord[], b: readonly VerifiedRecord[]): readonly VerifiedRecord[] {
  return b.reduce(join, a);
}

function idsOf(records: readonly { readonly id: string }[]): readonly string[] {
  return records.map(({ id }) => id).sort();
}

/** Fisher-Yates with the given numbers. */
function permuted<T>(items: readonly T[], numbers: fc.Stream<number>): readonly T[] {
  const result: T[] = [];
  const rest = [...items];
  for (const n of numbers) {
    if (rest.length === 0) break;
    result.push(...rest.splice(n % rest.length, 1));
  }
  return result;
}
