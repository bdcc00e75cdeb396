/**
 * A thread to which batches are handed over, and that hands them back in their order. It starts when it is first needed, which nobody
 * waits for: until it is up, and after it has died, whoever has work does it in place.
 */
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import type { Logger } from './ports.ts';

/** Memory that is kept for the next batch; larger pieces, which large batches need, are not. */
const KEPT_BYTES = 65_536;
/** Pieces of it that are kept: half a MiB. */
const KEPT_MAX = 8;

export interface BatchThreadModules {
  readonly logger: Logger;
  /** what the thread runs */
  readonly program: URL;
}

export interface BatchThreadOptions {
  /** what the program is told when it starts */
  readonly workerData: unknown;
  /** what the log says when it dies */
  readonly lament: string;
  /** whether the process lives on until it has done what it was given */
  readonly mustFinish: boolean;
  /** of objects that live for long; null: as many as fit into memory */
  readonly heapMb: number | null;
}

export class BatchThread {
  readonly #modules: BatchThreadModules;
  readonly #options: BatchThreadOptions;
  #thread: Worker | null = null;
  #state: 'asleep' | 'starting' | 'up' | 'ending' | 'dead' = 'asleep';
  /** who waits for the batches on their way, oldest first */
  #away: ((memory: ArrayBuffer | null) => void)[] = [];
  readonly #memory: ArrayBuffer[] = [];

  constructor(modules: BatchThreadModules, options: BatchThreadOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Batches that it has. */
  get away(): number {
    return this.#away.length;
  }

  /** Once; later calls do nothing. */
  wake(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'starting';
    const { workerData, heapMb } = this.#options;
    const thread = new Worker(this.#modules.program, {
      workerData,
      execArgv: [],
      env: {},
      resourceLimits: {
        maxYoungGenerationSizeMb: 8,
        ...(heapMb === null ? {} : { maxOldGenerationSizeMb: heapMb }),
      },
    });
    this.#thread = thread;
    thread.on('message', (memories: readonly ArrayBuffer[] | null) => {
      if (memories !== null) for (const memory of memories) this.#back(memory);
      else if (this.#state === 'starting') this.#state = 'up';
    });
    thread.once('error', (error) => this.#died(error.message));
    thread.once('exit', (code) => this.#died(`it ended with ${code}`));
    // The process need not live for a thread that has nothing to do.
    thread.unref();
  }

  /** For the next batch. @returns at least so many bytes, not cleared */
  memoryOf(bytes: number): ArrayBuffer {
    if (bytes > KEPT_BYTES) return new ArrayBuffer(bytes);
    return this.#memory.pop() ?? new ArrayBuffer(KEPT_BYTES);
  }

  /**
   * Only while it is up.
   *
   * @param memory is the thread's from now on
   * @param back gets it back to read it at once; null when the thread died with it
   */
  send(memory: ArrayBuffer, back: (memory: ArrayBuffer | null) => void): void {
    assert(this.#thread !== null && this.isUp, 'batches are sent to a thread that is up');
    if (this.#away.push(back) === 1 && this.#options.mustFinish) this.#thread.ref();
    this.#thread.postMessage(memory, [memory]);
  }

  /** Tells it to end after what it has, by a null, which its program must understand. Resolves when it is gone. */
  async end(): Promise<void> {
    const thread = this.#thread;
    if (thread === null || this.#state === 'dead') return;
    const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    this.#state = 'ending';
    thread.ref();
    thread.postMessage(null);
    await gone;
  }

  #back(memory: ArrayBuffer): void {
    const back = this.#away.shift();
    if (this.#away.length === 0 && this.#state !== 'ending') this.#thread?.unref();
    back?.(memory);
    if (memory.byteLength === KEPT_BYTES && this.#memory.length < KEPT_MAX) this.#memory.push(memory);
  }

  #died(why: string): void {
    if (this.#state === 'dead') return;
    if (this.#state !== 'ending') this.#modules.logger.warn(this.#options.lament, { reason: why });
    this.#state = 'dead';
    this.#thread = null;
    const away = this.#away;
    this.#away = [];
    for (const back of away) back(null);
  }
}
