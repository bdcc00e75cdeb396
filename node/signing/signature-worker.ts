/**
 * The program of a thread that signs, or that verifies where it is given no seed: takes every batch that comes, in order, and hands it
 * back; a null before says that it is up. It is a file of its own also where the node is bundled, and ends with its process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { identityFromSeed } from '../protocol/state/signature.ts';
import { signBatch, verifyBatch } from './signature-batch.ts';

const seed = workerData as Uint8Array | null;
const identity = seed === null ? null : identityFromSeed(seed);
parentPort?.on('message', (batch: ArrayBuffer) => {
  if (identity === null) verifyBatch(batch);
  else signBatch(batch, (bytes) => identity.sign(bytes));
  parentPort?.postMessage(batch, [batch]);
});
parentPort?.postMessage(null);
