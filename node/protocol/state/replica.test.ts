import fc from 'fast-check';
import { toEnd } from '../pieces.ts';
import { compareStamps } from './clock.ts';
import { CodecError } from '../codec.ts';
import { canonicalOf, keptForm } from './kept-record.ts';
import { decodeRecord, signDraft, verifyRecord, type VerifiedRecord } from './record.ts';
import { Replica, REPLICA_DEFAULTS, type WriteResult } from './replica.ts';
import { Sketch } from './sketch/sketch.ts';
import { TEST_SALT, testIdentity, testRecord } from './test-records.ts';

const [ada, bob, eve] = [testIdentity(1), testIdentity(2), testIdentity(3)];

describe('replica', () => {
  it('reaches the root, winners and listing of every other that has the same records', () => {
    fc.assert(
      fc.property(steps(), (script) => {
        const replicas = [ada, bob, eve].map(replicaOf);
        const records = play(script, replicas);
        for (const replica of replicas)
          for (const record of records.toReversed()) replica.merge(record, 1000);
        const [first, ...others] = replicas.map(seenOf);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });

  it('is the same again after its changes were stored, in any portions, and loaded', () => {
    fc.assert(
      fc.property(steps(), (script) => {
        const [replica, ...others] = [ada, bob, eve].map(replicaOf);
        if (replica === undefined) return;
        const store = new Store();
        play(script, [replica, ...others], (at) => at % 3 === 0 && store.commit(replica));
        store.commit(replica);
        const loaded = store.load(replicaOf(ada));
        expect(seenOf(loaded)).toEqual(seenOf(replica));
        expect(loaded.takeChanges()).toBeNull();
        expect(seenOf(loaded)).toEqual(seenOf(rebuilt(loaded, store)));
        const [next] = recordsOf(loaded.write([{ key: 'new', value: '1' }], null, 0));
        for (const { record } of store.records()) {
          expect(next && compareStamps(next.stamp, record.stamp)).toBeGreaterThan(0);
          if (record.dot.author === ada.id) expect(next?.dot.sequence).toBeGreaterThan(record.dot.sequence);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps the sketch of what lives, whatever was written, merged, dropped, collected, reloaded', () => {
    fc.assert(
      fc.property(steps(), fc.nat(10), fc.nat(60), (script, dropAt, collectAt) => {
        const [replica, ...others] = [ada, bob, eve].map(replicaOf);
        if (replica === undefined) return;
        const store = new Store();
        play(script, [replica, ...others], (at) => {
          const [id] = replica.trie.ids('', 1);
          if (at % 10 === dropAt && id !== undefined) replica.drop(id);
          if (at === collectAt) replica.collect(replica.lastSlot, Infinity, 3);
          if (at % 7 === 0) store.commit(replica);
        });
        expectSketchOfLive(replica);
        store.commit(replica);
        expectSketchOfLive(store.load(replicaOf(ada)));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the sketch of what lives when the store it loads kept too much', () => {
    const replaced = testRecord({ author: ada });
    const newer = testRecord({
      author: ada,
      sequence: 2,
      context: [replaced.dot],
      stamp: { wallMs: 2000, counter: 0 },
    });
    const other = testRecord({ author: bob, key: 'other' });
    const records = [replaced, newer, replaced, other, other].map(({ bytes }, at) => ({
      slot: at + 1,
      bytes,
    }));
    const replica = replicaOf(ada);
    toEnd(replica.loading(null, records, null, 0));
    expect(replica.recordCount()).toBe(2);
    expectSketchOfLive(replica);
  });

  it('finds live records by short id', () => {
    const replica = replicaOf(ada);
    const [record] = recordsOf(replica.write([{ key: 'a', value: '1' }], null, 10));
    const short = record === undefined ? 0 : replica.sketch.shortOf(record.id);
    expect(replica.ofShort(short)).toEqual([record]);
    replica.write([{ key: 'a', value: '2' }], null, 10);
    expect(replica.ofShort(short)).toEqual([]);
  });

  it('counts keys with a value, and records', () => {
    fc.assert(
      fc.property(steps(), (script) => {
        const [replica, ...others] = [ada, bob, eve].map(replicaOf);
        if (replica === undefined) return;
        play(script, [replica, ...others]);
        const listed = replica.entriesAfter(null, 1000);
        expect(replica.size()).toBe(listed.length);
        expect(replica.trie.ids('', 1000)).toHaveLength(replica.recordCount());
        expect(
          listed.every(({ key, winner }) => replica.versionOf(key) !== null && winner.value !== null),
        ).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('creates, replaces and deletes', () => {
    const replica = replicaOf(ada);
    const [created] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    expect(replica.get('k')).toEqual({ key: 'k', winner: created, siblings: [] });
    const replacing = replica.write([{ key: 'k', value: '2' }], null, 10);
    const [replaced] = recordsOf(replacing);
    expect(replacing).toMatchObject({ written: [{ key: 'k', version: replaced?.id, created: false }] });
    expect(created && replica.record(created.id)).toBeNull();
    const [deleted] = recordsOf(replica.write([{ key: 'k', value: null }], null, 10));
    expect(replica.get('k')?.winner).toEqual(deleted);
    expect(replica.versionOf('k')).toBeNull();
    expect([replica.size(), replica.recordCount()]).toEqual([0, 1]);
    expect(replica.write([{ key: 'k', value: null }], null, 10)).toEqual({
      ok: false,
      reason: 'not-found',
      key: 'k',
      index: 0,
      winner: { version: deleted?.id, author: deleted?.dot.author, timestamp: 10, value: null },
    });
    expect(replica.write([{ key: 'k', value: '3' }], null, 10)).toMatchObject({
      written: [{ created: true }],
    });
  });

  it('writes nothing of a batch that would delete what is not there, and says which entry that is', () => {
    const replica = replicaOf(ada);
    const batch = [
      { key: 'a', value: '1' },
      { key: 'none', value: '2' },
      { key: 'b', value: '2' },
      { key: 'none', value: null },
    ];
    const refused = { ok: false, reason: 'not-found', key: 'none', index: 3, winner: null };
    expect(replica.write(batch, null, 10)).toEqual(refused);
    expect([replica.size(), replica.takeChanges()]).toEqual([0, null]);
  });

  it('takes the later of two entries for one key', () => {
    const replica = replicaOf(ada);
    const batch = [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
      { key: 'a', value: '3' },
    ];
    const records = recordsOf(replica.write(batch, null, 10));
    expect(records.map(({ key, value, dot }) => [key, value, dot.sequence])).toEqual([
      ['a', '3', 1],
      ['b', '2', 2],
    ]);
  });

  it('writes nothing of a batch when one entry is beyond the limits', () => {
    const replica = replicaOf(ada);
    const root = replica.root();
    const batch = [
      { key: 'a', value: '1' },
      { key: 'x'.repeat(513), value: '1' },
    ];
    expect(() => replica.write(batch, null, 10)).toThrow(CodecError);
    expect(replica.root()).toBe(root);
    expect(replica.takeChanges()).toBeNull();
    expect(recordsOf(replica.write([{ key: 'a', value: '1' }], null, 10))[0]?.dot.sequence).toBe(1);
  });

  it('writes on a condition', () => {
    const replica = replicaOf(ada);
    const write = (value: string | null, precondition: Parameters<Replica['write']>[1]): WriteResult =>
      replica.write([{ key: 'k', value }], precondition, 10);
    expect(write('1', { ifMatch: '*' })).toMatchObject({
      reason: 'precondition',
      version: null,
      winner: null,
    });
    expect(write(null, { ifMatch: '*' })).toMatchObject({ ok: false, reason: 'not-found', winner: null });
    expect(write('1', { ifNoneMatch: '*' }).ok).toBe(true);
    const version = replica.versionOf('k');
    const winner = { version, author: ada.id, timestamp: 10, value: '1' };
    const refused = { ok: false, reason: 'precondition', version, winner };
    expect(write('2', { ifNoneMatch: '*' })).toEqual(refused);
    expect(write('2', { ifMatch: ['other'] })).toEqual(refused);
    expect(write('2', { ifMatch: ['other', version ?? ''] }).ok).toBe(true);
    expect(write('3', { ifMatch: [version ?? ''] }).ok).toBe(false);
  });

  it('keeps concurrent writes as siblings, changes the version, and replaces all with the next write', () => {
    const replica = replicaOf(ada);
    const [own] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    const version = replica.versionOf('k');
    const theirs = testRecord({ author: bob, key: 'k', value: '2' });
    expect(replica.merge(theirs, 1000)).toBe('fresh');
    expect(replica.get('k')).toEqual({ key: 'k', winner: theirs, siblings: [own] });
    expect(replica.versionOf('k')).not.toBe(version);
    expect(replica.versionOf('k')).not.toBe(theirs.id);
    const merging = replica.write([{ key: 'k', value: '3' }], null, 10);
    const [merged] = recordsOf(merging);
    expect(merging.ok && merging.written[0]?.replaced).toEqual([
      { version: theirs.id, author: bob.id, timestamp: theirs.stamp.wallMs, value: '2' },
      { version: own?.id, author: ada.id, timestamp: 10, value: '1' },
    ]);
    expect(replica.get('k')).toEqual({ key: 'k', winner: merged, siblings: [] });
    expect(replica.merge(theirs, 1000)).toBe('covered');
  });

  it('has no value where a delete won, but still shows the write that lost', () => {
    const replica = replicaOf(ada);
    const lost = testRecord({ author: bob, key: 'k', value: '1', stamp: { wallMs: 1, counter: 0 } });
    const won = testRecord({ author: eve, key: 'k', value: null });
    for (const record of [lost, won]) replica.merge(record, 1000);
    expect([replica.size(), replica.recordCount(), replica.versionOf('k')]).toEqual([0, 2, null]);
    expect(replica.get('k')).toEqual({ key: 'k', winner: won, siblings: [lost] });
    expect(replica.entriesAfter(null, 10)).toEqual([]);
  });

  it('refuses a record from too far in the future, and takes it when its time has come', () => {
    const replica = replicaOf(ada);
    const record = testRecord({ author: bob, stamp: { wallMs: 100_000, counter: 0 } });
    expect(replica.merge(record, 39_999)).toBe('ahead');
    expect([replica.recordCount(), replica.takeChanges()]).toEqual([0, null]);
    expect(replica.merge(record, 40_000)).toBe('fresh');
    expect(replica.merge(record, 0)).toBe('known');
  });

  it('never uses a sequence again that it finds on an own record', () => {
    const restored = replicaOf(ada);
    restored.merge(testRecord({ author: ada, key: 'k', sequence: 41 }), 1000);
    expect(recordsOf(restored.write([{ key: 'k', value: '1' }], null, 10))[0]?.dot.sequence).toBe(42);
  });

  it('can still write a key for which a forged context claims its future', () => {
    const replica = replicaOf(ada);
    const context = [{ author: ada.id, sequence: Number.MAX_SAFE_INTEGER }];
    replica.merge(testRecord({ author: eve, key: 'k', context }), 1000);
    const [record] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    expect(replica.get('k')).toEqual({ key: 'k', winner: record, siblings: [] });
  });

  it('mentions no record to the store that came and went since it last asked', () => {
    const replica = replicaOf(ada);
    replica.write([{ key: 'k', value: '1' }], null, 10);
    const [last] = recordsOf(replica.write([{ key: 'k', value: '2' }], null, 10));
    expect(replica.takeChanges()).toEqual({
      put: [{ slot: 2, record: last }],
      remove: [],
      before: new Map([['k', []]]),
      drafts: [],
      sequence: 2,
      wallMs: 10,
      counter: 1,
    });
    const [next] = recordsOf(replica.write([{ key: 'k', value: '3' }], null, 11));
    expect(replica.takeChanges()).toEqual({
      put: [{ slot: 3, record: next }],
      remove: [2],
      before: new Map([['k', [last]]]),
      drafts: [],
      sequence: 3,
      wallMs: 11,
      counter: 0,
    });
    expect(replica.takeChanges()).toBeNull();
  });

  it('says nothing of before a start when it first changes: what was loaded is durable, conflicts too', () => {
    const records = [bob, eve].map((author, i) => testRecord({ author, key: 'conflict', sequence: i + 1 }));
    const replica = replicaOf(ada);
    toEnd(
      replica.loading(
        null,
        records.map((record, i) => ({ slot: i + 1, bytes: keptForm(record) })),
        null,
        0,
      ),
    );
    expect(replica.live('conflict')).toHaveLength(2);
    replica.write([{ key: 'other', value: '1' }], null, 10);
    expect([...(replica.takeChanges()?.before.keys() ?? [])]).toEqual(['other']);
  });

  it('drops from the store what no longer lives when it loads', () => {
    const replica = replicaOf(ada);
    const old = testRecord({ author: bob });
    const young = testRecord({
      author: bob,
      sequence: 2,
      context: [old.dot],
      stamp: { wallMs: 1001, counter: 0 },
    });
    const records = [
      { slot: 4, bytes: young.bytes },
      { slot: 7, bytes: old.bytes },
      { slot: 9, bytes: young.bytes },
    ];
    toEnd(replica.loading(null, records, null, 0));
    expect(replica.takeChanges()).toMatchObject({ put: [], remove: [7, 9] });
    replica.write([{ key: 'other', value: '1' }], null, 10);
    expect(replica.takeChanges()?.put.map(({ slot }) => slot)).toEqual([10]);
  });

  it('loads once', () => {
    const replica = replicaOf(ada);
    replica.write([{ key: 'k', value: '1' }], null, 10);
    expect(() => toEnd(replica.loading(null, [], null, 0))).toThrow('loads once');
  });

  it('lists keys by their UTF-8 bytes, page by page', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 })),
        fc.integer({ min: 1, max: 5 }),
        (keys, limit) => {
          const replica = replicaOf(ada);
          for (const [i, key] of keys.entries()) {
            replica.write([{ key, value: '1' }], null, 10);
            if (i % 3 === 0) replica.entriesAfter(null, 1);
          }
          const listed: string[] = [];
          for (let page = replica.entriesAfter(null, limit); page.length > 0;) {
            listed.push(...page.map(({ key }) => key));
            page = replica.entriesAfter(listed.at(-1) ?? null, limit);
          }
          expect(listed).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
        },
      ),
    );
  });
});

type Step =
  | {
      readonly do: 'write';
      readonly node: number;
      readonly key: string;
      readonly isDelete: boolean;
      readonly wallMs: number;
    }
  | { readonly do: 'deliver'; readonly node: number; readonly record: number };

function steps(): fc.Arbitrary<readonly Step[]> {
  const node = fc.nat(2);
  const key = fc.constantFrom('a', 'b', 'c', 'é', '\u{10000}');
  const wallMs = fc.nat(4);
  const write = fc.record({ do: fc.constant('write' as const), node, key, isDelete: fc.boolean(), wallMs });
  const deliver = fc.record({ do: fc.constant('deliver' as const), node, record: fc.nat() });
  return fc.array(fc.oneof(write, deliver), { maxLength: 60 });
}

/** @returns every record ever written */
function play(
  script: readonly Step[],
  replicas: readonly Replica[],
  after: (at: number) => unknown = () => null,
): VerifiedRecord[] {
  const records: VerifiedRecord[] = [];
  for (const [at, step] of script.entries()) {
    const replica = replicas[step.node];
    if (step.do === 'write') {
      const result = replica?.write(
        [{ key: step.key, value: step.isDelete ? null : String(at) }],
        null,
        step.wallMs,
      );
      if (result?.ok === true) records.push(...result.records);
    } else {
      const record = records[step.record % Math.max(1, records.length)];
      if (record !== undefined) replica?.merge(record, 1000);
    }
    after(at);
  }
  return records;
}

/** That its sketch is the one of its live records, made anew. */
function expectSketchOfLive(replica: Replica): void {
  const anew = new Sketch(TEST_SALT, REPLICA_DEFAULTS.sketch);
  const ids = replica.trie.ids('', 1000);
  expect(ids).toHaveLength(replica.recordCount());
  for (const id of ids) anew.add(id);
  const { symbols, estimator } = replica.sketch;
  expect(Buffer.from(symbols.slice(0, symbols.cells)).equals(anew.symbols.slice(0, symbols.cells))).toBe(
    true,
  );
  expect(estimator.encode()).toEqual(anew.estimator.encode());
}

/** All that a reader can see of a replica. */
function seenOf(replica: Replica): unknown {
  const keys = replica.entriesAfter(null, 1000);
  const versions = keys.map(({ key }) => replica.versionOf(key));
  return { root: replica.root(), size: replica.size(), records: replica.recordCount(), keys, versions };
}

/** A durable store in miniature: bytes by slot. */
class Store {
  readonly #slots = new Map<number, Uint8Array>();
  #meta: Parameters<Replica['loading']>[0] = null;

  commit(replica: Replica): void {
    const changes = replica.takeChanges();
    if (changes === null) return;
    for (const { slot, record } of changes.put) {
      expect(this.#slots.has(slot)).toBe(false);
      this.#slots.set(slot, slot % 2 === 0 ? keptForm(record) : record.bytes);
    }
    for (const slot of changes.remove) expect(this.#slots.delete(slot)).toBe(true);
    this.#meta = changes;
  }

  records(): readonly { readonly slot: number; readonly record: VerifiedRecord }[] {
    return [...this.#slots].map(([slot, bytes]) => ({ slot, record: reread(canonicalOf(bytes)) }));
  }

  load(replica: Replica): Replica {
    toEnd(replica.loading(this.#meta, this.#kept(), null, 0));
    return replica;
  }

  /** One after the other in the same memory, as the durable store reads them. */
  *#kept(): Generator<{ readonly slot: number; readonly bytes: Uint8Array }> {
    const memory = new Uint8Array(4_096);
    for (const [slot, bytes] of this.#slots) {
      memory.set(bytes);
      yield { slot, bytes: memory.subarray(0, bytes.length) };
      memory.fill(0xee);
    }
  }
}

describe('a replica that signs later', () => {
  it('has the ids and the root at once, and the same bytes in the end', () => {
    const [now, later] = [replicaOf(ada), laterReplica()];
    for (const replica of [now, later])
      for (let i = 0; i < 50; i++) replica.write([{ key: `k${i % 30}`, value: `"${i}"` }], null, 10);
    expect(later.root()).toBe(now.root());
    const drafts = later.takeChanges()?.drafts ?? [];
    expect(drafts).toHaveLength(50);
    for (const { record } of drafts) signDraft(record, (bytes) => ada.sign(bytes));
    later.signed(drafts);
    for (const { key } of now.entriesAfter(null, 100)) {
      expect(Buffer.from(later.get(key)?.winner.bytes ?? [])).toEqual(
        Buffer.from(now.get(key)?.winner.bytes ?? [1]),
      );
    }
  });

  it('shows the very draft until it is signed, so that whoever holds it gets the signature', () => {
    const replica = laterReplica();
    const [draft] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    replica.write([{ key: 'other', value: '1' }], null, 10);
    replica.get('other');
    expect(draft && replica.record(draft.id)).toBe(draft);
    const drafts = replica.takeChanges()?.drafts ?? [];
    for (const { record } of drafts) signDraft(record, (bytes) => ada.sign(bytes));
    expect(draft && verifyRecord(draft)).not.toBeNull();
  });

  it('has the signature in what is packed: also beside a sibling, and after others moved it', () => {
    const replica = laterReplica();
    const sibling = testRecord({ author: bob, key: 'k3', stamp: { wallMs: 9, counter: 0 } });
    const written = Array.from({ length: 2000 }, (_, i) =>
      recordsOf(replica.write([{ key: `k${i}`, value: '1' }], null, 10)),
    ).flat();
    replica.merge(sibling, 10);
    // what came and went within the group leaves holes, into which others move
    for (let i = 0; i < 1500; i++) if (i !== 3) replica.write([{ key: `k${i}`, value: null }], null, 10);
    const drafts = replica.takeChanges()?.drafts ?? [];
    for (const { record } of drafts) signDraft(record, (bytes) => ada.sign(bytes));
    replica.signed(drafts);
    for (const { id } of written) {
      const record = replica.record(id);
      if (record !== null) reread(record.bytes);
    }
    expect(replica.get('k3')?.siblings).toHaveLength(1);
  });

  it('signs at once what somebody is to be shown', () => {
    const replica = laterReplica();
    const [draft] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    replica.signNow();
    expect(draft && verifyRecord(draft)).not.toBeNull();
  });

  it('accuses of equivocation with both signatures', () => {
    const replica = laterReplica();
    const [draft] = recordsOf(replica.write([{ key: 'k', value: '1' }], null, 10));
    if (draft === undefined) return;
    replica.merge(testRecord({ author: ada, key: 'twin', sequence: draft.dot.sequence }), 10);
    const [found] = replica.takeEquivocations();
    for (const record of [found?.one, found?.other]) expect(record && verifyRecord(record)).not.toBeNull();
    expect(found).toBeDefined();
  });
});

/** The same state merged anew, record by record, without meta. */
function rebuilt(loaded: Replica, store: Store): Replica {
  expect(store.records()).toHaveLength(loaded.recordCount());
  const replica = replicaOf(eve);
  for (const { record } of store.records()) replica.merge(record, 1000);
  return replica;
}

function reread(bytes: Uint8Array): VerifiedRecord {
  const record = verifyRecord(decodeRecord(bytes));
  if (record === null) throw new Error('a stored record does not verify');
  return record;
}

describe('a store restored from a backup', () => {
  it('believes that later sequences were used than its clock allows, once a record of its own says so', () => {
    const replica = replicaOf(ada);
    const [now, ahead] = [1_767_225_600_000, 1_767_229_200_000];
    const own = testRecord({ author: ada, sequence: ahead * 1_000, stamp: { wallMs: now, counter: 0 } });
    expect(replica.noteOwnSequence(own.dot.sequence + 7, now)).toBe(false);
    replica.merge(own, now);
    expect(replica.noteOwnSequence(own.dot.sequence + 7, now)).toBe(true);
    const [next] = recordsOf(replica.write([{ key: 'next', value: '1' }], null, now));
    expect(next?.dot.sequence).toBe(own.dot.sequence + 8);
  });
});

describe('a tombstone that claims too much', () => {
  it('keeps nobody from a write that was not made yet, and invents no authors', () => {
    const replica = replicaOf(ada);
    const [own] = recordsOf(replica.write([{ key: 'a', value: '1' }], null, 10));
    const next = { author: ada.id, sequence: (own?.dot.sequence ?? 0) + 1 };
    const invented = { author: testIdentity(77).id, sequence: 1 };
    const context = [next, invented].toSorted((one, other) => (one.author < other.author ? -1 : 1));
    const stamp = { wallMs: 10, counter: 0 };
    const claim = testRecord({ author: eve, key: 'b', value: null, sequence: 1, stamp, context });
    replica.merge(claim, 10);
    expect(replica.collect(replica.lastSlot, Infinity, 10)).toBe(1);
    expect(replica.vector.has(invented)).toBe(false);
    const [after] = recordsOf(replica.write([{ key: 'c', value: '1' }], null, 10));
    expect(after?.dot.sequence).toBeGreaterThan(next.sequence);
  });
});

describe('a collected tombstone', () => {
  it('goes as soon as it may, however often that was looked for in vain', () => {
    const tombstone = testRecord({
      author: ada,
      value: null,
      sequence: 2,
      stamp: { wallMs: 1_000, counter: 0 },
    });
    const sibling = testRecord({ author: eve, value: '1', sequence: 1, stamp: { wallMs: 900, counter: 0 } });
    const replacement = testRecord({
      author: eve,
      value: null,
      sequence: 2,
      context: [sibling.dot],
      stamp: { wallMs: 2_000, counter: 0 },
    });
    const replica = replicaOf(bob);
    const collect = (slot: number, beforeMs: number): number => {
      expect(replica.collect(slot, beforeMs, 10)).toBe(0);
      return replica.collect(slot, beforeMs, 10);
    };
    replica.merge(tombstone, 2_000);
    expect(collect(0, 5_000)).toBe(0);
    expect(collect(1, 1_000)).toBe(0);
    replica.merge(sibling, 2_000);
    expect(collect(2, 5_000)).toBe(0);
    replica.merge(replacement, 2_000);
    expect(collect(2, 5_000)).toBe(0);
    expect(collect(3, 1_000)).toBe(0);
    expect(replica.collect(3, 1_001, 10)).toBe(2);
    expect(collect(3, 5_000)).toBe(0);
    replica.merge(testRecord({ author: ada, key: 'b', value: null, sequence: 3 }), 2_000);
    expect(replica.collect(4, 5_000, 10)).toBe(1);
  });

  it('keeps out what it had replaced, also where that never came', () => {
    const value = testRecord({ author: ada, value: '1', sequence: 1 });
    const tombstone = testRecord({ author: ada, value: null, sequence: 2, context: [value.dot] });
    const replica = replicaOf(bob);
    replica.merge(tombstone, tombstone.stamp.wallMs);
    expect(replica.collect(replica.lastSlot, Infinity, 10)).toBe(1);
    expect(replica.merge(value, value.stamp.wallMs)).toBe('covered');
    expect(replica.get(value.key)).toBeNull();
  });
});

function recordsOf(result: WriteResult): readonly VerifiedRecord[] {
  if (!result.ok) throw new Error(`write failed: ${result.reason}`);
  return result.records;
}

function laterReplica(): Replica {
  const modules = {
    self: ada.id,
    sign: (bytes: Uint8Array) => ada.sign(bytes),
    signsLater: true,
    sketchSalt: TEST_SALT,
  };
  return new Replica(modules, REPLICA_DEFAULTS);
}

function replicaOf(identity: typeof ada): Replica {
  return new Replica(
    { self: identity.id, sign: (bytes) => identity.sign(bytes), sketchSalt: TEST_SALT },
    REPLICA_DEFAULTS,
  );
}
