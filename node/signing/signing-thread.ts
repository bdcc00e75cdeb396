/**
 * Signatures from a thread of their own. One takes 20 µs, a fifth of what a write costs the node's one thread, and needs
 * nothing but the bytes: what the records of one turn of the event loop want goes over in one piece, while the node goes on.
 *
 * A few records are signed in place: the way there and back takes longer than they do. So is everything until the thread is up,
 * which nobody waits for, and after it has died.
 */
import { Worker } from 'node:worker_threads';
import type { Identity, Logger, Signer } from '../ports.ts';
import { signDraft, type SignedRecord } from '../protocol/state/record.ts';
import { batchBytes, takeSignatures, writeBatch } from './sign-batch.ts';

/** Fewer are signed in place: the way there and back costs about as much. */
const AWAY_MIN = 3;
/** Memory that is kept for the next batch; larger pieces, which large batches need, are not. */
const KEPT_BYTES = 65_536;
/** Beside the sources, and beside the node in one file. */
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts') ? './sign-worker.ts' : './sign-worker.mjs',
  import.meta.url,
);

interface Batch {
  readonly records: SignedRecord[];
  readonly signed: Promise<void>;
  readonly resolve: () => void;
}

export interface SigningThreadModules {
  readonly identity: Pick<Identity, 'sign' | 'seed'>;
  readonly logger: Logger;
  /** what the thread runs; default sign-worker */
  readonly program?: URL;
}

export class SigningThread implements Signer {
  readonly #modules: SigningThreadModules;
  #thread: Worker | null = null;
  #state: 'asleep' | 'starting' | 'up' | 'dead' = 'asleep';
  /** the batch of this turn */
  #gathering: Batch | null = null;
  /** batches on their way, oldest first */
  #away: Batch[] = [];
  #memory: ArrayBuffer[] = [];

  constructor(modules: SigningThreadModules) {
    this.#modules = modules;
  }

  sign(records: readonly SignedRecord[]): Promise<void> {
    if (this.#gathering === null) {
      const { promise: signed, resolve } = Promise.withResolvers<void>();
      this.#gathering = { records: [], signed, resolve };
      setImmediate(() => this.#send());
    }
    this.#gathering.records.push(...records);
    return this.#gathering.signed;
  }

  #send(): void {
    const batch = this.#gathering;
    if (batch === null) return;
    this.#gathering = null;
    if (batch.records.length < AWAY_MIN) return this.#signHere(batch);
    if (this.#state === 'asleep') this.#start();
    if (this.#thread === null || this.#state !== 'up') return this.#signHere(batch);
    const memory = this.#memoryOf(batchBytes(batch.records));
    writeBatch(memory, batch.records);
    this.#away.push(batch);
    this.#thread.postMessage(memory, [memory]);
  }

  #signHere({ records, resolve }: Batch): void {
    for (const record of records) signDraft(record, (bytes) => this.#modules.identity.sign(bytes));
    resolve();
  }

  #memoryOf(bytes: number): ArrayBuffer {
    if (bytes > KEPT_BYTES) return new ArrayBuffer(bytes);
    return this.#memory.pop() ?? new ArrayBuffer(KEPT_BYTES);
  }

  #start(): void {
    this.#state = 'starting';
    const thread = new Worker(this.#modules.program ?? PROGRAM, {
      workerData: this.#modules.identity.seed,
      execArgv: [],
      env: {},
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 32 },
    });
    this.#thread = thread;
    thread.on('message', (memory: ArrayBuffer | null) => {
      if (memory !== null) this.#back(memory);
      else if (this.#state === 'starting') this.#state = 'up';
    });
    thread.once('error', (error) => this.#died(error.message));
    thread.once('exit', (code) => this.#died(`it ended with ${code}`));
    // What has batches away has a server that listens; nothing else waits for the thread.
    thread.unref();
  }

  #back(memory: ArrayBuffer): void {
    const batch = this.#away.shift();
    if (batch === undefined) return;
    takeSignatures(memory, batch.records);
    if (memory.byteLength === KEPT_BYTES) this.#memory.push(memory);
    batch.resolve();
  }

  #died(why: string): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#thread = null;
    this.#modules.logger.warn('the signing thread died, records are signed in place', { reason: why });
    const away = this.#away;
    this.#away = [];
    for (const batch of away) this.#signHere(batch);
  }
}
