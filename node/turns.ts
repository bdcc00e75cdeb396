/** Lets whoever has asked over HTTP be answered: one turn of the event loop accepts a connection, the next reads its request. */
import { setImmediate as turn } from 'node:timers/promises';

export async function letAnswer(): Promise<void> {
  await turn();
  await turn();
}
