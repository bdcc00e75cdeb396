/** What every replica must hold: all that was acknowledged, each with its value, under one root. */
import { poll } from '../../chaos/cluster/poll.ts';
import type { EntriesResponse } from '../../node/http/schemas.ts';
import { keyUrl, talk } from '../node/talk.ts';

const CONVERGE_BUDGET_MS = 60_000;
const PAGE = 1000;
/** read one by one as well, as clients read */
const SINGLES = 20;
const NAMED_MAX = 5;

/** @returns what is wrong, or null */
export async function audit(
  urls: readonly string[],
  acknowledged: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<string | null> {
  const converged = await poll(
    async () => {
      const roots = await Promise.all(urls.map(rootAt));
      return new Set(roots).size === 1 && roots[0] !== null ? true : null;
    },
    { everyMs: 100, budgetMs: CONVERGE_BUDGET_MS, signal },
  );
  if (converged === null) return `the roots are unlike: ${(await Promise.all(urls.map(rootAt))).join(', ')}`;
  for (const url of urls) {
    const wrong = await missingAt(url, acknowledged);
    if (wrong.length > 0) {
      const some = wrong.slice(0, NAMED_MAX).join(', ');
      return `${url} lacks ${wrong.length} of ${acknowledged.size} acknowledged writes: ${some}`;
    }
  }
  return null;
}

async function rootAt(url: string): Promise<string | null> {
  try {
    const { body } = await talk(`${url}/api/lattice/p2p/status`);
    return String(body['merkle_root']);
  } catch {
    return null;
  }
}

async function missingAt(url: string, acknowledged: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const held = new Map<string, unknown>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const more = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body } = await talk(`${url}/api/lattice/state?entries=1&limit=${PAGE}${more}`);
    if (status !== 200) throw new Error(`${url} lists nothing: ${status}`);
    const page = body as unknown as EntriesResponse;
    for (const { key, value } of page.entries) held.set(key, value);
    cursor = page.next_cursor;
  }
  const wrong = [...acknowledged].filter(([key, value]) => held.get(key) !== value).map(([key]) => key);
  const every = Math.max(1, Math.floor(acknowledged.size / SINGLES));
  for (const [key, value] of [...acknowledged].filter((_, i) => i % every === 0)) {
    const { body } = await talk(keyUrl(url, key));
    if (body['value'] !== value && !wrong.includes(key)) wrong.push(key);
  }
  return wrong;
}
