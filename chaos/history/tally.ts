/** How many writes came to what, an acknowledged batch as many as its entries; and how many faults have struck. */
import type { HistoryLine } from './line.ts';

export class Tally {
  readonly #writing = new Map<number, number>();
  readonly #struck = new Set<number>();
  readonly counts = { ok: 0, fail: 0, info: 0 };

  get strikes(): number {
    return this.#struck.size;
  }

  take(line: HistoryLine): void {
    if (line.type === 'fault') this.#struck.add(line.id);
    if (line.type === 'invoke' && line.f === 'write') this.#writing.set(line.op, 1);
    if (line.type === 'invoke' && line.f === 'batch') this.#writing.set(line.op, line.entries.length);
    if (line.type !== 'ok' && line.type !== 'fail' && line.type !== 'info') return;
    this.counts[line.type] += this.#writing.get(line.op) ?? 0;
    this.#writing.delete(line.op);
  }
}
