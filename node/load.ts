/**
 * Loads the node's code in pieces. Evaluating a package keeps the event loop for tens of milliseconds, all of it together
 * for most of a start; between two pieces, whoever has asked over HTTP meanwhile is answered.
 */
import { setImmediate as turn } from 'node:timers/promises';

/** What is heavy, so that no piece is; what they share is loaded with the first that needs it. */
const PIECES: readonly (() => Promise<unknown>)[] = [
  () => import('./http/app.ts'),
  () => import('./storage/lmdb-storage.ts'),
  () => import('./lungs/http/http-lung.ts'),
];

export async function loadCompose(): Promise<typeof import('./compose.ts')> {
  for (const load of PIECES) await inTurn(load);
  return inTurn(() => import('./compose.ts'));
}

/** One turn of the event loop accepts a connection, the next reads its request and answers. */
export async function inTurn<T>(load: () => Promise<T>): Promise<T> {
  await turn();
  await turn();
  return load();
}
