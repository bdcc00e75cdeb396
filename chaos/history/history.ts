/**
 * The history of a run while it is written: every line goes to the file and to whoever listens, and is then forgotten; a
 * run of hours needs no more memory than one of seconds.
 */
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { once } from 'node:events';
import { MACHINE_TIME } from '../cluster/time.ts';
import type { Time } from '../cluster/time.ts';
import type { HistoryLine } from './line.ts';

/** A line without its time, distributed over the union. */
export type Happening = HistoryLine extends infer Line
  ? Line extends HistoryLine
    ? Omit<Line, 'at'>
    : never
  : never;

export class History {
  readonly #file: WriteStream | null;
  #time: Time = MACHINE_TIME;
  readonly #listeners: ((line: HistoryLine) => void)[] = [];
  #startedMonotonic = MACHINE_TIME.now();
  #startedEpoch = MACHINE_TIME.epochMs();
  #ops = 0;

  /** @param file null: only those who listen hear of it */
  constructor(file: string | null) {
    this.#file = file === null ? null : createWriteStream(file, { flags: 'wx' });
  }

  /** Begins anew by another time: before the first line. */
  goBy(time: Time): void {
    this.#time = time;
    this.#startedMonotonic = time.now();
    this.#startedEpoch = time.epochMs();
  }

  now(): number {
    return tenths(this.#time.now() - this.#startedMonotonic);
  }

  /** @param epochMs a time of the machine's clock, as a fault reports it */
  timeOf(epochMs: number): number {
    return epochMs - this.#startedEpoch;
  }

  /** A number for an operation, given once. */
  nextOp(): number {
    this.#ops += 1;
    return this.#ops;
  }

  /** From now on, every line as it is noted. */
  listen(listener: (line: HistoryLine) => void): void {
    this.#listeners.push(listener);
  }

  /** @returns the time it was noted under */
  add(happening: Happening, at: number = this.now()): number {
    const { type, ...rest } = happening;
    const line = { type, at: tenths(at), ...rest } as HistoryLine;
    for (const listener of this.#listeners) listener(line);
    this.#file?.write(`${JSON.stringify(line)}\n`);
    return line.at;
  }

  async close(): Promise<void> {
    if (this.#file === null || this.#file.closed) return;
    this.#file.end();
    await once(this.#file, 'close');
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
