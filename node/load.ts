/**
 * Loads the node's code in pieces. Evaluating a package keeps the event loop for tens of milliseconds, all of it together
 * for most of a start; between two pieces, whoever has asked over HTTP meanwhile is answered.
 */
import { letAnswer } from './turns.ts';

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

export async function inTurn<T>(load: () => Promise<T>): Promise<T> {
  await letAnswer();
  return load();
}
