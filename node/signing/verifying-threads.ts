/**
 * Members' signatures are verified in threads of their own. One takes 70 µs: a page of anti-entropy would hold the node's one
 * thread for most of a second, or for longer in slices. A record that goes over costs it 2 µs.
 *
 * A few records are verified in place, for nothing is quicker; and so are somewhat more while the threads are busy with many, for
 * fresh records shall not wait for a snapshot. While there is no thread, everything is verified in place, in slices, so
 * that it does not hold up the heartbeats. The verdicts are the same everywhere: one function, one library.
 */
import { BatchThread } from '../batch-thread.ts';
import type { Logger, Verifier } from '../ports.ts';
import { verifyRecord, type SignedRecord, type VerifiedRecord } from '../protocol/state/record.ts';
import { batchBytes, takeVerdicts, writeBatch } from './signature-batch.ts';

export interface VerifyingThreadsOptions {
  /** From 1. More help where the machine has processors that have nothing to do. */
  readonly threads: number;
  /** Fewer are verified in place; default 16, i.e. a millisecond, as the way there and back on a busy machine. */
  readonly awayMin: number;
  /** Fewer are verified in place while the threads are busy; default 64, i.e. 4 ms. */
  readonly busyAwayMin: number;
  /** Signatures verified in place before other events get their turn; default 32, i.e. 2–4 ms (measured). */
  readonly sliceRecords: number;
}

export const VERIFYING_DEFAULTS: Omit<VerifyingThreadsOptions, 'threads'> = {
  awayMin: 16,
  busyAwayMin: 64,
  sliceRecords: 32,
};

/** Beside the sources, and beside the bundle. */
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts') ? './verifying-worker.ts' : './verifying-worker.mjs',
  import.meta.url,
);

export interface VerifyingThreadsModules {
  readonly logger: Logger;
  /** what the threads run; default verifying-worker */
  readonly program?: URL;
}

type Verdict = VerifiedRecord | null;

interface Batch {
  readonly records: readonly SignedRecord[];
  /** of the first ones, by number, that were verified in place */
  readonly verdicts: Verdict[];
  readonly told: (verdicts: readonly Verdict[]) => void;
}

export class VerifyingThreads implements Verifier {
  readonly #options: VerifyingThreadsOptions;
  readonly #threads: readonly BatchThread[];
  /** batches while no thread is up, oldest first */
  readonly #waiting: Batch[] = [];
  #isSliceDue = false;

  constructor({ logger, program = PROGRAM }: VerifyingThreadsModules, options: VerifyingThreadsOptions) {
    this.#options = options;
    const lament = 'a verifying thread died, its records are verified elsewhere';
    this.#threads = Array.from(
      { length: options.threads },
      () => new BatchThread({ logger, program }, { workerData: null, lament, mustFinish: false, heapMb: 32 }),
    );
  }

  verify(records: readonly SignedRecord[], told: (verdicts: readonly Verdict[]) => void): void {
    const { awayMin, busyAwayMin } = this.#options;
    if (records.length < (this.#isBusy ? busyAwayMin : awayMin)) return told(records.map(verifyRecord));
    for (const thread of this.#threads) thread.wake();
    this.#waiting.push({ records, verdicts: [], told });
    this.#handOver();
  }

  get #isBusy(): boolean {
    return this.#waiting.length > 0 || this.#threads.every(({ away }) => away > 0);
  }

  #handOver(): void {
    const thread = this.#idlest();
    if (thread !== null)
      for (const batch of this.#waiting.splice(0)) this.#send(this.#idlest() ?? thread, batch);
    else if (this.#waiting.length > 0) this.#sliceSoon();
  }

  /** Of those that are up. A thread takes all that there is: it shall not wait for the event loop. */
  #idlest(): BatchThread | null {
    let idlest: BatchThread | null = null;
    for (const thread of this.#threads)
      if (thread.isUp && thread.away < (idlest?.away ?? Infinity)) idlest = thread;
    return idlest;
  }

  #send(thread: BatchThread, batch: Batch): void {
    const left = batch.records.slice(batch.verdicts.length);
    const memory = thread.memoryOf(batchBytes(left));
    writeBatch(memory, left);
    thread.send(memory, (verified) => {
      if (verified === null) this.#waiting.push(batch);
      else {
        const isSound = takeVerdicts(verified, left);
        batch.told([
          ...batch.verdicts,
          ...left.map((record, i) => (isSound[i] === true ? sound(record) : null)),
        ]);
      }
      this.#handOver();
    });
  }

  #sliceSoon(): void {
    if (this.#isSliceDue) return;
    this.#isSliceDue = true;
    setImmediate(() => {
      this.#isSliceDue = false;
      this.#verifySlice();
      this.#handOver();
    });
  }

  /** Of the oldest batch. */
  #verifySlice(): void {
    const [batch] = this.#waiting;
    if (batch === undefined) return;
    const { records, verdicts, told } = batch;
    const from = verdicts.length;
    verdicts.push(...records.slice(from, from + this.#options.sliceRecords).map(verifyRecord));
    if (verdicts.length < records.length) return;
    this.#waiting.shift();
    told(verdicts);
  }
}

/** The brand for a record that another thread found sound. */
function sound(record: SignedRecord): VerifiedRecord {
  return record as VerifiedRecord;
}
