/**
 * Planted bugs, one line each. A simulator that passes everything proves nothing: each of these must make a seed fail, or its checks
 * have a blind spot. The source is never changed: `plant.ts` replaces the text as the module is loaded.
 *
 * `find` must be there exactly once, so that a mutant whose code has moved on fails the test instead of passing for caught.
 */
import type { Edit } from '../../chaos/canaries/edit.ts';

export interface Mutant extends Edit {
  readonly name: string;
  /** seeds from 1 within which it must be caught: about three times as many as it took when it was planted, ten at least */
  readonly seedsMax: number;
  /** the promise whose check sees it; several where it depends on the seed which one is first */
  readonly broken: readonly Promised[];
}

type Promised = 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P8';

/** Tells `plant.ts` which one. */
export const MUTANT_VARIABLE = 'AETHEL_MUTANT';

const CORE = 'node/protocol/core.ts';
const ACKS = 'node/protocol/gossip/acks.ts';
const MODE = 'node/protocol/mode/mode.ts';
const CLOCK = 'node/protocol/state/clock.ts';
const DETECTOR = 'node/protocol/monitor/detector.ts';
const MERGE = 'node/protocol/state/merge.ts';
const MERKLE = 'node/protocol/state/merkle.ts';
const REPLICA = 'node/protocol/state/replica.ts';
const VECTOR = 'node/protocol/state/version-vector.ts';

const PERSIST = "return [{ type: 'persist', ...changes, knowledge: this.#knowledge }, ...effects];";
const BEFORE_DISK = (type: string): string =>
  `const isEarly = (effect) => effect.type === '${type}'; ` +
  `return [...effects.filter(isEarly), { type: 'persist', ...changes, knowledge: this.#knowledge }, ...effects.filter((effect) => !isEarly(effect))];`;

