/** A batch of records as the store takes it: the drafts signed, everything in the form that is kept. */
import type { KeptBatch, StoreBatch } from '../ports.ts';
import { keptForm } from '../protocol/state/kept-record.ts';
import { signDraft } from '../protocol/state/record.ts';

/** @param sign Ed25519 of the drafts' author */
export function signedBatch(
  { put, remove, drafts, meta }: KeptBatch,
  sign: (bytes: Uint8Array) => Uint8Array,
): StoreBatch {
  for (const { record } of drafts) signDraft(record, sign);
  return { put: Array.from(put, ([slot, record]) => ({ slot, bytes: keptForm(record) })), remove, meta };
}
