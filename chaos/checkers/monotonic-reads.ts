/**
 * What a node has shown it does not take back. Registers count upwards, each written by one client at one node: no node may
 * show a smaller value than it has shown before, nor its own node one below what it has acknowledged.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { Writes } from './operations.ts';

export const monotonicReads: Checker = {
  name: 'monotonic-reads',
  claim: 'no node takes back what it has shown or acknowledged',
  begin: () => new MonotonicReads(),
};

export const REGISTER_PREFIX = 'register/';
/** Fewer reads that could have gone back prove little. */
const READS_MIN = 20;

class MonotonicReads implements Judge {
  readonly #writes = new Writes();
  /** by node and key: what a read that begins now must show at least */
  readonly #floors = new Map<string, number>();
  /** by operation: what it had to show when it began */
  readonly #reads = new Map<number, { readonly key: string; readonly floor: number }>();
  readonly #violations: Violation[] = [];
  #judged = 0;
  #shown = 0;

  take(line: HistoryLine): void {
    for (const { key, node, value, outcome } of this.#writes.take(line))
      if (outcome === 'ok' && key.startsWith(REGISTER_PREFIX)) this.#raise(node, key, Number(value));
    if (line.type === 'invoke' && line.f === 'read' && line.key.startsWith(REGISTER_PREFIX))
      this.#reads.set(line.op, { key: line.key, floor: this.#floorOf(line.node, line.key) });
    if (line.type === 'ok' && line.f === 'read') this.#ended(line);
    if (line.type === 'fail' || line.type === 'info') this.#reads.delete(line.op);
  }

  verdict(): Finding {
    if (this.#judged < READS_MIN)
      return unknown(`only ${this.#judged} reads of a value that could be taken back`);
    return judged(this.#violations, `${this.#judged} reads, values up to ${this.#shown}`);
  }

  #ended({ op, node, at, found }: Extract<LineOf<'ok'>, { readonly f: 'read' }>): void {
    const read = this.#reads.get(op);
    this.#reads.delete(op);
    if (read === undefined) return;
    const value = found === null ? 0 : Number(found.value);
    const { key, floor } = read;
    if (floor > 0) this.#judged += 1;
    if (!(value >= floor))
      this.#violations.push({ text: `${node} shows ${key} = ${value} after ${floor}`, at, node });
    this.#raise(node, key, value);
  }

  #raise(node: string, key: string, value: number): void {
    if (!(value > this.#floorOf(node, key))) return;
    this.#floors.set(`${node} ${key}`, value);
    this.#shown = Math.max(this.#shown, value);
  }

  #floorOf(node: string, key: string): number {
    return this.#floors.get(`${node} ${key}`) ?? 0;
  }
}
