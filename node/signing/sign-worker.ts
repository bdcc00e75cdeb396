/**
 * The signing thread's program: signs every batch that comes, in order, and hands it back; a null before says that it is up. It is a file of its own also where
 * the node is one file, and ends with its process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { identityFromSeed } from '../protocol/state/signature.ts';
import { signBatch } from './sign-batch.ts';

const identity = identityFromSeed(workerData as Uint8Array);
parentPort?.on('message', (batch: ArrayBuffer) => {
  signBatch(batch, (bytes) => identity.sign(bytes));
  parentPort?.postMessage(batch, [batch]);
});
parentPort?.postMessage(null);
