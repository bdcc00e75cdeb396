/**
 * The program of a thread that signs and writes: takes every batch that comes, in order, and hands it back once it is durable, or was
 * refused; a null before says that it is up. It is a file of its own also where the node is bundled, and ends with its process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { identityFromSeed } from '../protocol/state/signature.ts';
import { StorageFailedError } from './errors.ts';
import { openDatabase } from './lmdb-environment.ts';
import { failureOf } from './lmdb-failure.ts';
import { LmdbWriter } from './lmdb-writer.ts';
import { readBatch, writeAnswer } from './writing-message.ts';

/** What it is started with. */
export interface WritingWorkerData {
  readonly dir: string;
  /** of the drafts' author; null: it gets none */
  readonly seed: Uint8Array | null;
}

const { dir, seed } = workerData as WritingWorkerData;
const identity = seed === null ? null : identityFromSeed(seed);
const db = openDatabase(dir);
const writer = new LmdbWriter(db, dir, { mayBlock: true });
/** What was sent before a failure was known builds on what was lost. */
let failed: { readonly epoch: number; readonly failure: StorageFailedError } | null = null;
let last = Promise.resolve();

function sign(bytes: Uint8Array): Uint8Array {
  if (identity === null) throw new Error('a draft for a thread that cannot sign');
  return identity.sign(bytes);
}

async function write(memory: ArrayBuffer): Promise<void> {
  const { epoch, batch } = readBatch(memory, sign);
  let failure = failed !== null && failed.epoch >= epoch ? failed.failure : null;
  if (failure === null) {
    try {
      await writer.write([batch]);
    } catch (error) {
      failure = await failureOf(error, dir);
      failed = { epoch, failure };
    }
  }
  writeAnswer(memory, failure);
  parentPort?.postMessage(memory, [memory]);
}

async function close(): Promise<void> {
  await writer.close();
  await db.close();
  process.exit(0);
}

parentPort?.on('message', (memory: ArrayBuffer | null) => {
  last = last.then(() => (memory === null ? close() : write(memory)));
});
parentPort?.postMessage(null);
