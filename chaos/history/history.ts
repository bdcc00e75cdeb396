/**
 * What happened in a run, in order, as JSON lines: the only thing that checkers may look at. Times are milliseconds since
 * the run began, on the lab's own clock.
 */
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { once } from 'node:events';
import type { SyncMode } from '../../node/protocol/events.ts';

export type HistoryLine =
  | {
      readonly type: 'invoke';
      readonly at: number;
      readonly op: number;
      readonly node: string;
      readonly key: string;
      readonly value: string;
    }
  /** the write was acknowledged */
  | {
      readonly type: 'ok';
      readonly at: number;
      readonly op: number;
      readonly node: string;
      readonly key: string;
    }
  /** the write was certainly not done */
  | {
      readonly type: 'fail';
      readonly at: number;
      readonly op: number;
      readonly node: string;
      readonly key: string;
      readonly reason: string;
    }
  /** nobody knows whether the write was done */
  | {
      readonly type: 'info';
      readonly at: number;
      readonly op: number;
      readonly node: string;
      readonly key: string;
      readonly reason: string;
    }
  /** the key was readable on this node for the first time */
  | { readonly type: 'seen'; readonly at: number; readonly node: string; readonly key: string }
  /** a change in what a node says of itself; up: peers that it counts as alive, or suspects and still waits for */
  | {
      readonly type: 'status';
      readonly at: number;
      readonly node: string;
      readonly mode: SyncMode;
      readonly p2pUp: number;
      readonly httpUp: number;
    }
  | { readonly type: 'unreachable'; readonly at: number; readonly node: string; readonly reason: string }
  /** the first digits of the node's Merkle root, whenever it has changed */
  | { readonly type: 'root'; readonly at: number; readonly node: string; readonly root: string }
  /** what must happen did not within its hard limit: the scenario ended here */
  | {
      readonly type: 'limit';
      readonly at: number;
      readonly what: string;
      readonly limitMs: number;
      readonly seen: string;
    }
  | {
      readonly type: 'mark';
      readonly at: number;
      readonly mark: Mark;
      readonly node: string;
      readonly key?: string;
    }
  /** all that this node has at the end */
  | {
      readonly type: 'final';
      readonly at: number;
      readonly node: string;
      readonly root: string;
      readonly entries: Readonly<Record<string, unknown>>;
    };

/**
 * steady: everything as it should be · cut / lifted: the P2P cut of this node begins / ends · killed / restarted · fresh:
 * a write (key) acknowledged after the heal, which the final state must contain
 */
type Mark = 'steady' | 'cut' | 'lifted' | 'killed' | 'restarted' | 'fresh';

/** A line without its time, distributed over the union. */
export type Happening = HistoryLine extends infer Line
  ? Line extends HistoryLine
    ? Omit<Line, 'at'>
    : never
  : never;

export class History {
  readonly lines: HistoryLine[] = [];
  readonly #file: WriteStream | null;
  readonly #startedMonotonic = performance.now();
  readonly #startedEpoch = Date.now();

  /** @param file null: kept in memory only */
  constructor(file: string | null) {
    this.#file = file === null ? null : createWriteStream(file, { flags: 'wx' });
  }

  now(): number {
    return Math.round((performance.now() - this.#startedMonotonic) * 10) / 10;
  }

  /** @param epochMs a time of the machine's clock, as a fault reports it */
  timeOf(epochMs: number): number {
    return epochMs - this.#startedEpoch;
  }

  /** @returns the time it was noted under */
  add(happening: Happening, at: number = this.now()): number {
    const line = { at, ...happening } as HistoryLine;
    this.lines.push(line);
    this.#file?.write(`${JSON.stringify(line)}\n`);
    return at;
  }

  async close(): Promise<void> {
    if (this.#file === null || this.#file.closed) return;
    this.#file.end();
    await once(this.#file, 'close');
  }
}
