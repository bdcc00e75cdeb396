/** When the twin has met: each node hears the other by P2P, and a write made on A shows on B under an equal root. */
import { LatticeClient, NodeUnreachableError } from '../../chaos/cluster/client.ts';
import { poll } from '../../chaos/cluster/poll.ts';
import { NodeEndedError } from './child.ts';
import type { NodeChild } from './child.ts';
import { urlOf } from './settings.ts';
import type { TwinSettings } from './settings.ts';

export type Meeting =
  | { readonly ok: true; readonly root: string }
  | {
      readonly ok: false;
      readonly reason: 'no P2P on both sides' | 'the write was refused' | 'no equal root with the write';
    };

const MEETING_BUDGET_MS = 30_000;
const LOOK_EVERY_MS = 100;
const KEY = 'twin/met';

export async function meet(
  settings: TwinSettings,
  children: readonly NodeChild[],
  signal: AbortSignal,
): Promise<Meeting> {
  const a = new LatticeClient(() => urlOf(settings.a), null, { timeoutMs: 2000 });
  const b = new LatticeClient(() => urlOf(settings.b), null, { timeoutMs: 2000 });
  const patience = { everyMs: LOOK_EVERY_MS, budgetMs: MEETING_BUDGET_MS, signal };
  const value = new Date().toISOString();

  const bothP2p = async (): Promise<true | null> => {
    if (children.some((child) => child.isGone)) throw new NodeEndedError('a node ended before the twin met');
    const statuses = await Promise.all([a.status(), b.status()]);
    return statuses.every(({ sync_mode: mode, peer_count: peers }) => mode === 'P2P' && peers === 1)
      ? true
      : null;
  };
  const equalRoot = async (): Promise<string | null> => {
    const [ofA, ofB, shown] = await Promise.all([a.status(), b.status(), b.get(KEY)]);
    return shown?.value === value && ofA.merkle_root === ofB.merkle_root ? ofA.merkle_root : null;
  };

  try {
    if ((await poll(patiently(bothP2p), patience)) === null)
      return { ok: false, reason: 'no P2P on both sides' };
    if ((await a.put(KEY, value)).outcome !== 'ok') return { ok: false, reason: 'the write was refused' };
    const root = await poll(patiently(equalRoot), patience);
    return root === null ? { ok: false, reason: 'no equal root with the write' } : { ok: true, root };
  } finally {
    a.close();
    b.close();
  }
}

/** No answer now may be one at the next look. */
function patiently<T>(ask: () => Promise<T | null>): () => Promise<T | null> {
  return async () => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof NodeUnreachableError) return null;
      throw error;
    }
  };
}
