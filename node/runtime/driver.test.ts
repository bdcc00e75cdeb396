import { MemoryStorage, newMemoryDisk } from '../storage/memory-storage.ts';
import type { Clock, Keeper, KeptBatch, Lung, LungEffect, Storage } from '../ports.ts';
import { signedBatch } from '../storage/kept-batch.ts';
import { Core } from '../protocol/core.ts';
import { CORE_DEFAULTS } from '../protocol/defaults.ts';
import type { Digest } from '../protocol/ids.ts';
import { decodeKnowledge, encodeKnowledge } from '../protocol/state/knowledge.ts';
import { signDraft, verifyRecord } from '../protocol/state/record.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import type { VerifiedRecord } from '../protocol/state/record.ts';
import { TEST_SALT, testIdentity, testRecord } from '../protocol/state/test-records.ts';
import { VersionVector } from '../protocol/state/version-vector.ts';
import { decodeReply, decodeRequest } from '../protocol/sync/codec.ts';
import type { SyncRequest } from '../protocol/sync/messages.ts';
import { Driver, DRIVER_DEFAULTS } from './driver.ts';

describe('the driver', () => {
  it('tells nobody of a record before it is durable: neither the writer nor a member', async () => {
    const { driver, store, sent } = make();
    linkPeer(driver);
    const writing = driver.write([{ key: 'k', value: '1' }], null);
    let isTold = false;
    void writing.then(() => {
      isTold = true;
    });
    await store.asked(1);
    await turn();
    expect(isTold).toBe(false);
    expect(sent.filter(({ type }) => type === 'ask')).toEqual([]);
    store.finish();
    expect((await writing).ok).toBe(true);
    expect(sent.filter(({ type }) => type === 'ask')).toHaveLength(1);
  });

  it('answers no write before whom it met is durable, for they count in the answer', async () => {
    const { driver, store } = make({ hasMet: false });
    linkPeer(driver);
    await store.asked(1);
    const { knowledge } = store.batches[0]?.meta ?? { knowledge: null };
    expect(decodeKnowledge(knowledge ?? new Uint8Array()).members).toMatchObject([
      { id: testIdentity(2).id },
    ]);
    const refused = driver.write([{ key: 'k', value: '1' }], null, { need: 3, timeoutMs: 100 });
    let isTold = false;
    void refused.then(() => {
      isTold = true;
    });
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(isTold).toBe(false);
    store.finish();
    expect(await refused).toMatchObject({ ok: false, reason: 'members', need: 3 });
  });

  it('puts what comes during a commit into the next one, and all writes of a turn into one', async () => {
    const { driver, store } = make();
    const first = [1, 2, 3].map((n) => driver.write([{ key: `a${n}`, value: '1' }], null));
    await store.asked(1);
    const second = [1, 2].map((n) => driver.write([{ key: `b${n}`, value: '1' }], null));
    store.finish();
    await Promise.all(first);
    await store.asked(2);
    store.finish();
    await Promise.all(second);
    expect(store.batches.map(({ put }) => put.size)).toEqual([3, 2]);
  });

  it('steps the writes of a turn together, and sixteen at once, so that their signing begins', async () => {
    const { driver, store, steps } = make({ signsLater: true });
    const writes = Array.from({ length: 20 }, (_, n) => driver.write([{ key: `k${n}`, value: '1' }], null));
    expect(steps()).toBe(1);
    expect(store.prepared).toHaveLength(16);
    await store.asked(1);
    expect(steps()).toBe(2);
    expect(store.prepared).toHaveLength(20);
    expect(store.batches[0]?.drafts).toEqual(store.prepared);
    store.finish();
    expect((await Promise.all(writes)).every(({ ok }) => ok)).toBe(true);
  });

  it('steps together what comes turn by turn while a commit is under way: when that is done, or sixteen at once', async () => {
    const { driver, store, steps } = make({ signsLater: true });
    const writes = [driver.write([{ key: 'first', value: '1' }], null)];
    await store.asked(1);
    for (let n = 0; n < 20; n++) {
      writes.push(driver.write([{ key: `k${n}`, value: '1' }], null));
      await turn();
    }
    expect(steps()).toBe(2);
    expect(store.prepared).toHaveLength(17);
    store.finish();
    await store.asked(2);
    expect(steps()).toBe(3);
    expect(store.batches.map(({ put }) => put.size)).toEqual([1, 20]);
    store.finish();
    expect((await Promise.all(writes)).every(({ ok }) => ok)).toBe(true);
  });

  it('begins a commit within a turn that brings enough for one, and reads on meanwhile', async () => {
    const { driver, store } = make();
    const writes = Array.from({ length: 40 }, (_, n) => driver.write([{ key: `k${n}`, value: '1' }], null));
    let isOver = false;
    setImmediate(() => {
      isOver = true;
    });
    for (let tasks = 0; tasks < 20 && store.batches.length === 0; tasks++) await Promise.resolve();
    expect(isOver).toBe(false);
    expect(store.batches.map(({ put }) => put.size)).toEqual([32]);
    store.finish();
    await store.asked(2);
    expect(store.batches.map(({ put }) => put.size)).toEqual([32, 8]);
    store.finish();
    await Promise.all(writes);
  });

  it('steps what is asked from within a step at the end of a commit that leaves nothing to be stored', async () => {
    const late: Promise<unknown>[] = [];
    const { driver, store } = make({
      stepped: () => {
        if (store.batches.length === 1 && late.length === 0)
          late.push(driver.write([{ key: 'late', value: '1' }], null));
      },
    });
    const first = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    const refused = driver.write([{ key: 'nothing to delete', value: null }], null);
    store.finish();
    expect((await first).ok).toBe(true);
    expect((await refused).ok).toBe(false);
    await store.asked(2);
    store.finish();
    await Promise.all(late);
    expect(late).toHaveLength(1);
  });

  it('refuses the writes of a turn in which the disk was found to refuse', async () => {
    const { driver, store, steps } = make();
    const first = driver.write([{ key: 'a', value: '1' }], null);
    await store.asked(1);
    const second = driver.write([{ key: 'b', value: '1' }], null);
    store.fail(new Error('disk full'));
    await expect(first).rejects.toThrow('disk full');
    await expect(second).rejects.toThrow('disk full');
    expect(steps()).toBe(1);
  });

  it('hands over drafts without a signature, and shows them to a member with one', async () => {
    const { driver, store, sent } = make({ signsLater: true });
    linkPeer(driver);
    const writing = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    const [draft] = store.batches[0]?.drafts ?? [];
    expect(draft && verifyRecord(draft.record)).toBeNull();
    expect(store.prepared).toEqual([draft]);
    expect(store.batches[0]?.put.get(draft?.slot ?? -1)).toBe(draft?.record);
    store.finish();
    await writing;
    const [ask] = sent.flatMap((effect) => (effect.type === 'ask' ? [decodeRequest(effect.bytes)] : []));
    const [told] = ask?.type === 'transfer' ? ask.records : [];
    expect(told && verifyRecord(told)).not.toBeNull();
  });

  it('stores with a commit no knowledge of what comes while it is under way', async () => {
    const { driver, store, core } = make({ signsLater: true });
    const writing = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    const late = testRecord({ author: testIdentity(2), key: 'late' });
    driver.dispatch({ type: 'gossip', peer: testIdentity(2).id, records: [late] });
    expect(core.replica.vector.has(late.dot)).toBe(true);
    const { knowledge } = store.batches[0]?.meta ?? { knowledge: null };
    expect(knowledge && decodeKnowledge(knowledge).vector.has(late.dot)).toBe(false);
    store.finish();
    await writing;
  });

  it('has signed also what was replaced before it was stored, for it may have been told of', async () => {
    const { driver, store } = make({ signsLater: true });
    const writes = [1, 2].map((n) => driver.write([{ key: 'k', value: String(n) }], null));
    await store.asked(1);
    store.finish();
    await Promise.all(writes);
    expect(store.batches[0]?.drafts).toHaveLength(2);
    expect(store.batches[0]?.put.size).toBe(1);
  });

  it('waits for more while every turn brings more, so that few commits are made of many writes', async () => {
    const { driver, store } = make();
    const writes: Promise<unknown>[] = [];
    for (const [i, count] of [2, 3, 1, 4].entries()) {
      for (let n = 0; n < count; n++) writes.push(driver.write([{ key: `${i}/${n}`, value: '1' }], null));
      await turn();
    }
    await store.asked(1);
    expect(store.batches[0]?.put.size).toBe(10);
    store.finish();
    await Promise.all(writes);
  });

  it('stores only the last of several records of one key in one commit', async () => {
    const { driver, store } = make();
    const writes = [1, 2, 3].map((n) => driver.write([{ key: 'k', value: String(n) }], null));
    await store.asked(1);
    store.finish();
    await Promise.all(writes);
    expect(store.batches[0]?.put.size).toBe(1);
    expect(store.batches[0]?.remove).toEqual([]);
    expect(store.batches[0]?.meta.sequence).toBe(3);
  });

  it('shows a read that was taken during a commit only after it', async () => {
    const { driver, store } = make();
    const writing = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    let isSettled = false;
    const settling = Promise.resolve(driver.settled()).then(() => {
      isSettled = true;
    });
    await turn();
    expect(isSettled).toBe(false);
    store.finish();
    await Promise.all([writing, settling]);
    await driver.settled();
  });

  it('refuses writers while the disk refuses, tries again, and takes writes once it works', async () => {
    const { driver, store, fire } = make();
    const refused = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    store.fail(new Error('disk full'));
    await expect(refused).rejects.toThrow('disk full');
    await expect(driver.write([{ key: 'l', value: '1' }], null)).rejects.toThrow('disk full');
    expect(driver.failure?.message).toBe('disk full');
    await fire(DRIVER_DEFAULTS.commitRetryMs);
    await store.asked(2);
    expect(store.batches[1]).toEqual(store.batches[0]);
    store.finish();
    await driver.settled();
    await turn();
    expect(driver.failure).toBeNull();
    const after = driver.write([{ key: 'm', value: '1' }], null);
    await store.asked(3);
    store.finish();
    expect((await after).ok).toBe(true);
  });

  describe('while the disk refuses', () => {
    /** k was durable as 1, and a write of 2 and one of l are not. */
    async function failing() {
      const made = make();
      const { driver, store } = made;
      const first = driver.write([{ key: 'k', value: '1' }], null);
      await store.asked(1);
      store.finish();
      await first;
      linkPeer(driver);
      const refused = Promise.allSettled([
        driver.write([{ key: 'k', value: '2' }], null),
        driver.write([{ key: 'l', value: '3' }], null),
      ]);
      await store.asked(2);
      const waiting = driver.settled();
      store.fail(new Error('disk full'));
      const outcomes = await refused;
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(await waiting).toBe(false);
      return made;
    }

    it('shows each key as the disk has it, at once', async () => {
      const { driver } = await failing();
      expect(await driver.settled()).toBe(false);
      expect(driver.durable('k').view?.winner.value).toBe('1');
      expect(driver.durable('l')).toEqual({ view: null, version: null });
      expect(driver.unsettledKeys()).toEqual(['k', 'l']);
    });

    it('answers members, without what is not durable and without a claim to have seen it', async () => {
      const { driver, core } = await failing();
      const [k, l] = ['k', 'l'].map((key) => core.replica.get(key)?.winner);
      if (k === undefined || l === undefined) throw new Error('both are in memory');
      const answers: (Uint8Array | null)[] = [];
      const ask = (message: SyncRequest<VerifiedRecord>): void => {
        const exchange = driver.expectAnswer((bytes) => answers.push(bytes));
        driver.dispatch({ type: 'asked', peer: testIdentity(2).id, lung: 'http', exchange, message });
      };
      const root = core.replica.root();
      ask({ type: 'transfer', root, want: [k.id, l.id], wantShort: [], records: [] });
      ask({ type: 'compare', root, subtrees: [{ prefix: '', digest: '0'.repeat(64) as Digest }] });
      ask({ type: 'delta', root, vector: new VersionVector(), after: null, bytesMax: 1_000, records: [] });
      expect(answers.map((bytes) => bytes !== null && decodeReply(bytes))).toMatchObject([
        { type: 'transferred', records: [] },
        { type: 'refused', reason: 'not_durable' },
        { type: 'missing', records: [], vector: new VersionVector() },
      ]);
    });

    it('never tells a member that its record is durable here', async () => {
      const { driver, core } = await failing();
      const answers: (Uint8Array | null)[] = [];
      const exchange = driver.expectAnswer((bytes) => answers.push(bytes));
      const offered = testRecord({ author: testIdentity(2), key: 'm' });
      driver.dispatch({
        type: 'asked',
        peer: testIdentity(2).id,
        lung: 'http',
        exchange,
        message: { type: 'transfer', root: core.replica.root(), want: [], wantShort: [], records: [offered] },
      });
      expect(answers).toEqual([null]);
    });

    it('tells everything once the disk takes it', async () => {
      const { driver, store, fire } = await failing();
      await fire(DRIVER_DEFAULTS.commitRetryMs);
      await store.asked(3);
      store.finish();
      await turn();
      expect(await driver.settled()).toBe(true);
      expect(driver.durable('k').view?.winner.value).toBe('2');
      expect(driver.unsettledKeys()).toEqual([]);
    });
  });

  it('makes durable what was stepped when it is stopped, and takes nothing after', async () => {
    const disk = newMemoryDisk();
    const storage = new MemoryStorage(disk);
    const { driver, core } = make({ keeper: keeperOf(storage) });
    const writing = driver.write([{ key: 'k', value: '1' }], null);
    await driver.stop(1_000);
    expect((await writing).ok).toBe(true);
    expect([...new MemoryStorage(disk).load().records]).toHaveLength(1);
    await expect(driver.write([{ key: 'l', value: '1' }], null)).rejects.toThrow('stopping');
    expect(core.replica.get('l')).toBeNull();
  });

  it('stores nothing more, and tells of nothing, once a commit has failed while it stops', async () => {
    const { driver, store, sent } = make();
    linkPeer(driver);
    const gossip = testRecord({ author: testIdentity(2), key: 'k' });
    driver.dispatch({ type: 'gossip', peer: testIdentity(2).id, records: [gossip] });
    await store.asked(1);
    const told = driver.write([{ key: 'own', value: '1' }], null).then(
      () => 'acknowledged',
      (error: Error) => error.message,
    );
    const stopping = driver.stop(200);
    store.fail(new Error('no space left'));
    await stopping;
    expect(await told).toBe('no space left');
    for (let turns = 0; turns < 20; turns += 1) await turn();
    // What came next would have been stored with the knowledge of what was not.
    expect(store.batches).toHaveLength(1);
    expect(sent.filter(({ type }) => type === 'publish')).toEqual([]);
  });

  it('asks for acknowledgements in messages that a lung can carry, however large the batch', async () => {
    const { driver, sent } = make({ keeper: keeperOf(new MemoryStorage(newMemoryDisk())) });
    linkPeer(driver);
    const value = JSON.stringify('x'.repeat(60_000));
    const entries = Array.from({ length: 30 }, (_, n) => ({ key: `k${n}`, value }));
    void driver.write(entries, null, { need: 2, timeoutMs: 1_000 });
    await turn();
    await driver.settled();
    await turn();
    const asks = sent.filter((effect) => effect.type === 'ask');
    expect(asks.length).toBeGreaterThan(0);
    for (const { bytes } of asks) expect(bytes.length).toBeLessThan(1_048_576);
  });

  it('shows the state of the last commit while the disk refuses', async () => {
    const { driver, core, store } = make();
    const before = core.replica.root();
    const refused = driver.write([{ key: 'k', value: '1' }], null);
    await store.asked(1);
    store.fail(new Error('disk full'));
    await expect(refused).rejects.toThrow('disk full');
    expect(core.replica.root()).not.toBe(before);
    expect(driver.durableState).toEqual({ root: before, size: 0 });
  });

  it('answers a write that makes no legal record instead of falling over', async () => {
    const { driver } = make();
    expect(await driver.write([{ key: '\ud800', value: '1' }], null)).toMatchObject({
      ok: false,
      reason: 'invalid',
    });
    expect(await driver.write([{ key: 'k', value: 'no json' }], null)).toMatchObject({
      ok: false,
      reason: 'invalid',
    });
  });
});

