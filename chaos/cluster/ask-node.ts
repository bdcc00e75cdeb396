/** Single questions of a fault to a node, each over a connection of its own. */
import { TRIAL_KEYS } from '../faults/spec.ts';
import { LatticeClient } from './client.ts';

const TIMEOUT_MS = 3_000;
/** So many that large values under them are more than any room of a store. */
const KEYS = 200;
let count = 0;

interface Asked {
  readonly url: string;
  readonly apiToken: string | null;
}

/** Its own time, now; null: it does not say */
export async function timeOf(node: Asked): Promise<number | null> {
  return asking(node, (client) => client.time()).catch(() => null);
}

/** @param characters how large the value is */
export async function tryWriteTo(
  node: Asked,
  characters: number,
): Promise<{ readonly taken: boolean; readonly said: string }> {
  count += 1;
  const key = `${TRIAL_KEYS}${count % KEYS}`;
  const result = await asking(node, (client) => client.put(key, 'x'.repeat(characters)));
  return result.outcome === 'ok'
    ? { taken: true, said: 'taken' }
    : { taken: false, said: `${result.outcome}: ${result.reason}` };
}

async function asking<T>(
  { url, apiToken }: Asked,
  question: (client: LatticeClient) => Promise<T>,
): Promise<T> {
  const client = new LatticeClient(() => url, apiToken, { timeoutMs: TIMEOUT_MS });
  try {
    return await question(client);
  } finally {
    client.close();
  }
}
