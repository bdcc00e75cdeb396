/**
 * The program of a thread that signs and writes: takes every message that comes, in order, and hands it back; a batch once it is
 * durable, or was refused. A null before says that it is up, and a null told ends it. It is a file of its own also where the node
 * is bundled, and ends with its process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { identityFromSeed } from '../protocol/state/signature.ts';
import type { StorageFailedError } from './errors.ts';
import { openDatabase } from './lmdb-environment.ts';
import { failureOf } from './lmdb-failure.ts';
import { JournaledWriter } from './journaled-writer.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import { takeOut } from './take-out.ts';
import { readMessage, writeAnswer, type Message } from './writing-message.ts';

/** What it is started with. */
export interface WritingWorkerData {
  readonly dir: string;
  /** of the drafts' author */
  readonly seed: Uint8Array;
}

type Batch = Extract<Message, { readonly type: 'batch' }>;
type Put = Batch['batch']['put'];

const { dir, seed } = workerData as WritingWorkerData;
const identity = identityFromSeed(seed);
const db = openDatabase(dir);
const lmdb = new LmdbWriter(db, dir);
const writer = new JournaledWriter(lmdb, dir);
/** Nothing came for so long: what is in the journal is written to LMDB. */
const QUIET_MS = 20;
/** signed, until a batch takes them, oldest first */
const chunks: { readonly number: number; readonly put: Put }[] = [];
/** What was sent before a failure was known builds on what was lost. */
let failed: { readonly epoch: number; readonly failure: StorageFailedError } | null = null;
/** Messages that are done with. Those of chunks go back with the next batch: to wake the node's thread costs as much as to sign. */
let done: ArrayBuffer[] = [];
let last = Promise.resolve();
const quiet = setTimeout(() => {
  last = last.then(settle);
}, QUIET_MS).unref();

async function take(memory: ArrayBuffer): Promise<void> {
  const message = readMessage(memory, (bytes) => identity.sign(bytes));
  done.push(memory);
  if (message.type === 'chunk') {
    chunks.push({ number: message.chunk, put: message.put });
    return;
  }
  writeAnswer(memory, await write(message));
  parentPort?.postMessage(done, done);
  done = [];
  if (writer.isDue) void settle();
  quiet.refresh();
}

/** Where it fails, the next write that needs it says so. */
function settle(): Promise<void> {
  return writer.settle().catch(() => undefined);
}

async function write(message: Batch): Promise<StorageFailedError | null> {
  const put = [...signedOf(message), ...message.batch.put];
  if (failed !== null && failed.epoch >= message.epoch) return failed.failure;
  try {
    await writer.write({ ...message.batch, put });
    return null;
  } catch (error) {
    // Who looks into LMDB now finds all that was promised.
    await settle();
    failed = { epoch: message.epoch, failure: await failureOf(error, dir) };
    return failed.failure;
  }
}

function signedOf({ chunks: numbers, skips }: Batch): Put {
  const put: Put[number][] = [];
  for (const number of numbers) {
    const chunk = takeOut(chunks, (one) => one.number === number);
    if (chunk === undefined) throw new Error(`no chunk ${number}`);
    for (const entry of chunk.put) if (!skips.has(entry.slot)) put.push(entry);
  }
  return put;
}

async function close(): Promise<void> {
  clearTimeout(quiet);
  await writer.close().catch(() => undefined);
  await lmdb.close();
  await db.close();
  process.exit(0);
}

parentPort?.on('message', (memory: ArrayBuffer | null) => {
  last = last.then(() => (memory === null ? close() : take(memory)));
});
parentPort?.postMessage(null);
