/**
 * Sabotaged nodes. A lab that passes everything proves nothing: each of these must make the scenario that is named fail, by a
 * checker that is named, or the lab has a blind spot there.
 */
import type { Edit } from './edit.ts';

export interface Canary {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** the scenario that must fail */
  readonly scenario: string;
  /** the checkers, by name, of which one at least must say so */
  readonly caughtBy: readonly string[];
}

/** Tells node.ts which one. */
export const CANARY_VARIABLE = 'AETHEL_CANARY';

const CORE = 'node/protocol/core.ts';
const MERGE = 'node/protocol/state/merge.ts';
const MODE = 'node/protocol/mode/mode.ts';
const REPLICA = 'node/protocol/state/replica.ts';
const STORE = 'node/storage/lmdb-storage.ts';

// oxfmt-ignore
export const CANARIES: readonly Canary[] = [
  {
    name: 'never falls back to HTTP',
    edits: [{ file: MODE, find: "return p2pReached > 0 ? 'P2P' : httpReached > 0 ? 'HTTP' : 'NONE';", replace: "return p2pReached > 0 ? 'P2P' : 'NONE';" }],
    scenario: 'p2p-cut',
    caughtBy: ['limits', 'mode-honesty'],
  },
  {
    name: 'says HTTP and carries nothing over it',
    edits: [{ file: CORE, find: "return peer.linked.http && this.#state(peer.id, 'http') !== 'dead';", replace: 'return false;' }],
    scenario: 'p2p-cut',
    caughtBy: ['limits', 'carried'],
  },
  {
    name: 'says P2P because its socket is open',
    edits: [{ file: CORE, find: "const p2pReached = this.#detector.reached('p2p');", replace: 'const p2pReached = this.#lungUp.p2p ? 1 : 0;' }],
    scenario: 'p2p-cut',
    caughtBy: ['limits', 'mode-honesty'],
  },
  {
    name: 'never returns to P2P',
    edits: [
      { file: MODE, find: "const carriedSince = mode === 'P2P' ? (state.carriedSince ?? now) : null;", replace: "const carriedSince = mode === 'P2P' ? (state.carriedSince ?? now) : state.carriedSince;" },
      { file: MODE, find: 'now - (state.p2pSince ?? now) < returnAfter(state.flaps, options)', replace: 'state.carriedSince !== null' },
    ],
    scenario: 'p2p-cut',
    caughtBy: ['limits', 'mode-honesty'],
  },
  {
    name: 'drops one acknowledged write in sixteen',
    edits: [{ file: CORE, find: 'return this.#reply(request, { ok: true, written, acks: 1 });', replace: "for (const { id } of result.records) if (id.startsWith('0')) this.replica.drop(id); return this.#reply(request, { ok: true, written, acks: 1 });" }],
    scenario: 'node-kill',
    caughtBy: ['lost-writes', 'limits'],
  },
  {
    name: 'acknowledges before the disk has it',
    edits: [{ file: STORE, find: 'if (batch.drafts.length >= AWAY_MIN) this.wake();\n    return this.#enqueue(batch);', replace: 'const signed = this.#asBatch(batch);\n    setTimeout(() => void this.#enqueue(signed).catch(() => undefined), 2_000);\n    return Promise.resolve();' }],
    scenario: 'kill-alone',
    caughtBy: ['lost-writes', 'monotonic-reads'],
  },
  {
    name: 'loses its newest records when it starts again',
    edits: [{ file: STORE, find: 'for (const { key: slot, value } of this.#db.getRange({ start: 0 })) {', replace: 'for (const { key: slot, value } of Array.from(this.#db.getRange({ start: 0 }), (entry) => ({ key: entry.key, value: Buffer.from(entry.value) })).slice(0, -3)) {' }],
    scenario: 'kill-alone',
    caughtBy: ['lost-writes', 'monotonic-reads'],
  },
  {
    name: 'lies about its root',
    edits: [{ file: 'node/http/state-routes.ts', find: 'merkle_root: state.root,\n      state_size: state.size,\n      count:', replace: "merkle_root: `${state.root.slice(0, -2)}00`,\n      state_size: state.size,\n      count:" }],
    scenario: 'node-kill',
    caughtBy: ['honest-root'],
  },
  {
    name: 'swallows siblings',
    edits: [{ file: REPLICA, find: 'for (const gone of removed) this.#forget(gone.id);', replace: 'for (const gone of removed) this.#forget(gone.id); for (const gone of this.#live(record.key).slice(1)) this.#forget(gone.id);' }],
    scenario: 'halves',
    caughtBy: ['conflicts-surfaced', 'limits'],
  },
  {
    name: 'lets the last writer win',
    edits: [{ file: MERGE, find: 'const removed = live.filter((record) => isCovered(record, incoming));', replace: "if (live.some((record) => compareRecords(record, incoming) > 0)) return { outcome: 'covered', live, removed: [] }; const removed = live;" }],
    scenario: 'halves',
    caughtBy: ['conflicts-surfaced', 'limits'],
  },
  {
    name: 'prefers its own of two concurrent writes',
    edits: [{ file: MERGE, find: 'if (live.some((record) => isCovered(incoming, record))) return', replace: 'if (live.length > 0 && !live.some((record) => isCovered(record, incoming))) return' }],
    scenario: 'halves',
    caughtBy: ['convergence', 'lost-writes', 'conflicts-surfaced'],
  },
  {
    name: 'merges nothing that a session brings',
    edits: [
      { file: CORE, find: "const { refused } = this.#merge(recordsOf(message), 'sync', id, lung);", replace: "const { refused } = this.#merge(purpose.kind === 'session' ? [] : recordsOf(message), 'sync', id, lung);" },
      { file: CORE, find: "const offered = this.#merge(recordsOf(message), isPush(message) ? 'push' : 'sync', id, lung);", replace: "const offered = this.#merge(isPush(message) ? recordsOf(message) : [], 'push', id, lung);" },
    ],
    scenario: 'halves',
    caughtBy: ['limits', 'convergence', 'lost-writes'],
  },
  {
    name: 'refuses writes while it is alone',
    edits: [{ file: CORE, find: 'if (need <= 1) return null;\n', replace: "if (need <= 1) return this.#mode.mode === 'NONE' && this.#lastSwitch !== null ? { ok: false, reason: 'members', reachable: 1, need: 2 } : null;\n" }],
    scenario: 'both-cut',
    caughtBy: ['availability', 'limits'],
  },
  {
    name: 'accepts who is no member',
    edits: [{ file: 'node/lungs/http/routes.ts', find: 'return key === undefined ? null : { ...facts, key };', replace: 'return { ...facts, key: (key ?? keys[0])! };' }],
    scenario: 'intruder',
    caughtBy: ['members-only'],
  },
];

export function canaryNamed(name: string): Canary | null {
  return CANARIES.find((canary) => canary.name === name) ?? null;
}
