/**
 * Memory for numbers that is needed for a moment, by the million.
 *
 * From 32 MiB on the C library gives memory back to the system as soon as it is free. What is smaller and was given back once
 * teaches it to keep as much from then on: tens of MB that nobody uses. So there is never less than that; only what is
 * written to is ever there.
 *
 * @see mallopt(3), M_MMAP_THRESHOLD
 */
const WORDS_MIN = 2 ** 23;

/** Zeros, more than asked for. */
export function passingWords(length: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(Math.max(WORDS_MIN, length));
}

/** Given back now, not when the collector comes by; two of the same memory may both be. */
export function giveBack({ buffer }: Uint32Array<ArrayBuffer> | Buffer): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
