import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeptBatch, StoreMeta } from '../ports.ts';
import { canonicalOf } from '../protocol/state/kept-record.ts';
import { decodeRecord, draftRecord, verifyRecord, type SignedRecord } from '../protocol/state/record.ts';
import { testIdentity, testRecord } from '../protocol/state/test-records.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import { LmdbStorage } from './lmdb-storage.ts';

const identity = testIdentity(1);
const stamp = { wallMs: 1_767_225_600_000, counter: 0 };
const DIES_WITH_THE_FIRST = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>process.exit(3));parentPort.postMessage(null)',
);
const CANNOT_START = new URL('data:text/javascript,throw new Error("no")');

let dir: string;
let slots = 0;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aethel-writing-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function drafts(count: number): readonly StoredRecord[] {
  return Array.from({ length: count }, (_, i) => {
    slots += 1;
    const dot = { author: identity.id, sequence: slots };
    const value = `"${'x'.repeat(i * 40)}"`;
    return { slot: slots, record: draftRecord({ key: `k${slots}`, value, dot, context: [], stamp }) };
  });
}

/** All drafts kept, but for those of `replaced`. */
function batchOf(list: readonly StoredRecord[], replaced: readonly StoredRecord[] = []): KeptBatch {
  const put = new Map(list.map(({ slot, record }) => [slot, record]));
  const meta = { sequence: slots, wallMs: 1, counter: 2, knowledge: Uint8Array.of(1, 2, 3) };
  return { put, remove: [], drafts: [...replaced, ...list], meta };
}

