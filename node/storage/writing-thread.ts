/**
 * The thread that signs and writes, as the store sees it: batches go over whole and come back durable. So a write takes of the node's
 * own thread what it takes to copy its record there, and neither a signature nor a B-tree nor a flush; and it is one way there and
 * back for a group, where signing and writing apart are two.
 */
import { BatchThread } from '../batch-thread.ts';
import type { KeptBatch, Logger, StoreBatch } from '../ports.ts';
import type { WritingWorkerData } from './writing-worker.ts';
import { readAnswer, writeBatch } from './writing-message.ts';
import type { StorageFailedError } from './errors.ts';

/** Beside the sources, and beside the bundle. */
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts') ? './writing-worker.ts' : './writing-worker.mjs',
  import.meta.url,
);

export interface WritingThreadModules {
  readonly logger: Logger;
  /** what the thread runs; default writing-worker */
  readonly program?: URL;
}

/** `died`: nobody knows whether it is durable. */
export type Outcome = StorageFailedError | 'died' | null;

export class WritingThread {
  readonly #thread: BatchThread;
  #failures = 0;

  constructor({ logger, program = PROGRAM }: WritingThreadModules, workerData: WritingWorkerData) {
    const lament = 'the writing thread died, records are signed and written in place';
    this.#thread = new BatchThread({ logger, program }, { workerData, lament });
  }

  get isUp(): boolean {
    return this.#thread.isUp;
  }

  /** Batches that it has. */
  get away(): number {
    return this.#thread.away;
  }

  /** Once; later calls do nothing. */
  wake(): void {
    this.#thread.wake();
  }

  /** Only while it is up. Outcomes come in the order of the calls. */
  write(batch: KeptBatch | StoreBatch, told: (outcome: Outcome) => void): void {
    const memory = writeBatch(batch, this.#failures, (bytes) => this.#thread.memoryOf(bytes));
    this.#thread.send(memory, (answer) => {
      if (answer === null) return told('died');
      const failure = readAnswer(answer, batch);
      if (failure !== null) this.#failures += 1;
      told(failure);
    });
  }

  /** Resolves when it has done what it was given and let go of the store. */
  end(): Promise<void> {
    return this.#thread.end();
  }
}
