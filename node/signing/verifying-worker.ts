/**
 * The program of a thread that verifies: takes every batch that comes, in order, and hands it back; a null before says that it is up. It
 * is a file of its own also where the node is bundled, and ends with its process.
 */
import { parentPort } from 'node:worker_threads';
import { verifyBatch } from './signature-batch.ts';

parentPort?.on('message', (batch: ArrayBuffer) => {
  verifyBatch(batch);
  parentPort?.postMessage([batch], [batch]);
});
parentPort?.postMessage(null);
