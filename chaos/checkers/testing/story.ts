/** Made-up histories for the tests of the checkers, told step by step: as they should be, and then spoiled. */
import { hash } from 'node:crypto';
import type { RecordId } from '../../../node/protocol/ids.ts';
import { MerkleTrie, pathOf } from '../../../node/protocol/state/merkle.ts';
import type { SyncMode } from '../../../node/protocol/events.ts';
import type { FaultSpec } from '../../faults/spec.ts';
import type { HistoryLine, LineOf } from '../../history/line.ts';
import { versionOf } from '../operations.ts';

export const NODES = ['a', 'b', 'c'];
const ANSWER_MS = 5;

interface Live {
  readonly version: string;
  readonly value: unknown;
}

export class Story {
  readonly lines: HistoryLine[] = [];
  /** by key, the winner first: what every node has in the end */
  readonly state = new Map<string, readonly Live[]>();
  #op = 0;
  #faults = 0;

  /** An acknowledged write that replaces these records, the winner first. @returns its version */
  write(node: string, at: number, key: string, value: unknown, replaces?: readonly string[]): string {
    this.#op += 1;
    const [op, version] = [this.#op, hash('sha256', `${key} ${this.#op}`, 'hex')];
    const asked = { type: 'invoke', f: 'write', at, op, node, key, value } as const;
    const knew = replaces === undefined ? [] : [versionOf(replaces), ...replaces.slice(1)];
    this.lines.push(replaces === undefined ? asked : { ...asked, knew });
    this.lines.push({ type: 'ok', f: 'write', at: at + ANSWER_MS, op, node, version });
    const kept = (this.state.get(key) ?? []).filter((live) => !(replaces ?? []).includes(live.version));
    this.state.set(key, [{ version, value }, ...kept]);
    return version;
  }

  /** A write that was not acknowledged, and is nowhere. */
  unwritten(outcome: 'fail' | 'info', node: string, at: number, key: string, value: unknown): void {
    this.#op += 1;
    this.lines.push({ type: 'invoke', f: 'write', at, op: this.#op, node, key, value });
    this.lines.push({ type: outcome, at: at + ANSWER_MS, op: this.#op, node, reason: 'so it is told' });
  }

  /** A read with what it found; null: no such key. */
  read(node: string, at: number, key: string, value: unknown, tookMs = ANSWER_MS): void {
    this.#op += 1;
    const found = value === null ? null : { value, version: 'v', conflict: false, siblings: [] };
    this.lines.push({ type: 'invoke', f: 'read', at, op: this.#op, node, key });
    this.lines.push({ type: 'ok', f: 'read', at: at + tookMs, op: this.#op, node, found });
  }

  unanswered(node: string, at: number, key: string): void {
    this.#op += 1;
    this.lines.push({ type: 'invoke', f: 'read', at, op: this.#op, node, key });
    this.lines.push({ type: 'fail', at: at + ANSWER_MS, op: this.#op, node, reason: 'no answer' });
  }

  balances(node: string, at: number, balances: Record<string, number>): void {
    this.#op += 1;
    this.lines.push({ type: 'invoke', f: 'balances', at, op: this.#op, node });
    this.lines.push({ type: 'ok', f: 'balances', at, op: this.#op, node, transfers: 1, balances });
  }

  seen(node: string, at: number, key: string): void {
    this.lines.push({ type: 'seen', at, node, key });
  }

  status(node: string, at: number, mode: SyncMode, p2pUp: number, httpUp: number): void {
    this.lines.push({ type: 'status', at, node, mode, forced: null, p2pUp, httpUp });
  }

  mark(mark: LineOf<'mark'>['mark'], at: number, key?: string): void {
    this.lines.push({ type: 'mark', at, mark, node: '', ...(key === undefined ? {} : { key }) });
  }

  fault(spec: FaultSpec, at: number, liftedAt: number, nodes: readonly string[] = []): void {
    const id = this.#faults++;
    const phase = (phaseOf: LineOf<'fault'>['phase'], time: number): void =>
      void this.lines.push({ type: 'fault', at: time, id, phase: phaseOf, spec, nodes });
    phase('begun', at);
    phase('complete', at + 50);
    phase('lifted', liftedAt);
    phase('gone', liftedAt + 50);
  }

  /** Every node shows the state, but for what `spoil` makes of one of them. */
  finish(
    at: number,
    spoil: { readonly node: string; readonly state: Map<string, readonly Live[]> } | null = null,
  ): void {
    for (const node of NODES) {
      const state = spoil?.node === node ? spoil.state : this.state;
      const trie = new MerkleTrie();
      const entries = [...state].map(([key, [winner, ...siblings]]) => {
        const { version, value } = winner ?? { version: '', value: null };
        trie.set(pathOf(key), [version, ...siblings.map((one) => one.version)] as RecordId[]);
        const ids = [version, ...siblings.map((one) => one.version)];
        return { key, value, version: versionOf(ids), id: version, conflict: siblings.length > 0, siblings };
      });
      this.lines.push({ type: 'entries', at, node, entries });
      this.lines.push({ type: 'final', at, node, root: trie.root(), size: trie.size });
    }
  }

  /** The lines, one type of them changed or left out. */
  changed<T extends HistoryLine['type']>(
    type: T,
    change: (line: LineOf<T>) => HistoryLine | null,
  ): readonly HistoryLine[] {
    return this.lines.flatMap((line) => (line.type === type ? (change(line as LineOf<T>) ?? []) : line));
  }

  inOrder(): readonly HistoryLine[] {
    return this.lines.toSorted((a, b) => a.at - b.at);
  }
}
