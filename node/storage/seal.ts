/**
 * A checksum around every stored value, so that flipped bytes are found when they are read. CRC-32 over the slot number
 * and the bytes: it is there for bad disks, not for forgers (records carry signatures), and it also finds a value that
 * turned up under another slot.
 *
 *   sealed = crc32(slot as float64, bytes) as uint32 big-endian ++ bytes
 */
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;

export function seal(slot: number, bytes: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(CHECKSUM_BYTES + bytes.length);
  sealed.writeUInt32BE(checksum(slot, bytes));
  sealed.set(bytes, CHECKSUM_BYTES);
  return sealed;
}

/** @returns the bytes inside, or null when they are not those that were sealed under this slot */
export function unseal(slot: number, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < CHECKSUM_BYTES) return null;
  const bytes = contentOf(sealed);
  return sealOf(sealed) === checksum(slot, bytes) ? bytes : null;
}

/** The checksum that a sealed value carries, right or not. */
export function sealOf(sealed: Uint8Array): number {
  let seal = 0;
  for (let at = 0; at < CHECKSUM_BYTES; at++) seal = seal * 256 + (sealed[at] ?? 0);
  return sealed.length < CHECKSUM_BYTES ? 0 : seal;
}

/** The bytes inside, right or not. */
export function contentOf(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(CHECKSUM_BYTES);
}

const head = Buffer.alloc(8);

function checksum(slot: number, bytes: Uint8Array): number {
  head.writeDoubleBE(slot);
  return crc32(bytes, headChecksum());
}

/** As `crc32(head)`: for eight bytes the way there takes longer than the sum. */
function headChecksum(): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < head.length; i++) {
    crc = (crc >>> 8) ^ (CRC_OF_BYTE[(crc ^ (head[i] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}

/** CRC-32 as in ISO 3309, bit by bit, the lowest first. */
const CRC_OF_BYTE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});
