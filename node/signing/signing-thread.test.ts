import { draftRecord, verifyRecord, type SignedRecord } from '../protocol/state/record.ts';
import { testIdentity } from '../protocol/state/test-records.ts';
import { SigningThread } from './signing-thread.ts';

const identity = testIdentity(1);
const stamp = { wallMs: 1_767_225_600_000, counter: 0 };
let sequence = 0;

function drafts(count: number): readonly SignedRecord[] {
  return Array.from({ length: count }, (_, i) => {
    sequence += 1;
    const dot = { author: identity.id, sequence };
    return draftRecord({ key: `k${i}`, value: `"${'x'.repeat(i * 40)}"`, dot, context: [], stamp });
  });
}

function make(program?: URL) {
  let here = 0;
  const warnings: string[] = [];
  const logger = {
    error() {},
    warn: (text: string) => warnings.push(text),
    info() {},
    debug() {},
  };
  const sign = (bytes: Uint8Array): Uint8Array => {
    here += 1;
    return identity.sign(bytes);
  };
  const modules = { identity: { seed: identity.seed, sign }, logger };
  const thread = new SigningThread(program === undefined ? modules : { ...modules, program });
  return { thread, warnings, signedHere: () => here };
}

function expectSigned(records: readonly SignedRecord[]): void {
  for (const record of records) expect(verifyRecord(record)).not.toBeNull();
}

/** Signs batches until one was not signed in place. */
async function untilAway({ thread, signedHere }: ReturnType<typeof make>): Promise<void> {
  for (const until = performance.now() + 20_000; performance.now() < until;) {
    const before = signedHere();
    const records = drafts(5);
    await thread.sign(records);
    expectSigned(records);
    if (signedHere() === before) return;
  }
  throw new Error('the thread did not come up');
}

it('signs in place while the thread starts, and then no more', async () => {
  const made = make();
  await untilAway(made);
  const before = made.signedHere();
  const batches = [drafts(3), drafts(100), drafts(7)];
  const signed = batches.map((records) => made.thread.sign(records));
  await Promise.all(signed);
  expectSigned(batches.flat());
  expect(made.signedHere()).toBe(before);
});

it('signs a batch that is larger than the memory it keeps', async () => {
  const made = make();
  await untilAway(made);
  const before = made.signedHere();
  const records = [...drafts(80), ...drafts(80)];
  await made.thread.sign(records);
  expectSigned(records);
  expect(made.signedHere()).toBe(before);
});

it('signs one or two records in place: nobody waits for another thread', async () => {
  const made = make();
  const records = drafts(2);
  await made.thread.sign(records);
  expectSigned(records);
  expect(made.signedHere()).toBe(2);
});

it('gives the calls of one turn one promise', () => {
  const { thread } = make();
  expect(thread.sign(drafts(1))).toBe(thread.sign(drafts(1)));
});

it('signs in place what is with a thread that dies, says so once, and goes on', async () => {
  const program = new URL(
    'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>process.exit(3));parentPort.postMessage(null)',
  );
  const made = make(program);
  for (const until = performance.now() + 20_000; made.warnings.length === 0 && performance.now() < until;) {
    const records = drafts(5);
    await made.thread.sign(records);
    expectSigned(records);
  }
  const records = drafts(5);
  await made.thread.sign(records);
  expectSigned(records);
  expect(made.warnings).toEqual(['the signing thread died, records are signed in place']);
});

it('signs in place where the thread cannot start', async () => {
  const made = make(new URL('data:text/javascript,throw new Error("no")'));
  for (const until = performance.now() + 20_000; made.warnings.length === 0 && performance.now() < until;) {
    const records = drafts(5);
    await made.thread.sign(records);
    expectSigned(records);
  }
  expect(made.warnings).toHaveLength(1);
});
