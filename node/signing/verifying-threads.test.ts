import fc from 'fast-check';
import {
  decodeRecord,
  signRecord,
  verifyRecord,
  type SignedRecord,
  type VerifiedRecord,
} from '../protocol/state/record.ts';
import { CodecError } from '../protocol/codec.ts';
import { testIdentity } from '../protocol/state/test-records.ts';
import { VERIFYING_DEFAULTS, VerifyingThreads, type VerifyingThreadsOptions } from './verifying-threads.ts';

const authors = [1, 2, 3].map(testIdentity);
const stamp = { wallMs: 1_767_225_600_000, counter: 0 };
const DIES_WITH_THE_FIRST = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>process.exit(3));parentPort.postMessage(null)',
);
/** Comes up, and never hands anything back. */
const SITS_ON_THEM = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>{});parentPort.postMessage(null)',
);
const CANNOT_START = new URL('data:text/javascript,throw new Error("no")');

type Verdicts = readonly (VerifiedRecord | null)[];

function recordsOf(count: number): readonly SignedRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const author = authors[i % authors.length] ?? testIdentity(9);
    const value = `"${'x'.repeat((i * 37) % 2_000)}"`;
    const dot = { author: author.id, sequence: i + 1 };
    return signRecord({ key: `k${i}`, value, dot, context: [], stamp }, (bytes) => author.sign(bytes));
  });
}

/** The same record with one bit of its bytes turned; null where that is no record. */
function flipped(record: SignedRecord, bit: number): SignedRecord | null {
  const bytes = record.bytes.slice();
  const at = (bit >> 3) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  try {
    return decodeRecord(bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

/** With the last bit of its signature turned. */
function forged(record: SignedRecord): SignedRecord {
  const bytes = record.bytes.slice();
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return decodeRecord(bytes);
}

function make(options: Partial<VerifyingThreadsOptions> = {}, program?: URL) {
  const warnings: string[] = [];
  const logger = { error() {}, warn: (text: string) => warnings.push(text), info() {}, debug() {} };
  const verifier = new VerifyingThreads(program === undefined ? { logger } : { logger, program }, {
    ...VERIFYING_DEFAULTS,
    threads: 1,
    ...options,
  });
  const verify = (records: readonly SignedRecord[]): Promise<Verdicts> =>
    new Promise((resolve) => verifier.verify(records, resolve));
  return { verifier, verify, warnings };
}

/** Asks until the records of one call are away for a turn of the event loop and more: then a thread has them. */
async function untilAway({ verify }: ReturnType<typeof make>): Promise<void> {
  const records = recordsOf(VERIFYING_DEFAULTS.sliceRecords);
  for (const until = performance.now() + 20_000; performance.now() < until;) {
    let isTold = false;
    const telling = verify(records).then(() => {
      isTold = true;
    });
    await new Promise(setImmediate);
    if (!isTold) return telling;
  }
  throw new Error('the thread did not come up');
}

it('finds by position the wrong signatures among the right ones, before and after the thread is up', async () => {
  const made = make();
  const records = recordsOf(100).map((record, i) => (i % 7 === 3 ? forged(record) : record));
  const expected = records.map((record, i) => (i % 7 === 3 ? null : record));
  expect(await made.verify(records)).toEqual(expected);
  await untilAway(made);
  const verdicts = await made.verify(records);
  expect(verdicts.map((verdict, i) => verdict === expected[i])).not.toContain(false);
});

it('gives the verdicts of verifyRecord, whichever bits are turned', async () => {
  const made = make({ awayMin: 1, busyAwayMin: 1 });
  await untilAway(made);
  const [record] = recordsOf(1);
  if (record === undefined) throw new Error('no record');
  const bits = fc.array(fc.nat({ max: record.bytes.length * 8 - 1 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(bits, async (turned) => {
      const records = [record, ...turned.flatMap((bit) => flipped(record, bit) ?? [])];
      expect(await made.verify(records)).toEqual(records.map((each) => verifyRecord(each)));
    }),
    { numRuns: 30 },
  );
});

it('does not take another author’s signature for the author’s', async () => {
  const made = make({ awayMin: 1, busyAwayMin: 1 });
  await untilAway(made);
  const [one, other] = authors;
  if (one === undefined || other === undefined) throw new Error('no authors');
  const dot = { author: one.id, sequence: 1 };
  const stolen = signRecord({ key: 'k', value: '1', dot, context: [], stamp }, (bytes) => other.sign(bytes));
  expect(await made.verify([stolen])).toEqual([null]);
});

it('verifies a few records at once: nobody waits for another thread', () => {
  const { verifier } = make();
  let told: Verdicts = [];
  const records = recordsOf(VERIFYING_DEFAULTS.awayMin - 1);
  verifier.verify(records, (verdicts) => (told = verdicts));
  expect(told).toEqual(records);
});

it('verifies somewhat more at once while the threads have many', () => {
  const { verifier } = make({}, SITS_ON_THEM);
  verifier.verify(recordsOf(200), () => {});
  let told: Verdicts = [];
  const records = recordsOf(VERIFYING_DEFAULTS.busyAwayMin - 1);
  verifier.verify(records, (verdicts) => (told = verdicts));
  expect(told).toEqual(records);
});

it('lets other events have their turn where there is no thread', async () => {
  const made = make({}, CANNOT_START);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await made.verify(recordsOf(10 * VERIFYING_DEFAULTS.sliceRecords));
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(10);
});

it('tells of every batch once, each with its own verdicts, with several threads', async () => {
  const made = make({ threads: 2 });
  const records = recordsOf(60);
  const batches = Array.from({ length: 30 }, (_, n) =>
    records.map((record, i) => (i === n ? forged(record) : record)),
  );
  const told = await Promise.all(batches.map((batch) => made.verify(batch)));
  expect(told.map((verdicts) => verdicts.indexOf(null))).toEqual(batches.map((_, n) => n));
  expect(told.flat().filter((verdict) => verdict === null)).toHaveLength(batches.length);
});

it('verifies in place what is with a thread that dies, says so once, and goes on', async () => {
  const made = make({}, DIES_WITH_THE_FIRST);
  const records = recordsOf(50).map((record, i) => (i === 11 ? forged(record) : record));
  for (const until = performance.now() + 20_000; made.warnings.length === 0 && performance.now() < until;) {
    const told = await Promise.all([made.verify(records), made.verify(records)]);
    for (const verdicts of told) expect(verdicts.indexOf(null)).toBe(11);
  }
  expect((await made.verify(records)).indexOf(null)).toBe(11);
  expect(made.warnings).toEqual(['a verifying thread died, its records are verified elsewhere']);
});

it('verifies in place where no thread can start', async () => {
  const made = make({ threads: 2 }, CANNOT_START);
  const records = recordsOf(50);
  for (const until = performance.now() + 20_000; made.warnings.length < 2 && performance.now() < until;)
    expect(await made.verify(records)).toEqual(records);
  expect(made.warnings).toHaveLength(2);
});
