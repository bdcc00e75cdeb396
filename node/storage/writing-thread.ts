/**
 * The thread that signs and writes, as the store sees it: batches go over whole and come back durable. So a write takes of the node's
 * own thread what it takes to copy its record there, and neither a signature nor a B-tree nor a flush.
 *
 * Drafts go ahead of their batch, in chunks, as soon as there are any: they are signed while the batch before theirs is on its way
 * back, so that what a batch waits for is its flush.
 */
import { BatchThread } from '../batch-thread.ts';
import type { KeptBatch, Logger, StoreBatch } from '../ports.ts';
import type { StoredRecord } from '../protocol/state/write.ts';
import type { StorageFailedError } from './errors.ts';
import { takeOut } from './take-out.ts';
import { readAnswer, takeSignatures, writeBatch, writeChunk } from './writing-message.ts';
import type { WritingWorkerData } from './writing-worker.ts';

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

interface Chunk {
  readonly number: number;
  readonly drafts: readonly StoredRecord[];
}

export class WritingThread {
  readonly #thread: BatchThread;
  /** chunks that no batch has taken, oldest first: some four */
  readonly #chunks: Chunk[] = [];
  #lastChunk = 0;
  /** counts failures that are known; the thread refuses what was sent before */
  #epoch = 0;

  constructor({ logger, program = PROGRAM }: WritingThreadModules, workerData: WritingWorkerData) {
    const lament = 'the writing thread died, records are signed and written in place';
    this.#thread = new BatchThread(
      { logger, program },
      { workerData, lament, mustFinish: true, heapMb: null },
    );
  }

  get isUp(): boolean {
    return this.#thread.isUp;
  }

  /** Once; later calls do nothing. */
  wake(): void {
    this.#thread.wake();
  }

  /** Only while it is up. @param drafts at least one, of a batch to come, which has them one after the other */
  prepare(drafts: readonly StoredRecord[]): void {
    if (drafts.length > 0) this.#chunks.push(this.#sendChunk(drafts));
  }

  /** Only while it is up. Outcomes come in the order of the calls. */
  write(batch: KeptBatch | StoreBatch, told: (outcome: Outcome) => void): void {
    const chunks = 'drafts' in batch ? this.#take(batch.drafts) : [];
    const { skips, records } = 'drafts' in batch ? beside(batch) : NOTHING;
    const epoch = this.#epoch;
    const parts = { epoch, chunks, skips, records };
    const memory = writeBatch(batch, parts, (bytes) => this.#thread.memoryOf(bytes));
    this.#thread.send(memory, (answer) => {
      if (answer === null) return told('died');
      const failure = readAnswer(answer);
      // Several that were sent in one epoch fail together.
      if (failure !== null) this.#epoch = Math.max(this.#epoch, epoch + 1);
      told(failure);
    });
  }

  /** Resolves when it has done what it was given and let go of the store. */
  end(): Promise<void> {
    return this.#thread.end();
  }

  /** The chunks that these drafts are in; what is in none is sent now. */
  #take(drafts: readonly StoredRecord[]): readonly number[] {
    const taken: number[] = [];
    let from = 0;
    for (const [at, draft] of drafts.entries()) {
      if (at < from) continue;
      const chunk = takeOut(this.#chunks, ({ drafts: [first] }) => first === draft);
      if (chunk === undefined) continue;
      if (from < at) taken.push(this.#sendChunk(drafts.slice(from, at)).number);
      taken.push(chunk.number);
      from = at + chunk.drafts.length;
    }
    if (from < drafts.length) taken.push(this.#sendChunk(drafts.slice(from)).number);
    return taken;
  }

  #sendChunk(drafts: readonly StoredRecord[]): Chunk {
    const number = ++this.#lastChunk;
    const memory = writeChunk(number, drafts, (bytes) => this.#thread.memoryOf(bytes));
    this.#thread.send(memory, (signed) => {
      if (signed !== null) takeSignatures(signed, drafts);
    });
    return { number, drafts };
  }
}

const NOTHING = { skips: [], records: [] };

/** Of a batch, drafts that are not kept any more, and what is kept and is no draft. */
function beside({ put, drafts }: KeptBatch): {
  readonly skips: readonly number[];
  readonly records: readonly { readonly slot: number; readonly bytes: Uint8Array }[];
} {
  const skips: number[] = [];
  const signed = new Set<number>();
  for (const { slot } of drafts) {
    if (put.has(slot)) signed.add(slot);
    else skips.push(slot);
  }
  if (signed.size === put.size) return { skips, records: [] };
  const others = [...put].filter(([slot]) => !signed.has(slot));
  return { skips, records: others.map(([slot, { bytes }]) => ({ slot, bytes })) };
}
