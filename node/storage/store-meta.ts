/**
 * What stands beside the records: the caller's meta, and the tally of what should be there.
 *
 *   length of the text (uint32 big-endian) ++ JSON text ++ the caller's knowledge, opaque
 */
import type { StoreMeta } from '../ports.ts';
import type { Tally } from './tally.ts';

export interface Described {
  readonly meta: StoreMeta;
  readonly tally: Tally;
}

interface Text {
  readonly sequence: number;
  readonly wallMs: number;
  readonly counter: number;
  readonly records: number;
  readonly sum: number;
  /** told from a knowledge of no bytes */
  readonly hasKnowledge: boolean;
}

export function encodeDescribed({ meta, tally }: Described): Buffer {
  const { sequence, wallMs, counter, knowledge } = meta;
  const text: Text = { sequence, wallMs, counter, ...tally, hasKnowledge: knowledge !== null };
  const bytes = Buffer.from(JSON.stringify(text));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes, knowledge ?? new Uint8Array(0)]);
}

/** @param bytes as encoded: a checksum vouches for them */
export function decodeDescribed(bytes: Uint8Array): Described {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = 4 + all.readUInt32BE(0);
  const text = JSON.parse(all.toString('utf8', 4, end)) as Text;
  const { sequence, wallMs, counter, records, sum, hasKnowledge } = text;
  const knowledge = hasKnowledge ? Uint8Array.from(all.subarray(end)) : null;
  return { meta: { sequence, wallMs, counter, knowledge }, tally: { records, sum } };
}
