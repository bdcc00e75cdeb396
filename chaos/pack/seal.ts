/**
 * The seal of an evidence pack: a second member of the gzip file, behind the archive, with a signature over every byte before
 * it. `tar xzf` reads the archive and never sees it; a verifier checks it before anything else is looked at, so that
 * no byte of the file can be another one, not even one that means nothing.
 *
 * Its own bytes have one form only: it is checked by writing it again.
 */
import { createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface Seal {
  readonly publicKey: KeyObject;
  /** of all bytes before the seal, hexadecimal */
  readonly sha256: string;
  readonly signature: string;
}

/** So that a signature made for something else is none for a pack. */
const CONTEXT = 'aethel evidence pack, seal 1\n';
const FORM =
  /^\{"seal":1,"sha256":"([0-9a-f]{64})","key":"([A-Za-z0-9+/]{43}=)","signature":"([A-Za-z0-9+/]{86}==)"\}\n$/;
const TEXT_BYTES = textOf('0'.repeat(64), 'A'.repeat(44), 'A'.repeat(88)).length;
/** header of a gzip member without name and time, and of its one stored block */
const HEAD_BYTES = 10 + 5;
const TAIL_BYTES = 8;
export const SEAL_BYTES = HEAD_BYTES + TEXT_BYTES + TAIL_BYTES;
/** what stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410) */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export function makeSeal(sha256: string, privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const signature = sign(null, Buffer.from(CONTEXT + sha256), privateKey).toString('base64');
  return render(sha256, rawOf(publicKey), signature);
}

/** @returns null where these bytes are no seal */
export function readSeal(bytes: Buffer): Seal | null {
  const [, sha256, raw, signature] =
    FORM.exec(bytes.subarray(HEAD_BYTES, -TAIL_BYTES).toString('latin1')) ?? [];
  if (sha256 === undefined || raw === undefined || signature === undefined) return null;
  // The last characters of base64 have spare bits: one form only.
  if (![raw, signature].every((text) => Buffer.from(text, 'base64').toString('base64') === text)) return null;
  if (!render(sha256, raw, signature).equals(bytes)) return null;
  try {
    const der = Buffer.concat([SPKI_PREFIX, Buffer.from(raw, 'base64')]);
    return { publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }), sha256, signature };
  } catch {
    return null;
  }
}

export function isSealedBy({ publicKey, sha256, signature }: Seal): boolean {
  return verify(null, Buffer.from(CONTEXT + sha256), publicKey, Buffer.from(signature, 'base64'));
}

function rawOf(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length).toString('base64');
}

function render(sha256: string, key: string, signature: string): Buffer {
  const text = textOf(sha256, key, signature);
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0]);
  head.writeUInt16LE(text.length, 11);
  head.writeUInt16LE(text.length ^ 0xffff, 13);
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(crc32(text), 0);
  tail.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, text, tail]);
}

function textOf(sha256: string, key: string, signature: string): Buffer {
  return Buffer.from(`${JSON.stringify({ seal: 1, sha256, key, signature })}\n`, 'latin1');
}
