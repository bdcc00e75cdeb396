/**
 * Signatures from a thread of their own. One takes 20 µs, a fifth of what a write costs the node's one thread, and needs
 * nothing but the bytes: what the records of one turn of the event loop want goes over in one piece, while the node goes on.
 *
 * A few records are signed in place: the way there and back takes longer than they do. So is everything while there is no thread.
 */
import type { Identity, Signer } from '../ports.ts';
import { signDraft, type SignedRecord } from '../protocol/state/record.ts';
import { BatchThread, type BatchThreadModules } from './batch-thread.ts';
import { batchBytes, takeSignatures, writeBatch } from './signature-batch.ts';

/** Fewer are signed in place: the way there and back costs about as much. */
const AWAY_MIN = 3;

interface Batch {
  readonly records: SignedRecord[];
  readonly signed: Promise<void>;
  readonly resolve: () => void;
}

export interface SigningThreadModules extends BatchThreadModules {
  readonly identity: Pick<Identity, 'sign' | 'seed'>;
}

export class SigningThread implements Signer {
  readonly #modules: SigningThreadModules;
  readonly #thread: BatchThread;
  /** the batch of this turn */
  #gathering: Batch | null = null;

  constructor(modules: SigningThreadModules) {
    this.#modules = modules;
    this.#thread = new BatchThread(modules, {
      seed: modules.identity.seed,
      lament: 'the signing thread died, records are signed in place',
    });
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
    const { records, resolve } = batch;
    if (records.length < AWAY_MIN) return this.#signHere(batch);
    this.#thread.wake();
    if (!this.#thread.isUp) return this.#signHere(batch);
    const memory = this.#thread.memoryOf(batchBytes(records));
    writeBatch(memory, records);
    this.#thread.send(memory, (signed) => {
      if (signed === null) return this.#signHere(batch);
      takeSignatures(signed, records);
      resolve();
    });
  }

  #signHere({ records, resolve }: Batch): void {
    for (const record of records) signDraft(record, (bytes) => this.#modules.identity.sign(bytes));
    resolve();
  }
}