/** A store whose commits end when the test says so. */
class HeldKeeper implements Keeper {
  readonly batches: KeptBatch[] = [];
  readonly prepared: StoredRecord[] = [];
  #end: { resolve: () => void; reject: (error: Error) => void } | null = null;

  prepare(drafts: readonly StoredRecord[]): void {
    this.prepared.push(...drafts);
  }

  async keep(batch: KeptBatch): Promise<void> {
    this.batches.push(batch);
    await new Promise<void>((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    for (const { record } of batch.drafts) signDraft(record, (bytes) => testIdentity(1).sign(bytes));
  }

  async asked(count: number): Promise<void> {
    for (let turns = 0; this.batches.length < count; turns += 1) {
      if (turns > 1_000) throw new Error(`no commit number ${count}`);
      await turn();
    }
  }

  finish(): void {
    this.#end?.resolve();
  }

  fail(error: Error): void {
    this.#end?.reject(error);
  }
}

interface MakeOptions {
  readonly keeper?: Keeper;
  readonly signsLater?: boolean;
  /** it knows the member of `linkPeer` from an earlier life. Default true: to meet one takes a commit. */
  readonly hasMet?: boolean;
  readonly stepped?: () => void;
}

function make(options: MakeOptions = {}) {
  const { keeper = new HeldKeeper(), signsLater = false, hasMet = true, stepped } = options;
  const identity = testIdentity(1);
  const core = new Core(
    {
      self: identity.id,
      sign: (bytes) => identity.sign(bytes),
      signsLater,
      rng: () => 0.5,
      sketchSalt: TEST_SALT,
    },
    CORE_DEFAULTS,
  );
  const met = hasMet ? [{ id: testIdentity(2).id, silentMs: 0, heardAtMs: 0 }] : [];
  const knowledge = encodeKnowledge({ vector: new VersionVector(), members: met });
  core.load({ sequence: 0, wallMs: 0, counter: 0, knowledge }, [], 0);
  const sent: LungEffect[] = [];
  let steps = 0;
  const timers: { ms: number; run: () => void }[] = [];
  const clock: Clock = {
    wallMs: () => 1_767_225_600_000,
    monotonicMs: () => 0,
    after: (ms, run) => {
      timers.push({ ms, run });
      return () => {};
    },
  };
  const lung: Lung = {
    name: 'http',
    start: async () => {},
    stop: async () => {},
    perform: (effect) => sent.push(effect),
    addAddress: () => {},
  };
  const quiet = { error() {}, warn() {}, info() {}, debug() {} };
  const driver = new Driver(
    {
      core,
      keeper,
      clock,
      logger: quiet,
      emit: () => {},
      lungs: { http: lung },
      stepped: () => {
        steps += 1;
        stepped?.();
      },
    },
    DRIVER_DEFAULTS,
  );
  const fire = async (ms: number): Promise<void> => {
    await turn();
    timers.find((timer) => timer.ms === ms)?.run();
  };
  return { driver, core, sent, fire, steps: () => steps, store: keeper as HeldKeeper };
}

function keeperOf(storage: Storage): Keeper {
  return {
    prepare: () => undefined,
    keep: (batch) => storage.commit(signedBatch(batch, (bytes) => testIdentity(1).sign(bytes))),
  };
}

/** A member that only HTTP reaches, so that a fresh record is pushed to it. */
function linkPeer(driver: Driver): void {
  const peer = testIdentity(2).id;
  driver.dispatch({ type: 'lung', lung: 'http', state: 'up', reason: 'test' });
  driver.dispatch({ type: 'link', peer, lung: 'http', state: 'up', reason: 'test' });
  driver.dispatch({ type: 'heard', peer, lung: 'http', rttMs: 1, beacon: null });
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}
