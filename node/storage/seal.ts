/**
 * A checksum around every stored value, so that flipped bytes are found when they are read. CRC-32 over the slot number
 * and the bytes: it is there for bad disks, not for forgers (records carry signatures), and it also finds a value that
 * turned up under another slot.
 *
 *   sealed = crc32(slot as float64, bytes) as uint32 big-endian ++ bytes
 */
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;

export function seal(slot: number, bytes: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(CHECKSUM_BYTES + bytes.length);
  sealed.writeUInt32BE(checksum(slot, bytes));
  sealed.set(bytes, CHECKSUM_BYTES);
  return sealed;
}

/** @returns the bytes inside, or null when they are not those that were sealed under this slot */
export function unseal(slot: number, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < CHECKSUM_BYTES) return null;
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
  const bytes = sealed.subarray(CHECKSUM_BYTES);
  return view.getUint32(0) === checksum(slot, bytes) ? bytes : null;
}

/** The checksum that a sealed value carries, right or not. */
export function sealOf(sealed: Uint8Array): number {
  return sealed.length < CHECKSUM_BYTES ? 0 : new DataView(sealed.buffer, sealed.byteOffset).getUint32(0);
}

/** The bytes inside, right or not. */
export function contentOf(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(CHECKSUM_BYTES);
}

function checksum(slot: number, bytes: Uint8Array): number {
  const head = new DataView(new ArrayBuffer(8));
  head.setFloat64(0, slot);
  return crc32(bytes, crc32(new Uint8Array(head.buffer)));
}