async function open(program?: URL) {
  let here = 0;
  const warnings: string[] = [];
  const logger = { error() {}, warn: (text: string) => warnings.push(text), info() {}, debug() {} };
  const sign = (bytes: Uint8Array): Uint8Array => {
    here += 1;
    return identity.sign(bytes);
  };
  const modules = { identity: { seed: identity.seed, sign }, logger };
  const storage = await LmdbStorage.open(
    dir,
    { salvage: false },
    program === undefined ? modules : { ...modules, program },
  );
  return { storage, warnings, signedHere: () => here };
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !isSo();) {
    if (performance.now() > end) throw new Error('it never was so');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function up(made: Awaited<ReturnType<typeof open>>): Promise<void> {
  made.storage.wake();
  await until(() => made.storage.hasThread);
}

/** What a new process finds, by slot. */
async function found(): Promise<{
  readonly meta: StoreMeta | null;
  readonly records: ReadonlyMap<number, SignedRecord>;
}> {
  const storage = await LmdbStorage.open(dir);
  const { meta, records } = storage.load();
  const bySlot = new Map(Array.from(records, ({ slot, bytes }) => [slot, decodeRecord(canonicalOf(bytes))]));
  await storage.close();
  return { meta, records: bySlot };
}

function expectSigned(list: readonly StoredRecord[]): void {
  for (const { record } of list) expect(verifyRecord(record)).not.toBeNull();
}

it('signs and writes in place until three come at once, and in its thread once that is up', async () => {
  const made = await open();
  const few = drafts(2);
  await made.storage.keep(batchOf(few));
  expect(made.signedHere()).toBe(2);
  const more = drafts(3);
  await made.storage.keep(batchOf(more));
  await until(() => made.storage.hasThread);
  const before = made.signedHere();
  const away = drafts(40);
  await made.storage.keep(batchOf(away));
  expect(made.signedHere()).toBe(before);
  expectSigned([...few, ...more, ...away]);
  await made.storage.close();
  expect([...(await found()).records.keys()]).toEqual([...few, ...more, ...away].map(({ slot }) => slot));
});

it('keeps bit by bit what is kept in place: drafts, members’ records, what was replaced left out, and what is beside them', async () => {
  const member = { slot: (slots += 1), record: testRecord({ author: testIdentity(2), key: 'theirs' }) };
  const replaced = drafts(2);
  const kept = drafts(4);
  const batch = batchOf(kept, replaced);
  const whole: KeptBatch = { ...batch, put: new Map([...batch.put, [member.slot, member.record]]) };
  const made = await open();
  await up(made);
  await made.storage.keep(whole);
  await made.storage.close();
  expectSigned([...replaced, ...kept]);
  const { meta, records } = await found();
  expect(meta).toEqual(whole.meta);
  expect([...records.keys()].toSorted()).toEqual([...whole.put.keys()].toSorted());
  for (const [slot, { id, bytes }] of records) {
    expect(id).toBe(whole.put.get(slot)?.id);
    expect(Buffer.from(bytes).equals(whole.put.get(slot)?.bytes ?? Buffer.of())).toBe(true);
  }
});

it('takes a batch that is larger than the memory it keeps, and several that do not wait for each other', async () => {
  const made = await open();
  await up(made);
  const batches = [drafts(200), drafts(1), drafts(60)];
  const told: number[] = [];
  await Promise.all(batches.map((list, i) => made.storage.keep(batchOf(list)).then(() => told.push(i))));
  expect(told).toEqual([0, 1, 2]);
  expectSigned(batches.flat());
  await made.storage.close();
  expect((await found()).records.size).toBe(261);
});

it('does in place what a thread had that died with it, says so once, and goes on', async () => {
  const made = await open(DIES_WITH_THE_FIRST);
  await up(made);
  const batches = [drafts(5), drafts(5)];
  await Promise.all(batches.map((list) => made.storage.keep(batchOf(list))));
  expectSigned(batches.flat());
  const later = drafts(5);
  await made.storage.keep(batchOf(later));
  expectSigned(later);
  expect(made.warnings).toEqual(['the writing thread died, records are signed and written in place']);
  await made.storage.close();
  expect((await found()).records.size).toBe(15);
});

it('writes in place where the thread cannot start', async () => {
  const made = await open(CANNOT_START);
  made.storage.wake();
  await until(() => made.warnings.length > 0);
  const list = drafts(5);
  await made.storage.keep(batchOf(list));
  expectSigned(list);
  await made.storage.close();
  expect((await found()).records.size).toBe(5);
});

it('ends its thread when it is closed, and one that is only starting too', async () => {
  const made = await open();
  await up(made);
  await made.storage.keep(batchOf(drafts(3)));
  await made.storage.close();
  const starting = await open();
  starting.storage.wake();
  await starting.storage.close();
  expect([...made.warnings, ...starting.warnings]).toEqual([]);
  expect((await found()).records.size).toBe(3);
});

const META = (sequence: number) => ({ sequence, wallMs: 1, counter: 0, knowledge: null });
const value = (sequence: number, text: string) => ({
  put: [{ slot: 1, bytes: Buffer.from(text) }],
  remove: [],
  meta: META(sequence),
});
/** Takes everything and does nothing; told to end, it dies. */
const DIES_AT_THE_END = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",(m)=>m===null&&process.exit(3));parentPort.postMessage(null)',
);
/** Refuses every batch, and tells with which epoch it came. */
const REFUSES = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (memory) => {
      const message = Buffer.from(memory);
      const text = JSON.stringify({ code: 'ENOSPC', detail: 'epoch ' + message.readUInt32LE(4) });
      message.writeUInt32LE(1, 0);
      message.writeUInt32LE(message.write(text, 8), 4);
      parentPort.postMessage([memory], [memory]);
    });
    parentPort.postMessage(null);`)}`,
);

it('does what a dying thread had before what came later, and waits for it when it is closed', async () => {
  const made = await open(DIES_AT_THE_END);
  await up(made);
  const told = [made.storage.commit(value(1, 'a')), made.storage.mend(), made.storage.commit(value(2, 'b'))];
  await made.storage.close();
  await Promise.all(told);
  const storage = await LmdbStorage.open(dir);
  const { meta, records } = storage.load();
  expect(Array.from(records, ({ bytes }) => Buffer.from(bytes).toString())).toEqual(['b']);
  expect(meta?.sequence).toBe(2);
  await storage.close();
});

it('counts as one what fails together: what is sent after the first failure is known comes after all of it', async () => {
  const made = await open(REFUSES);
  await up(made);
  const commit = (sequence: number): Promise<string> =>
    made.storage.commit(value(sequence, 'x')).then(
      () => 'kept',
      (error: Error) => error.message,
    );
  const [one, two] = [commit(1), commit(2)];
  const [three, four] = [one.then(() => commit(3)), two.then(() => commit(4))];
  const epochs = await Promise.all([one, two, three, four]);
  expect(epochs.map((text) => /epoch \d/.exec(text)?.[0])).toEqual([
    'epoch 0',
    'epoch 0',
    'epoch 1',
    'epoch 1',
  ]);
  await made.storage.close().catch(() => undefined);
});
