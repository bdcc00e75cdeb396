/** The key of a record that is damaged elsewhere, to name it to a human; nothing else may rest on it. */
import { ByteReader, CodecError } from '../codec.ts';
import { PUBLIC_KEY_BYTES } from '../ids.ts';
import { RECORD_LIMITS } from './record.ts';

/** version, flags, dot, stamp: see record.ts */
const BEFORE_KEY_BYTES = 1 + 1 + PUBLIC_KEY_BYTES + 8 + 6 + 2;

/** @returns null where no key can be read */
export function keyHint(bytes: Uint8Array): string | null {
  try {
    const reader = new ByteReader(bytes);
    reader.bytes(BEFORE_KEY_BYTES);
    const key = reader.text16(RECORD_LIMITS.keyBytesMax);
    return key === '' ? null : key;
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