// oxfmt-ignore
export const MUTANTS: readonly Mutant[] = [
  { name: 'acknowledges what it then drops', file: CORE, find: 'return this.#reply(request, { ok: true, written, acks: 1 });', replace: "for (const { id } of result.records) if (id.startsWith('0')) this.replica.drop(id); return this.#reply(request, { ok: true, written, acks: 1 });", seedsMax: 10, broken: ['P1'] },
  { name: 'acknowledges before the disk', file: CORE, find: PERSIST, replace: BEFORE_DISK('reply'), seedsMax: 10, broken: ['P1'] },
  { name: 'tells members that it has on disk what it has not', file: CORE, find: PERSIST, replace: BEFORE_DISK('answer'), seedsMax: 10, broken: ['P1'] },
  { name: 'keeps one record in sixteen in memory only', file: REPLICA, find: 'this.#put.set(stored.slot, stored);', replace: 'if (record.dot.sequence % 16 !== 0) this.#put.set(stored.slot, stored);', seedsMax: 10, broken: ['P1'] },
  { name: 'leaves on disk what was replaced', file: REPLICA, find: 'if (!this.#put.delete(slot)) this.#removed.add(slot);', replace: 'this.#put.delete(slot);', seedsMax: 10, broken: ['P8'] },
  { name: 'uses sequences again after a restore', file: REPLICA, find: 'return Math.max(last, wallMs * 1_000);', replace: 'return wallMs < 0 ? 0 : last;', seedsMax: 20, broken: ['P1'] },
  { name: 'prefers its own of two concurrent writes', file: MERGE, find: 'if (live.some((record) => isCovered(incoming, record))) return', replace: 'if (live.length > 0 && !live.some((record) => isCovered(record, incoming))) return', seedsMax: 10, broken: ['P1', 'P2'] },
  { name: 'lets the last writer win', file: MERGE, find: 'const removed = live.filter((record) => isCovered(record, incoming));', replace: "if (live.some((record) => compareRecords(record, incoming) > 0)) return { outcome: 'covered', live, removed: [] }; const removed = live;", seedsMax: 10, broken: ['P1', 'P5'] },
  { name: 'swallows siblings', file: REPLICA, find: 'for (const gone of removed) this.#forget(gone.id);', replace: 'for (const gone of removed) this.#forget(gone.id); for (const gone of this.#live(record.key).slice(1)) this.#forget(gone.id);', seedsMax: 10, broken: ['P1', 'P5'] },
  { name: 'keeps what was replaced as a sibling', file: MERGE, find: 'entry.sequence >= sequence;', replace: 'entry.sequence > sequence;', seedsMax: 10, broken: ['P5'] },
  { name: 'brings back what was replaced', file: REPLICA, find: "if (this.#vector.has(record.dot) && !this.#isTaken(record.dot)) return 'covered';", replace: '', seedsMax: 60, broken: ['P5'] },
  { name: 'never drops what others have replaced', file: CORE, find: 'if (this.#absences.confirm(record, start.peer, members, this.#now.monotonicMs)) this.replica.drop(id);', replace: '', seedsMax: 10, broken: ['P2'] },
  { name: 'hashes a bucket in the order of arrival', file: MERKLE, find: 'if (order > 0) break;', replace: '', seedsMax: 10, broken: ['P8'] },
  { name: 'takes the holes in a vector for seen', file: VECTOR, find: 'if (from === (ranges[last] ?? 0) + 1) {', replace: 'if (from > (ranges[last] ?? 0)) {', seedsMax: 10, broken: ['P1', 'P2', 'P5', 'P8'] },
  { name: 'never pushes in a session', file: CORE, find: "this.#effects.push({ type: 'ask', peer, lung, exchange, message });", replace: "this.#effects.push({ type: 'ask', peer, lung, exchange, message: purpose.kind === 'session' && 'records' in message ? { ...message, records: [] } : message });", seedsMax: 10, broken: ['P2'] },
  { name: 'loads without symbols', file: REPLICA, find: 'this.#sketch.addShort(short);', replace: '', seedsMax: 10, broken: ['P2', 'P8'] },
  { name: 'never returns to P2P', file: MODE, find: 'now - (state.p2pSince ?? now) < returnAfter(state.flaps, options)', replace: 'options.returnAfterMs > 0', seedsMax: 10, broken: ['P3'] },
  { name: 'says P2P because the lung is up', file: CORE, find: "const p2pReached = this.#detector.reached('p2p');", replace: 'const p2pReached = this.#lungUp.p2p ? 1 : 0;', seedsMax: 10, broken: ['P3'] },
  { name: 'says P2P because a link is open', file: CORE, find: "const p2pReached = this.#detector.reached('p2p');", replace: 'const p2pReached = [...this.#peers.values()].filter(({ linked }) => linked.p2p).length;', seedsMax: 15, broken: ['P3'] },
  { name: 'takes an open link for a word', file: CORE, find: 'peer.linkedAt = this.#now.monotonicMs;', replace: 'peer.linkedAt = this.#now.monotonicMs; this.#evidence(id, lung, null);', seedsMax: 15, broken: ['P3'] },
  { name: 'answers with one acknowledgement too few', file: ACKS, find: 'if (waiting.have.size < waiting.need) continue;', replace: 'if (waiting.have.size + 1 < waiting.need) continue;', seedsMax: 10, broken: ['P1'] },
  { name: 'counts a member that refused', file: CORE, find: "if (message.type === 'transferred' && message.refused === 0) this.#acknowledged(peer);", replace: "if (message.type === 'transferred') this.#acknowledged(peer);", seedsMax: 400, broken: ['P1'] },
  { name: 'collects tombstones that some member lacks', file: CORE, find: 'of this.#members.graced())', replace: 'of [...this.#members.graced()].slice(0, 0))', seedsMax: 20, broken: ['P5'] },
  { name: 'forgets at a start whom it met', file: CORE, find: 'this.#members.load(knowledge?.members ?? []);', replace: '', seedsMax: 10, broken: ['P1'] },
  { name: 'takes stamps from any future', file: CLOCK, find: 'return stamp.wallMs > wallMs + aheadMaxMs;', replace: 'return stamp.wallMs > wallMs + aheadMaxMs * 1e9;', seedsMax: 75, broken: ['P5'] },
  { name: 'writes with a bad clock', file: CORE, find: 'if (!clock.isSane) return', replace: 'if (!clock.isSane && need < 0) return', seedsMax: 120, broken: ['P5'] },
  { name: 'merges nothing that a session brings', file: CORE, find: "const { refused } = this.#merge(recordsOf(message), 'sync', id, lung);", replace: "const { refused } = this.#merge(purpose.kind === 'session' ? [] : recordsOf(message), 'sync', id, lung);", seedsMax: 10, broken: ['P2', 'P4'] },
  { name: 'forgets its vector at a start', file: REPLICA, find: 'if (vector !== null) this.#vector.join(vector);', replace: '', seedsMax: 20, broken: ['P5', 'P8'] },
  { name: 'accuses others after its own stall', file: DETECTOR, find: 'Math.min(Math.max(0, now - this.#lastNow), stepMs);', replace: 'Math.max(0, now - this.#lastNow);', seedsMax: 10, broken: ['P3'] },
  { name: 'leaves what was replaced in its symbols', file: REPLICA, find: 'this.#sketch.remove(id);', replace: '', seedsMax: 10, broken: ['P2', 'P8'] },
  { name: 'stamps by the wall clock alone', file: CLOCK, find: 'if (wallMs > last.wallMs) return { wallMs, counter: 0 };', replace: 'if (wallMs !== last.wallMs) return { wallMs, counter: 0 };', seedsMax: 20, broken: ['P1', 'P5'] },
];

export function mutantNamed(name: string): Mutant | null {
  return MUTANTS.find((mutant) => mutant.name === name) ?? null;
}
