/**
 * What is between two machines: the real bytes of every message, decoded and verified at the other end, or, where a run has no
 * time for that, the message itself with the size of its bytes.
 */
import { decodeBatch } from '../node/protocol/gossip/batch.ts';
import type { RecordId } from '../node/protocol/ids.ts';
import { verifyRecord, type SignedRecord, type VerifiedRecord } from '../node/protocol/state/record.ts';
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  replyBytes,
  requestBytes,
} from '../node/protocol/sync/codec.ts';
import type { SyncReply, SyncRequest } from '../node/protocol/sync/messages.ts';
import type { Batch } from './batches.ts';

/** A message under way. */
export interface Parcel<T> {
  readonly bytes: number;
  readonly open: () => T | null;
}

/** Signatures whose verification is remembered; a run of a minute makes some hundreds. */
const KNOWN_MAX = 100_000;

export class Wire {
  readonly #isReal: boolean;
  /** the bytes under which a record was once verified: Ed25519 takes 70 µs, and every host gets every record */
  readonly #verified = new Map<RecordId, Uint8Array>();

  constructor(isReal: boolean) {
    this.#isReal = isReal;
  }

  request(message: SyncRequest): Parcel<SyncRequest<VerifiedRecord>> {
    if (!this.#isReal)
      return { bytes: requestBytes(message), open: () => message as SyncRequest<VerifiedRecord> };
    const bytes = encodeRequest(message);
    return { bytes: bytes.length, open: () => this.#verify(decodeRequest(bytes)) };
  }

  reply(message: SyncReply): Parcel<SyncReply<VerifiedRecord>> {
    if (!this.#isReal)
      return { bytes: replyBytes(message), open: () => message as SyncReply<VerifiedRecord> };
    const bytes = encodeReply(message);
    return { bytes: bytes.length, open: () => this.#verify(decodeReply(bytes)) };
  }

  /** @returns null when a record in it is not its author's */
  batch({ records, bytes }: Batch): readonly VerifiedRecord[] | null {
    return this.#isReal ? this.verifyAll(decodeBatch(bytes)) : (records as readonly VerifiedRecord[]);
  }

  /** All or none, as the node's intake has it. */
  verifyAll(records: readonly SignedRecord[]): readonly VerifiedRecord[] | null {
    const verified: VerifiedRecord[] = [];
    for (const record of records) {
      const own = this.#verifyOne(record);
      if (own === null) return null;
      verified.push(own);
    }
    return verified;
  }

  #verify<T extends object, V extends T>(message: T): V | null {
    if (!('records' in message)) return message as V;
    const records = this.verifyAll(message.records as readonly SignedRecord[]);
    return records === null ? null : ({ ...message, records } as unknown as V);
  }

  #verifyOne(record: SignedRecord): VerifiedRecord | null {
    const known = this.#verified.get(record.id);
    if (known !== undefined && Buffer.compare(known, record.bytes) === 0) return record as VerifiedRecord;
    const verified = verifyRecord(record);
    if (verified !== null && this.#verified.size < KNOWN_MAX) this.#verified.set(record.id, record.bytes);
    return verified;
  }
}
